/*
 * The message protocol of kernel/ipc.c: two callers, two server threads at one port, and everything
 * that may happen to them.
 *
 * Each kernel call is atomic (one processor, no preemption in the kernel); user code interleaves as it
 * likes.  Callers make calls and faults.  Servers answer at once or later, in any order, and also with
 * tokens that are used up.  In each search one thing happens, at any moment: a caller is killed and
 * its frame becomes another thread (-DKILL), one is interrupted (-DINTERRUPT), a server dies, the port is
 * reset and another takes over (-DREPLACE), the port is reset under living servers (-DRESET) or
 * destroyed (-DDESTROY); the last three in steps of one waiter each, as ST_MORE makes it.
 *
 * Shown in every state: a reply that is accepted answers the very call that waits (none lost, doubled
 * or misdirected); a thread is in exactly the list that its state says; nobody waits to receive
 * while a message waits to be received.  At the end (no invalid end state) every call has ended.  The
 * model has no loop without an end, so this is also progress.
 *
 * Not in it: priorities (any caller may be first), notifications, payload, handles, batches.
 *
 * Mutants, each of which must be found: TOKEN, STATE, UNLINK, CANCEL, RESET, PARK, RECEIVERS, DETACH.
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define CALLERS	 2 /* threads 0 and 1 */
#define THREADS	 4 /* threads 2 and 3 are servers */
#define CALLS(t) (2 - t) /* how many each makes */

mtype = { STOPPED, READY, QUEUED, SERVED, RECEIVING, PARKED };	/* thread_state_t */
mtype = { WAIT_CALL, WAIT_FAULT };				/* wait_kind_t */
mtype = { OK, DEAD, INTERRUPTED, BAD_HANDLE, NONE };		/* status_t */
mtype = { CALL, CANCEL };					/* what a server got */

mtype state[THREADS] = STOPPED;
mtype wait[CALLERS] = WAIT_CALL;
mtype status[THREADS] = NONE;
byte token[CALLERS];	   /* of the call it waits in: sequence << 1 | thread */
bool alive[CALLERS];	   /* false: destroyed */
byte sequence;		   /* call_sequence */
byte call_made[CALLERS];   /* ghost: which call it waits in, however tokens are made */
byte call_answered[CALLERS]; /* ghost: the call that the accepted reply meant */

bool port = true;	   /* handles to it are not stale */
chan queue = [CALLERS] of { byte };
chan served = [CALLERS] of { byte };
chan cancels = [CALLERS] of { byte };
chan receivers = [2] of { byte };

/* What a server finds in its registers. */
mtype got[THREADS] = NONE;
byte got_token[THREADS];
byte got_call[THREADS]; /* ghost */
bool resetting;		/* a reset is at work */
bool ended;		/* a server that died has left its processor */
byte done;		/* callers that have come to their end */

/* list_remove, whichever list it is in */
inline unlink(t)
{
	if
	:: queue ?? [eval(t)] -> queue ?? eval(t)
	:: served ?? [eval(t)] -> served ?? eval(t)
	:: cancels ?? [eval(t)] -> cancels ?? eval(t)
	:: receivers ?? [eval(t)] -> receivers ?? eval(t)
	:: else
	fi
}

/* deliver() */
inline deliver(r, t)
{
	got[r] = CALL;
	got_token[r] = token[t];
	got_call[r] = call_made[t];
	status[r] = OK;
	state[t] = SERVED;
	served ! t
}

/* deliver_cancel() */
inline deliver_cancel(r)
{
	cancels ? other;
	served ! other;
	got[r] = CANCEL;
	got_token[r] = token[other];
	got_call[r] = call_made[other];
	status[r] = OK
}

/* ipc_send() */
inline ipc_send(t, kind)
{
	wait[t] = kind;
	sequence++;
	token[t] = (sequence << 1) | t;
	call_made[t] = sequence;
	status[t] = NONE;
	if
	:: empty(receivers) ->
		state[t] = QUEUED;
		queue ! t
	:: nempty(receivers) ->
		receivers ? other;
		state[other] = READY;
		deliver(other, t)
	fi
}

/* receive_now(); any caller may be the first of the queue: priorities */
inline receive_now(r, took)
{
	took = true;
	if
	:: nempty(cancels) -> deliver_cancel(r)
	:: empty(cancels) && queue ?? [0] -> queue ?? 0; deliver(r, 0)
	:: empty(cancels) && queue ?? [1] -> queue ?? 1; deliver(r, 1)
	:: empty(cancels) && empty(queue) -> took = false
	fi
}

/* token_find(), reply_to_call(), reply_to_fault(), reply_finish() */
inline reply(value, call)
{
	target = value & 1;
	if
	:: alive[target] && port &&
#ifndef MUTANT_STATE
	   state[target] == SERVED &&
#endif
#ifdef MUTANT_TOKEN
	   true ->
#else
	   token[target] == value ->
#endif
		assert(call == call_made[target]);    /* not misdirected */
		assert(call_answered[target] != call); /* not doubled */
		call_answered[target] = call;
#ifndef MUTANT_UNLINK
		unlink(target);
#endif
		state[target] = READY;
		status[target] = OK
	:: else /* ST_BAD_TOKEN */
	fi
}

/* ipc_detach() */
inline ipc_detach(t)
{
#ifdef MUTANT_DETACH
	if
	:: state[t] != SERVED -> unlink(t)
	:: else
	fi;
#else
	unlink(t);
#endif
	state[t] = STOPPED
}

/* call_end() */
inline call_end(t, how)
{
	ipc_detach(t);
	status[t] = how;
	state[t] = READY
}

/* ipc_interrupt(), of a caller */
inline ipc_interrupt(t)
{
	if
	:: wait[t] == WAIT_CALL && state[t] == QUEUED -> call_end(t, INTERRUPTED)
	:: wait[t] == WAIT_CALL && state[t] == SERVED ->
		unlink(t);
#ifndef MUTANT_CANCEL
		cancels ! t;
		if
		:: nempty(receivers) ->
			receivers ? another;
			state[another] = READY;
			deliver_cancel(another)
		:: empty(receivers)
		fi
#endif
	:: else
	fi
}

/* waiter_fail() */
inline waiter_fail(t)
{
	if
	:: t >= CALLERS -> call_end(t, DEAD)
	:: t < CALLERS && wait[t] == WAIT_CALL -> call_end(t, DEAD)
	:: t < CALLERS && wait[t] == WAIT_FAULT ->
		ipc_detach(t);
#ifndef MUTANT_PARK
		state[t] = PARKED
#endif
	fi
}

/* first_waiter(), one step of ipc_fail_waiters() */
inline fail_one(more)
{
	more = true;
	if
	:: nempty(queue) -> queue ? <victim>; waiter_fail(victim)
	:: empty(queue) && nempty(cancels) -> cancels ? <victim>; waiter_fail(victim)
	:: empty(queue) && empty(cancels) && nempty(served) -> served ? <victim>; waiter_fail(victim)
	:: empty(queue) && empty(cancels) && empty(served) && nempty(receivers) ->
		receivers ? <victim>; waiter_fail(victim)
	:: empty(queue) && empty(cancels) && empty(served) && empty(receivers) -> more = false
	fi
}

/* receivers_serve(): those who waited before the queue filled */
inline receivers_serve()
{
	do
	:: nempty(receivers) && nempty(queue) ->
		receivers ? victim;
		state[victim] = READY;
		receive_now(victim, more)
	:: empty(receivers) || empty(queue) -> break
	od
}

/* One step of ipc_requeue_served() */
inline requeue_one(more)
{
	if
	:: nempty(served) -> served ? <victim>; more = true
	:: empty(served) && nempty(cancels) -> cancels ? <victim>; more = true
	:: empty(served) && empty(cancels) -> more = false
	fi;
	if
	:: more && wait[victim] == WAIT_CALL ->
#ifdef MUTANT_RESET
		unlink(victim)
#else
		call_end(victim, DEAD)
#endif
	:: more && wait[victim] == WAIT_FAULT ->
		unlink(victim);
		state[victim] = QUEUED;
		queue ! victim
	:: !more ->
#ifndef MUTANT_RECEIVERS
		receivers_serve();
#endif
		resetting = false;
		more = false
	fi
}

/* The call or fault of a thread; a port that is gone: BAD_HANDLE, or the thread is parked. */
proctype caller(byte me)
{
	byte i, other;
	mtype kind;

	do
	:: i == CALLS(me) -> break
	:: i < CALLS(me) ->
		i++;
		if
		:: kind = WAIT_CALL
		:: kind = WAIT_FAULT
		fi;
		atomic {
			if
			:: !alive[me] -> /* another thread in the same frame */
				alive[me] = true;
				state[me] = READY
			:: else
			fi;
			if
			:: port -> ipc_send(me, kind)
			:: !port && kind == WAIT_CALL -> status[me] = BAD_HANDLE
			:: !port && kind == WAIT_FAULT -> state[me] = PARKED
			fi;
			other = 0
		}
		atomic {
			if
			:: state[me] == READY && alive[me] ->
				/* a call that went well was answered, and this one */
				assert(status[me] != OK || call_answered[me] == call_made[me])
			:: state[me] == PARKED -> break
			:: !alive[me] /* the next round is another thread's */
			fi
		}
	od;
	done++
}

/*
 * A server thread: takes what comes and answers at once, or keeps one token and answers later (what
 * comes meanwhile is answered at once, so replies go out in any order).  Server 3 also gives an
 * answer twice.
 */
proctype server(byte me)
{
	byte held, call, used, used_call, other, target;
	bool took;

end:	do
	:: atomic { /* REPLY_RECEIVE, waits: only when it owes nobody an answer */
		state[me] == READY && port && held == 0 ->
		receive_now(me, took);
		if
		:: !took -> state[me] = RECEIVING; receivers ! me
		:: took
		fi;
		other = 0; took = false
	   }
endwait:   atomic {
		state[me] != RECEIVING ->
take:		if
		:: state[me] == STOPPED -> goto dead
		:: state[me] == READY && got[me] == CALL && held == 0 ->
			held = got_token[me]; call = got_call[me]
		:: state[me] == READY && got[me] != NONE ->
			reply(got_token[me], got_call[me]);
			target = 0;
			if
			:: held == got_token[me] -> held = 0; call = 0 /* a cancel of the call kept */
			:: held != got_token[me]
			fi
		:: state[me] == READY && got[me] == NONE
		fi;
		got[me] = NONE; got_token[me] = 0; got_call[me] = 0
	   }
	:: atomic { /* the same with RR_NONBLOCK */
		state[me] == READY && port && held != 0 && (nempty(cancels) || nempty(queue)) ->
		receive_now(me, took);
		other = 0; took = false;
		goto take
	   }
	:: atomic { /* answer the call kept */
		state[me] == READY && port && held != 0 ->
		reply(held, call);
		target = 0;
		if
		:: me == 3 -> used = held; used_call = call
		:: me != 3
		fi;
		held = 0; call = 0
	   }
	:: atomic { /* an answer given before, again */
		state[me] == READY && port && used != 0 ->
		reply(used, used_call);
		used = 0; used_call = 0; target = 0
	   }
	:: atomic { state[me] == STOPPED || !port && state[me] == READY -> goto dead }
	od;
dead:	ended = (me == 2)
}

/* A thread that is destroyed at any moment: thread_destroy(). */
proctype killer()
{
	atomic {
		alive[0] ->
		ipc_detach(0);
		alive[0] = false
	}
}

proctype interrupter()
{
	byte other, another;

	atomic { alive[1] -> ipc_interrupt(1); other = 0; another = 0 }
}

proctype supervisor()
{
	byte victim, other;
	bool more = true;

	if
#ifdef REPLACE /* a server dies and is replaced */
	:: atomic { state[2] != STOPPED -> ipc_detach(2); got[2] = NONE; resetting = true }
	   do
	   :: more -> atomic { requeue_one(more); victim = 0; other = 0 }
	   :: !more -> break
	   od;
	   atomic { ended -> state[2] = READY; status[2] = NONE; run server(2) }
#endif
#ifdef RESET /* the servers live on */
	:: resetting = true;
	   do
	   :: more -> atomic { requeue_one(more); victim = 0; other = 0 }
	   :: !more -> break
	   od
#endif
#ifdef DESTROY /* port_destroy(): id = 0 first */
	:: atomic { port = false }
	   do
	   :: more -> atomic { fail_one(more); victim = 0 }
	   :: !more -> break
	   od
#endif
	:: skip
	fi
}

/* A thread is in the list that its state says, and in no other; receivers wait only while there is
   nothing to receive (but between the steps of a reset). */
#define WRONG(is, in) (((is) && !(in)) || (!(is) && (in)))
#define UNLISTED(t)                                             \
	(WRONG(state[t] == QUEUED, queue ?? [t]) ||              \
	 WRONG(state[t] == SERVED, served ?? [t] || cancels ?? [t]) || \
	 (served ?? [t] && cancels ?? [t]))

proctype lists()
{
end:	atomic {
		UNLISTED(0) || UNLISTED(1) ||
		WRONG(state[2] == RECEIVING, receivers ?? [2]) ||
		WRONG(state[3] == RECEIVING, receivers ?? [3]) ||
		(!resetting && nempty(receivers) && (nempty(queue) || nempty(cancels))) ->
		assert(false)
	}
}

init {
	atomic {
		state[2] = READY;
		state[3] = READY;
		alive[0] = true; state[0] = READY;
		alive[1] = true; state[1] = READY;
		run caller(0);
		run caller(1);
		run server(2);
		run server(3);
		run lists();
#ifdef KILL
		run killer();
#endif
#ifdef INTERRUPT
		run interrupter();
#endif
		run supervisor()
	}
	done == CALLERS;
}
