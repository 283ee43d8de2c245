/*
 * Page faults as messages: kernel/fault.c and ipc.c, two threads of one space that touch one page.
 *
 * A thread faults, the tables are walked when the message is delivered (not when it faulted), a
 * pager cures and replies, and the thread tries again.  The entry may come from somebody else's fault
 * meanwhile, so a fault can be good by the time it is delivered, or queued again after its pager died.  The
 * processor keeps the translation that refused, so who resumes a thread without a message invalidates it.
 * The pager takes the page away again, a few times.
 *
 * Shown: the pager gets no message for an access that the tables allow (so it cures no page twice);
 * and at the end every access has been made (no invalid end state, and no cycle without progress): no
 * fault is lost, none is repeated for ever.
 *
 * Mutants, each of which must be found: ARRIVAL (the walk is made when the thread faults), FLUSH (a cured
 * fault resumes without invalidating), WAKE (a cured fault in the queue is taken out and not
 * resumed), QUEUE (the pager's reset leaves served faults where they are).
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#define THREADS 2
#define TAKEN	1 /* times that the page is taken away */

mtype = { RUNS, QUEUED, SERVED };

mtype state[THREADS] = RUNS;
bool done[THREADS];
bool refused_at_arrival[THREADS];
bool mapped;		/* the entry in the table */
bool refused;		/* the processor keeps the refusal (an old, read-only translation) */
chan queue = [THREADS] of { byte };
chan served = [THREADS] of { byte };
bool waiting;		/* the pager is in the receivers of its port */
byte got = THREADS;	/* whose fault it has; THREADS: none */
byte taken;

/* fault_is_cured(), with flush_space() */
inline walk(t, cured)
{
#ifdef MUTANT_ARRIVAL
	cured = !refused_at_arrival[t];
#else
	cured = mapped;
#endif
#ifndef MUTANT_FLUSH
	if
	:: cured -> refused = false
	:: !cured
	fi
#endif
}

/* deliver() */
inline deliver(t)
{
	assert(!mapped);
	state[t] = SERVED;
	served ! t;
	got = t
}

/* A thread makes its access until it succeeds. */
proctype thread(byte me)
{
	bool cured;

	do
	:: atomic { state[me] == RUNS && mapped && !refused -> done[me] = true; break }
	:: atomic { /* fault_raise(), ipc_send() */
		state[me] == RUNS && (!mapped || refused) ->
		refused = true;
		refused_at_arrival[me] = !mapped;
		if
		:: !waiting -> state[me] = QUEUED; queue ! me
		:: waiting ->
			walk(me, cured);
			if
			:: cured
			:: !cured -> waiting = false; deliver(me)
			fi
		fi;
		cured = false
	   }
	od
}

/* The pager: receive_now(), then a reply with the cure in one batch. */
proctype pager()
{
	byte t;
	bool cured;

end:	do
	:: atomic {
		!waiting && got == THREADS ->
		do
		:: nempty(queue) ->
			queue ? t;
			walk(t, cured);
			if
			:: cured ->
#ifndef MUTANT_WAKE
				state[t] = RUNS
#else
				skip
#endif
			:: !cured -> deliver(t); break
			fi
		:: empty(queue) -> waiting = true; break
		od;
		t = 0; cured = false
	   }
	:: atomic { /* reply_batch(), reply_to_fault(): not-present to present needs no flush elsewhere */
		got != THREADS ->
		mapped = true;
		refused = false;
		served ?? eval(got);
		state[got] = RUNS;
		got = THREADS
	   }
	od
}

/* The pager takes the page away: forbid, then flush. */
proctype taker()
{
	do
	:: atomic { taken < TAKEN && mapped -> mapped = false; refused = true; taken++ }
	:: taken == TAKEN -> break
	:: done[0] && done[1] -> break
	od
}

/* The pager dies with a fault in its hands, perhaps after the cure; another takes the port over:
   ipc_requeue_served(). */
proctype supervisor()
{
	byte t;
	bool cured;

	if
	:: atomic {
		got != THREADS ->
		if
		:: mapped = true /* it died between the cure and the reply */
		:: skip
		fi;
		got = THREADS;
#ifndef MUTANT_QUEUE
		served ? t;
		state[t] = QUEUED;
		queue ! t
#endif
	   }
	:: done[0] && done[1]
	fi
}

init {
	atomic {
		run thread(0);
		run thread(1);
		run pager();
		run taker();
		run supervisor()
	}
	done[0] && done[1]
}
