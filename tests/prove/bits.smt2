; Lemmas about bits that the contracts (*.acsl) use as axioms, each stated as its negation over 64-bit
; words: the answer must be "unsat" for each.
;
; SPDX-License-Identifier: BSD-2-Clause
(set-logic QF_BV)
(declare-const x (_ BitVec 64))

; align_down_bits (cpio.acsl): x is at least x & ~3, by 3 at most
(push)
(define-fun down () (_ BitVec 64) (bvand x #xfffffffffffffffc))
(assert (not (and (bvule down x) (bvule (bvsub x down) #x0000000000000003))))
(check-sat)
(pop)

; same_target (wp_table.c): entries that agree in frame and PS name one frame and are of one size
(push)
(declare-const y (_ BitVec 64))
(define-fun differ () (_ BitVec 64) (bvand (bvxor x y) #x000ffffffffff080))
(define-fun target ((e (_ BitVec 64))) (_ BitVec 32)
	((_ extract 31 0) (bvlshr (bvand e #x000ffffffffff000) #x000000000000000c)))
(assert (= differ #x0000000000000000))
(assert (not (and (= (target x) (target y))
	(= (bvand x #x0000000000000080) (bvand y #x0000000000000080)))))
(check-sat)
(pop)

; The rest is of wp_split.c: entries without W.
(push)
(define-fun P () (_ BitVec 64) #x0000000000000001)
(define-fun W () (_ BitVec 64) #x0000000000000002)
(define-fun PS () (_ BitVec 64) #x0000000000000080)
(define-fun SHARED () (_ BitVec 64) #x0000000000000200)
(define-fun FRAME () (_ BitVec 64) #x000ffffffffff000)
(define-fun target ((e (_ BitVec 64))) (_ BitVec 32) ((_ extract 31 0) (bvlshr (bvand e FRAME) #x000000000000000c)))
(define-fun has ((e (_ BitVec 64)) (bit (_ BitVec 64))) Bool (not (= (bvand e bit) #x0000000000000000)))
(define-fun readable () (_ BitVec 64) (bvand x (bvnot W)))

; without_write (of prove_fetch_and)
(push)
(assert (not (and (not (has readable W)) (= (target readable) (target x)) (= (has readable P) (has x P))
	(= (has readable PS) (has x PS)) (= (has readable SHARED) (has x SHARED)))))
(check-sat)
(pop)

; loses_write
(push)
(assert (not (= (= (bvand x (bvor W SHARED)) W) (and (has x W) (not (has x SHARED))))))
(check-sat)
(pop)
(pop)
