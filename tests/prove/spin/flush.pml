/*
 * Forbid, flush, use: kernel/frame.c, entry.h and switch.c on two processors.
 *
 * Two frames; an entry of space 0 and one of space 1, each for one page.  Programs on both
 * processors read and write through translations that the processor keeps until it is flushed; a
 * malicious pager maps, unmaps, takes W away, retypes and re-maps at any moment, with flush hints that
 * are false as it likes.  Spaces move between processors, and address-space identifiers run out.
 *
 * The epoch is as kernel/flush.h says for several processors: a frame may be used again when every
 * processor has flushed all identifiers since its last reference went.  One epoch for each processor
 * stands for "every".  On one processor (-DONE) this is the kernel's code as it is.  Spaces end
 * and begin, so identifiers run out.
 *
 * A frame's *life* ends when it may become something else: with a change of type or of pool, and with the
 * first reference after none.  Shown: no processor uses a translation that it made in an
 * earlier life of the frame, nor one to a table, nor
 * one that was made for another space.  A false hint leaves the pager's own clients with stale
 * rights to frames that live on: that is not counted.
 *
 * Mutants, each of which must be found: NO_FLUSH (frame_make_quiet does not flush), EARLY (the
 * stamp is taken before the reference goes), LOCAL (only one's own processor is flushed),
 * RECYCLE (the flush is made when identifiers run out, not when the new one is loaded: the processor
 * walks in between), NOFLUSH (a load never flushes), REUSE (a first reference does not look at the epoch),
 * MOVE (a change of owner does not).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifdef ONE
#define CPUS 1
#else
#define CPUS 2
#endif
#define SPACES	 2
#define FRAMES	 2
#define PCIDS	 2 /* identifiers of a generation, of a processor */
#define NONE	 3

bool is_table[FRAMES]; /* else data */
byte references[FRAMES];
bool unflushed[FRAMES * CPUS]; /* the stamp is the processor's epoch: no flush since the last reference */

/* The one page of each space: which frame, or NONE. */
byte entry[SPACES] = NONE;

/* What a processor keeps: for each identifier a frame, or NONE; and (ghosts)
   whether that life of the frame is over, and the space it was for. */
byte cached[CPUS * PCIDS] = NONE;
bool cached_old[CPUS * PCIDS];
bit cached_space[CPUS * PCIDS];
byte pcid_next[CPUS];
byte pcid[CPUS * SPACES] = NONE;	/* space->pcid; NONE: of a generation that is over */
bool flush_pending[CPUS * SPACES];
byte current[CPUS];			/* the space whose CR3 is loaded */

byte loaded[CPUS];			/* the identifier in CR3 */

#define KEPT(c) cached[c * PCIDS + loaded[c]]
#define WALK(c)					\
	KEPT(c) = entry[current[c]];		\
	cached_old[c * PCIDS + loaded[c]] = false;\
	cached_space[c * PCIDS + loaded[c]] = current[c]

#define LIFE_ENDS(i, f)					\
	if							\
	:: cached[i] == f -> cached_old[i] = true		\
	:: cached[i] != f					\
	fi

inline life_ends(f)
{
	LIFE_ENDS(0, f);
	LIFE_ENDS(1, f)
#ifndef ONE
	;
	LIFE_ENDS(2, f);
	LIFE_ENDS(3, f)
#endif
}

#define FORGET(i) cached[i] = NONE; cached_old[i] = false; cached_space[i] = 0

/* The processor walks whenever it likes, also in the middle of a call. */
inline may_walk(c)
{
	if
	:: entry[current[c]] != NONE && KEPT(c) == NONE -> WALK(c)
	:: skip
	fi
}

/* flush_everything(), on one processor */
inline flush_cpu(c)
{
	FORGET(c * PCIDS);
	FORGET(c * PCIDS + 1);
	unflushed[c] = false;
	unflushed[CPUS + c] = false
}

/* On all whose epoch is still that of the stamp. */
inline flush_stale(f)
{
#ifndef MUTANT_NO_FLUSH
	if
	:: unflushed[f * CPUS] -> flush_cpu(0)
	:: !unflushed[f * CPUS]
	fi;
#ifndef ONE
#ifndef MUTANT_LOCAL
	if
	:: unflushed[f * CPUS + 1] -> flush_cpu(1)
	:: !unflushed[f * CPUS + 1]
	fi
#else
	skip
#endif
#else
	skip
#endif
#else
	skip
#endif
}

/* pcid_assign(), space_cr3(), load_cr3(): space s comes to run on processor c */
inline switch_space(c, s)
{
	if
	:: pcid[c * SPACES + s] == NONE ->
		if
		:: pcid_next[c] == PCIDS -> /* the next generation: whoever has an identifier needs another */
			pcid_next[c] = 0;
			pcid[c * SPACES] = NONE;
			pcid[c * SPACES + 1] = NONE;
#ifdef MUTANT_RECYCLE
			flush_cpu(c);
			may_walk(c)
#endif
		:: pcid_next[c] < PCIDS
		fi;
		pcid[c * SPACES + s] = pcid_next[c];
		pcid_next[c]++;
#ifndef MUTANT_RECYCLE
		flush_pending[c * SPACES + s] = true
#endif
	:: pcid[c * SPACES + s] != NONE
	fi;
	current[c] = s;
	loaded[c] = pcid[c * SPACES + s];
	if
	:: flush_pending[c * SPACES + s] ->
#ifndef MUTANT_NOFLUSH
		FORGET(c * PCIDS + loaded[c]); /* what a load of CR3 without NOFLUSH does */
#endif
		flush_pending[c * SPACES + s] = false
	:: !flush_pending[c * SPACES + s]
	fi
}

/* flush_space(): before it runs again, at the latest */
inline flush_space(sp)
{
	flush_pending[sp] = true;
	if
	:: current[0] == sp -> switch_space(0, sp)
	:: current[0] != sp
	fi;
#ifndef ONE
	flush_pending[SPACES + sp] = true;
	if
	:: current[1] == sp -> switch_space(1, sp)
	:: current[1] != sp
	fi
#endif
}

/* entry_last_gone(): the stamp */
inline last_gone(f)
{
	unflushed[f * CPUS] = true;
#ifndef ONE
	unflushed[f * CPUS + 1] = true
#endif
}

/* table_put(): entry_count, exchange, entry_drop */
inline put(s, f)
{
	old = entry[s];
#ifndef MUTANT_REUSE
	if
	:: f != NONE && references[f] == 0 -> flush_stale(f)
	:: else
	fi;
#endif
	if
	:: f != NONE && references[f] == 0 -> life_ends(f)
	:: else
	fi;
#ifdef MUTANT_EARLY
	if
	:: old != NONE && references[old] == 1 ->
		last_gone(old);
		flush_cpu(0);
		flush_cpu(1);
		may_walk(0);
		may_walk(1)
	:: else
	fi;
#endif
	if
	:: f != NONE -> references[f]++
	:: f == NONE
	fi;
	entry[s] = f;
	if
	:: old != NONE ->
		references[old]--;
#ifndef MUTANT_EARLY
		if
		:: references[old] == 0 -> last_gone(old)
		:: references[old] != 0
		fi
#endif
	:: old == NONE
	fi
}

/* One processor: runs programs; each access is one step. */
proctype processor(byte c)
{
end:	do
	:: atomic { switch_space(c, 0) }
	:: atomic { switch_space(c, 1) }
	:: atomic { KEPT(c) == NONE && entry[current[c]] != NONE -> WALK(c) }
	:: atomic { /* an access through what is kept */
		KEPT(c) != NONE ->
		assert(!is_table[KEPT(c)]);
		assert(!cached_old[c * PCIDS + loaded[c]]);
		assert(cached_space[c * PCIDS + loaded[c]] == current[c])
	   }
	od
}

#ifdef ONE
#define UNLOADED(s) (current[0] != s)
#else
#define UNLOADED(s) (current[0] != s && current[1] != s)
#endif

/* The pagers: any operation on any entry and frame, with any hint; the kernel runs each at once. */
proctype pagers()
{
	byte s, f, old, other;

end:	do
	:: atomic {
		if
		:: s = 0
		:: s = 1
		fi;
		if
		:: f = 0
		:: f = 1
		fi;
		if
		:: !is_table[f] && entry[s] != f -> put(s, f) /* OP_SET */
		:: entry[s] != NONE -> put(s, NONE) /* OP_CLEAR */
		:: references[f] == 0 -> /* OP_RETYPE */
			flush_stale(f);
			life_ends(f);
			is_table[f] = !is_table[f]
		:: references[f] == 0 && !is_table[f] -> /* OP_TRANSFER */
#ifndef MUTANT_MOVE
			flush_stale(f);
#endif
			life_ends(f)
		:: entry[s] == NONE && UNLOADED(s) -> /* the space ends, another begins in its frames */
			pcid[s] = NONE;
			flush_pending[s] = false;
#ifndef ONE
			pcid[SPACES + s] = NONE;
			flush_pending[SPACES + s] = false
#endif
		:: skip
		fi;
		if
		:: other = s; flush_space(other) /* a true hint */
		:: other = 1 - s; flush_space(other) /* a false one */
		:: skip /* none */
		fi;
		s = 0; f = 0; old = 0; other = 0
	   }
	od
}

init {
	atomic {
		pcid[0] = 0; pcid_next[0] = 1;
		run pagers();
		run processor(0);
#ifndef ONE
		pcid[SPACES] = 0; pcid_next[1] = 1;
		run processor(1)
#endif
	}
}
