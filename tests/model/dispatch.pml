/* dispatch.pml: how the host and its worker processes pass tasks over the pages that they share, as
 * a state machine that spin explores exhaustively. run.sh has the configurations.
 *
 * What is modelled, and where it is in the code
 *
 *   model               | code (pool/)
 *   --------------------+------------------------------------------------------------------------
 *   Worker              | worker.c, serve(): one process after another with the same place
 *   Supervisor          | backend_process.c: the supervisor's thread
 *   hat                 | the supervisor's lock: who has it acts as supervisor
 *   Submitter           | submit.c; with QUICK it dispatches by itself: process_submitted()
 *   Meddler             | pool_future_cancel() (cancel.c) and pool_terminate() (pool.c)
 *   Fate                | a worker is killed by anybody, or by the host's signals; deadlines pass
 *   word[]              | the state in a slot's word on the page (wire_priv.h)
 *   flight[], next[]    | the host's own record of the slots (remote_priv.h)
 *   sleeps[], listens[] | worker_sleeps and host_listens on the page
 *   knock[], to_worker[]| what is in the worker's socket: a bell; with MESSAGES, TASK messages too
 *   ring[], results[]   | what is in the host's socket: a bell, and RESULT messages. These have
 *                       | room for one, so that a worker also waits in a full socket
 *   eof[]               | the worker is gone and its end of the socket closed. What it had sent can
 *                       | still be read, and the page stays as it was
 *   place[]             | job->place: in the pool's queue, held by the backend, in no list
 *   fut[]               | the future: pending, or how it ended
 *   resolve()           | pool_settle_locked(): who is first decides how a task ends
 *   back()              | pool_untake_locked(). The queue is served lowest number first, so what
 *                       | comes back comes to its front
 *   collect(), settle() | pool_remote_drain() and settle_flights() in burial.c
 *   stop_for()          | pool_timers_stop_for() in timers.c
 *   cancel_held()       | process_cancel() in backend_process.c
 *
 * One step of the model is one access to shared memory, one system call, or what somebody does to
 * data that a lock keeps from everybody else. Looks at several slots are one step: what is there
 * for the host stays until the host takes it, so that looking one by one finds no less. A bell that
 * was not read yet makes a second one needless, so there is at most one, and it is read as late as
 * can be. Memory is sequentially consistent: so have to be the operations on word, worker_sleeps
 * and host_listens. Numbers in words are left out, since honest sides never need them; dishonest
 * workers are another matter, and so are the zygote and READY.
 *
 * What is checked
 *   - Every run comes to its end: spin reports each state in which nothing can go on while some
 *     process has not ended. So no wake-up is lost, every future is resolved (the Submitter waits
 *     for them), and the supervisor gets rid of all workers.
 *   - A future is decided once, before its job leaves the lists: DECIDE, drop().
 *   - A task is started once, and once more for each death while it ran that its retries and the
 *     quarantine allow; never after its future is done, but for a terminate (it resolves futures
 *     before workers have heard of it): started().
 *   - A worker that the host stops has only the task with it for which it is stopped: Fate.
 *   - Only a task that was running when its worker died fails with "died" or is tried again; only
 *     one that came to its end has a result: collect(), settle().
 *   - A job leaves the lists once, and in the end they are empty: drop(), Supervisor.
 *
 * Each BUG_... breaks one rule. run.sh proves that spin finds every one of them. */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef TASKS
#define TASKS 3
#endif
#ifndef DEATHS
#define DEATHS 0 /* so many workers are killed by others than the host, at most */
#endif
#ifndef RETRIES
#define RETRIES 0 /* of each task */
#endif
#ifndef QUARANTINE
#define QUARANTINE 3
#endif
#ifndef DEADLINES
#define DEADLINES 0 /* so many pass, at most */
#endif
#ifndef CANCELS
#define CANCELS 0 /* so many cancels, at most */
#endif
#ifndef TERMINATE
#define TERMINATE 0 /* 1: somebody may terminate the pool */
#endif
#ifndef RESULTS
#define RESULTS 0 /* 1: a result may go as a message */
#endif
#ifndef MESSAGES
#define MESSAGES 0 /* the first so many tasks go as messages */
#endif
#ifndef ROOM
#define ROOM 2 /* for so many messages to a worker */
#endif
#ifndef SHARE
#define SHARE 0 /* 1: what waits behind a running task is given to an idle worker */
#endif
#ifndef QUICK
#define QUICK 0 /* 1: the submitter may dispatch by himself */
#endif

/* word[] */
#define EMPTY   0
#define SENT    1
#define STARTED 2
#define DONE    3
#define REPLIED 4
#define TAKEN   5
#define PASSED  6

/* flight[]: a task's number, or */
#define FREE     255
#define RECALLED 254 /* taken back; free once the worker has passed it */

/* place[] */
#define NOWHERE 0
#define QUEUED  1
#define HELD    2

/* fut[] */
#define PENDING    0
#define RESULT     1
#define DIED       2
#define CANCELLED  3
#define TIMED_OUT  4
#define TERMINATED 5

#define NOTHING 255
#define BELL    254

/* Numbers of tasks need to be told apart only where messages carry them. */
#if MESSAGES
#define NUMBERS (4 * SLOTS)
#else
#define NUMBERS SLOTS
#endif
#define AT(w, number) ((w) * SLOTS + (number) % SLOTS)

/* The page of each worker. */
byte word[WORKERS * SLOTS];
bool sleeps[WORKERS];
bool listens[WORKERS];

/* Its socket and its life. */
#if MESSAGES
chan to_worker[WORKERS] = [ROOM] of { byte };
byte sent[WORKERS] = NOTHING; /* the number of a task whose message is to be sent next */
bool blocked[WORKERS]; /* a message did not go in: the host waits until there is room */
#else
bool knock[WORKERS];
#endif
bool ring[WORKERS];
chan results[WORKERS] = [1] of { byte };
bool hung_up[WORKERS]; /* the host has shut the socket: leave */
bool alive[WORKERS];
bool eof[WORKERS];
byte running[WORKERS] = NOTHING; /* the truth, for checks: the task that it runs */

/* The host. */
bool hat;
byte flight[WORKERS * SLOTS] = FREE;
byte next[WORKERS];
bool hired[WORKERS];    /* as far as the host knows */
bool stopping[WORKERS]; /* a signal was sent */
bool begun;             /* something was given to a worker */
bool wake;              /* the wake-up descriptor is readable */
byte due;               /* 1 + a worker whose task is past its deadline */
bool closed, terminated, over;

/* Each task. */
byte place[TASKS];
byte fut[TASKS];
byte starts[TASKS]; /* the truth */
byte deaths[TASKS]; /* the truth, and what the host counts: of workers that ran it */
bool late[TASKS];

byte deaths_left = DEATHS;
byte deadlines_left = DEADLINES;

/* For use within one step. */
hidden byte i, j, k, n;

/* ---- Futures and jobs ---------------------------------------------------------------------- */

/* However it comes about: a future is decided once. */
#define DECIDE(t, how) \
    assert(fut[t] == PENDING); \
    fut[t] = how

/* First come, first served. */
inline resolve(t, how)
{
    if
    :: fut[t] == PENDING -> DECIDE(t, how)
    :: else
    fi
}

/* The job leaves the lists: nothing more will happen to it. */
inline drop(t)
{
    assert(place[t] != NOWHERE);
    assert(fut[t] != PENDING);
    place[t] = NOWHERE
}

/* A job that has not started, or is to start again, goes back to the queue's front; unless its
 * future is done or nobody will look there. */
inline back(t)
{
    assert(place[t] == HELD);
    if
    :: terminated -> resolve(t, TERMINATED); drop(t)
    :: !terminated && fut[t] != PENDING -> drop(t)
    :: else -> place[t] = QUEUED
    fi
}

/* ---- Workers ------------------------------------------------------------------------------- */

inline started(t)
{
    assert(t < TASKS);
    assert(fut[t] == PENDING || fut[t] == TERMINATED);
    assert(starts[t] == deaths[t]);
    assert(starts[t] <= RETRIES && starts[t] < QUARANTINE);
    starts[t]++
}

/* Take the host's mark away, and send a bell if it was there. With deaths: it may die in between. */
#if DEATHS
#define TAKE_MARK listens[_pid] = false
#else
#define TAKE_MARK listens[_pid] = false; ring[_pid] = true
#endif
inline ring_host()
{
    if
    :: atomic { listens[_pid] -> TAKE_MARK }
#if DEATHS
       ring[_pid] = true
#endif
    :: !listens[_pid]
    fi
}

#define HEAD       word[AT(_pid, number)]
#define TASK_HERE  flight[AT(_pid, number)]
#define PASS_ON    number = (number + 1) % NUMBERS

#if MESSAGES
#define CAN_START  (HEAD == SENT && (TASK_HERE >= MESSAGES || body == number))
#define DROP_BODY  body = NOTHING
#define RECEIVE    atomic { to_worker[_pid] ? body -> sleeps[_pid] = false }
#else
#define CAN_START  (HEAD == SENT)
#define DROP_BODY  skip
#define RECEIVE    atomic { knock[_pid] -> knock[_pid] = false; sleeps[_pid] = false }
#endif
#define CAN_GO_ON  (CAN_START || HEAD == TAKEN)

/* In recv(): a message, or end of file. */
#define SLEEP \
    if \
    :: RECEIVE \
    :: hung_up[_pid] -> goto gone \
    fi

active [WORKERS] proctype Worker()
{
    byte number;
#if MESSAGES
    byte body = NOTHING;
#endif

birth:
    if
    :: hired[_pid] && !eof[_pid]
    :: over -> goto end
    fi;
    {
        do
        :: atomic { CAN_START -> /* compare-and-swap */
                    HEAD = STARTED;
                    running[_pid] = TASK_HERE;
                    started(running[_pid]);
                    DROP_BODY }
           if
           :: atomic { HEAD = DONE; running[_pid] = NOTHING; PASS_ON }
              ring_host()
#if RESULTS
           :: HEAD = REPLIED;
              atomic { results[_pid] ! number; running[_pid] = NOTHING; PASS_ON }
#endif
           fi
        :: atomic { HEAD == TAKEN -> HEAD = PASSED; PASS_ON }
#ifndef BUG_PASS_WITHOUT_BELL
           ring_host()
#endif
#ifdef BUG_WORKER_LOOKS_TOO_EARLY
        :: !CAN_GO_ON -> sleeps[_pid] = true; SLEEP
#else
        :: atomic { !CAN_GO_ON -> sleeps[_pid] = true }
           if
           :: atomic { CAN_GO_ON -> sleeps[_pid] = false }
           :: !CAN_GO_ON -> SLEEP
           fi
#endif
        od
    }
    unless { !alive[_pid] };
gone:
    atomic {
        alive[_pid] = false;
        number = 0;
        DROP_BODY;
        eof[_pid] = true
    }
    goto birth;
end:
    skip
}

/* ---- The host: who wears the hat ----------------------------------------------------------- */

/* After something that the worker might sleep through. */
#if MESSAGES
#define KNOCK(w) \
    if \
    :: nfull(to_worker[w]) -> to_worker[w] ! BELL \
    :: full(to_worker[w]) \
    fi
#else
#define KNOCK(w) knock[w] = true
#endif

#ifdef BUG_FREE_WHEN_TAKEN
#define AFTER_TAKEN FREE
#else
#define AFTER_TAKEN RECALLED
#endif

/* Take back all that a worker has not started: compare-and-swap each. */
inline recall(w)
{
    atomic {
        for (i : 0 .. SLOTS - 1) {
            if
            :: word[AT(w, i)] == SENT ->
               word[AT(w, i)] = TAKEN;
               j = flight[AT(w, i)];
               assert(starts[j] == deaths[j]);
               flight[AT(w, i)] = AFTER_TAKEN;
               back(j)
            :: else
            fi
        }
    }
}

/* Stop a worker for the task in slot s. What it has not started is taken back first; and since it
 * may have gone on to the next task before that, it is stopped only if it still runs this one. */
inline stop_for(w, s)
{
#ifndef BUG_STOP_FIRST
    recall(w);
#endif
    atomic {
        if
#ifndef BUG_STOP_UNSEEN
        :: word[AT(w, s)] != STARTED
        :: word[AT(w, s)] == STARTED -> stopping[w] = true
#else
        :: stopping[w] = true
#endif
        fi
    }
#ifdef BUG_STOP_FIRST
    recall(w)
#endif
}

/* Read messages and page. */
inline collect(w)
{
    atomic {
        do
        :: nempty(results[w]) ->
           results[w] ? i;
           assert(word[AT(w, i)] == REPLIED);
           j = flight[AT(w, i)];
           assert(starts[j] == deaths[j] + 1);
           resolve(j, RESULT);
           drop(j);
           flight[AT(w, i)] = FREE;
           word[AT(w, i)] = EMPTY
        :: empty(results[w]) -> break
        od;
        for (i : 0 .. SLOTS - 1) {
            if
            :: flight[AT(w, i)] < TASKS && word[AT(w, i)] == DONE ->
               j = flight[AT(w, i)];
               assert(starts[j] == deaths[j] + 1);
               resolve(j, RESULT);
               drop(j);
               flight[AT(w, i)] = FREE;
               word[AT(w, i)] = EMPTY
            :: else
            fi
        }
    }
}

/* A worker is gone: what becomes of its tasks. */
inline settle(w)
{
    for (i : 0 .. SLOTS - 1) {
        j = flight[AT(w, i)];
        if
        :: j >= TASKS
        :: j < TASKS && (word[AT(w, i)] == STARTED || word[AT(w, i)] == REPLIED) ->
           assert(deaths[j] == starts[j]);
           if
           :: late[j] -> resolve(j, TIMED_OUT); drop(j)
#ifdef BUG_REQUEUE_STARTED
           :: !late[j] -> back(j)
#elif defined(BUG_RETRY_CANCELLED)
           :: !late[j] && deaths[j] <= RETRIES && deaths[j] < QUARANTINE -> place[j] = QUEUED
#else
           :: !late[j] && deaths[j] <= RETRIES && deaths[j] < QUARANTINE -> back(j)
#endif
           :: else -> resolve(j, DIED); drop(j)
           fi
        :: else -> back(j)
        fi;
        flight[AT(w, i)] = FREE;
        word[AT(w, i)] = EMPTY
    }
    do
    :: nempty(results[w]) -> results[w] ? _
    :: empty(results[w]) -> break
    od;
#if MESSAGES
    do
    :: nempty(to_worker[w]) -> to_worker[w] ? _
    :: empty(to_worker[w]) -> break
    od;
    blocked[w] = false;
#else
    knock[w] = false;
#endif
    next[w] = 0;
    hired[w] = false;
    stopping[w] = false;
    hung_up[w] = false;
    ring[w] = false;
    sleeps[w] = false;
    listens[w] = false;
    eof[w] = false;
    j = 0
}

#if TASKS == 1
#define ALL(what, value) (what[0] != value)
#elif TASKS == 2
#define ALL(what, value) (what[0] != value && what[1] != value)
#elif TASKS == 3
#define ALL(what, value) (what[0] != value && what[1] != value && what[2] != value)
#else
#define ALL(what, value) \
    (what[0] != value && what[1] != value && what[2] != value && what[3] != value)
#endif
#define QUEUE_EMPTY ALL(place, QUEUED)
#define NO_JOBS     (QUEUE_EMPTY && ALL(place, HELD))
#define ALL_DONE    ALL(fut, PENDING)

#if WORKERS == 1
#define ANY_WORKER(is) is(0)
#else
#define ANY_WORKER(is) (is(0) || is(1))
#endif

#if SLOTS == 1
#define ANY_DONE(w) IS_DONE(AT(w, 0))
#else
#define ANY_DONE(w) (IS_DONE(AT(w, 0)) || IS_DONE(AT(w, 1)))
#endif
#define IS_DONE(a) (flight[a] < TASKS && word[a] == DONE)

/* What epoll would say of a worker's socket. */
#if MESSAGES
#define HAS_EVENT(w) \
    (ring[w] || nempty(results[w]) || eof[w] || (blocked[w] && nfull(to_worker[w])))
#define HAS_ROOM(w)  (!blocked[w])
#else
#define HAS_EVENT(w) (ring[w] || nempty(results[w]) || eof[w])
#define HAS_ROOM(w)  true
#endif

#define NEXT_SLOT(w) AT(w, next[w])
#define CAN_TAKE(w) \
    (hired[w] && !stopping[w] && !hung_up[w] && HAS_ROOM(w) && (begun || w == 0) && \
     (flight[NEXT_SLOT(w)] == FREE || \
      (flight[NEXT_SLOT(w)] == RECALLED && word[NEXT_SLOT(w)] == PASSED)))
#define IS_HIRED(w) hired[w]

#define IDLE(w) \
    (hired[w] && !stopping[w] && flight[AT(w, 0)] >= TASKS && flight[AT(w, 1)] >= TASKS)
#define LOADED(w) \
    (hired[w] && !stopping[w] && ((word[AT(w, 0)] == SENT && word[AT(w, 1)] == STARTED) || \
                                  (word[AT(w, 1)] == SENT && word[AT(w, 0)] == STARTED)))

/* Put the queue's first job into the worker's next slot. (Which of two fresh workers is the first
 * makes no difference: CAN_TAKE says worker 0.) */
inline give(w)
{
    atomic {
        !QUEUE_EMPTY && !terminated && CAN_TAKE(w) ->
        i = 0;
        do
        :: place[i] == QUEUED -> break
        :: else -> i++
        od;
        place[i] = HELD;
        flight[NEXT_SLOT(w)] = i;
        word[NEXT_SLOT(w)] = SENT;
        begun = true;
        k = next[w];
        next[w] = (next[w] + 1) % NUMBERS;
#if MESSAGES
        sent[w] = (i < MESSAGES -> k : NOTHING)
#endif
    }
#if MESSAGES
    if
    :: sent[w] != NOTHING ->
       atomic {
           if
           :: nfull(to_worker[w]) -> to_worker[w] ! sent[w]
           :: full(to_worker[w]) -> /* it cannot have started without the message */
              blocked[w] = true;
              word[AT(w, sent[w])] = TAKEN;
              j = flight[AT(w, sent[w])];
              flight[AT(w, sent[w])] = RECALLED;
              back(j)
           fi;
           sent[w] = NOTHING
       }
    :: sent[w] == NOTHING ->
#endif
    if
    :: atomic { sleeps[w] -> sleeps[w] = false; KNOCK(w) }
    :: !sleeps[w]
    fi
#if MESSAGES
    fi
#endif
}

/* Hand out what is queued as far as workers can take it. */
inline dispatch()
{
    do
    :: give(0)
#if WORKERS > 1
    :: give(1)
#endif
#if SHARE
    /* Let an idle worker have what another has not started. */
    :: atomic { QUEUE_EMPTY && !terminated && IDLE(0) && LOADED(1) -> recall(1) }
    :: atomic { QUEUE_EMPTY && !terminated && IDLE(1) && LOADED(0) -> recall(0) }
#endif
    :: QUEUE_EMPTY || terminated || !ANY_WORKER(CAN_TAKE) -> break
    od
}

/* Read all that there is. A worker's end comes after all that it had sent. */
inline look_at(w)
{
    if
#ifdef BUG_SETTLE_TOO_EARLY
    :: eof[w] -> settle(w)
#else
    :: eof[w] -> collect(w); settle(w)
#endif
    :: !eof[w] -> collect(w)
    fi;
#if MESSAGES
    blocked[w] = blocked[w] && full(to_worker[w])
#endif
}

/* Somebody has terminated the pool: what is queued goes, and all workers are stopped. */
inline stop_everything()
{
    if
    :: terminated ->
       for (i : 0 .. TASKS - 1) {
           if
           :: place[i] == QUEUED -> resolve(i, TERMINATED); drop(i)
           :: else
           fi
       }
       for (i : 0 .. WORKERS - 1) {
           if
           :: hired[i] -> stopping[i] = true
           :: else
           fi
       }
    :: else
    fi
}

/* Start workers when there is work. */
inline hire()
{
    for (i : 0 .. WORKERS - 1) {
        if
        :: !hired[i] && !QUEUE_EMPTY && !terminated -> hired[i] = true; alive[i] = true
        :: else
        fi
    }
}

/* A deadline has passed in worker due - 1.  late_slot: 1 + the slot with the task, or 0. */
inline be_late()
{
    if
    :: due != 0 ->
       k = due - 1;
       due = 0;
       for (i : 0 .. SLOTS - 1) {
           if
           :: hired[k] && flight[AT(k, i)] < TASKS && word[AT(k, i)] == STARTED ->
              late[flight[AT(k, i)]] = true;
              late_slot = AT(k, i) + 1
           :: else
           fi
       }
    :: else
    fi
}

#if WORKERS == 1
#define LISTEN ring[0] = false; listens[0] = true
#else
#define LISTEN ring[0] = false; ring[1] = false; listens[0] = true; listens[1] = true
#endif

/* Read what all workers have to say, and do what follows from it. */
inline serve()
{
    look_at(0);
#if WORKERS > 1
    look_at(1);
#endif
#if TERMINATE
    stop_everything();
#endif
#if DEADLINES
    be_late();
#endif
    hire()
}

active proctype Supervisor()
{
#if DEADLINES
    byte late_slot;
#endif

    do
    :: atomic { !hat && (wake || due != 0 || ANY_WORKER(HAS_EVENT)) -> /* epoll_wait() */
                hat = true;
                wake = false;
                serve() }
       do
       :: atomic { LISTEN }
#ifdef BUG_HOST_LOOKS_TOO_EARLY
          break
#else
          if
          :: atomic { ANY_WORKER(ANY_DONE) -> serve() }
          :: !ANY_WORKER(ANY_DONE) -> break
          fi
#endif
       od;
#if DEADLINES
       if
       :: late_slot != 0 ->
          stop_for((late_slot - 1) / SLOTS, (late_slot - 1) % SLOTS);
          late_slot = 0
       :: late_slot == 0
       fi;
#endif
       dispatch();
       if
       :: (closed || terminated) && NO_JOBS -> break
       :: atomic { else -> hat = false }
       fi
    od;
    /* Nothing is left to do: let the workers go and wait for their ends. */
    atomic {
        for (i : 0 .. WORKERS - 1) {
            hung_up[i] = hired[i]
        }
    }
    do
    :: atomic { eof[0] -> settle(0) }
#if WORKERS > 1
    :: atomic { eof[1] -> settle(1) }
#endif
    :: !ANY_WORKER(IS_HIRED) -> break
    od;
    assert(NO_JOBS);
    hat = false;
    over = true
}

/* ---- Callers ------------------------------------------------------------------------------- */

/* Submits all tasks in one go or two, closes the pool, and waits for the futures. */
active proctype Submitter()
{
    byte t;

    do
    :: !closed ->
       if
       :: atomic { t < TASKS -> /* the pool's lock */
                   n = (t == 0 -> 0 : TASKS - 1);
                   do
                   :: t < TASKS ->
                      if
                      :: terminated -> DECIDE(t, TERMINATED) /* refused */
                      :: else -> place[t] = QUEUED
                      fi;
                      t++
                   :: t > n -> break
                   od }
       :: t == TASKS -> closed = true
       fi;
       if
       :: wake = true
#if QUICK
       :: !closed -> /* then nobody else need be told, unless a worker must be started first */
          atomic { !hat -> hat = true }
          dispatch();
          atomic { wake = wake || !ANY_WORKER(IS_HIRED); hat = false }
#endif
       fi
    :: closed -> break
    od;
    t = 0;
    ALL_DONE
}

#define TAKE_BACK \
    assert(starts[t] == deaths[t]); \
    word[at] = TAKEN; \
    flight[at] = AFTER_TAKEN; \
    resolve(t, CANCELLED); \
    drop(t)

/* process_cancel(): task t was held a moment ago. */
inline cancel_held(t)
{
    atomic {
        !hat ->
        at = NOTHING;
        if
        :: place[t] == HELD ->
           i = 0;
           do
           :: flight[i] == t -> break
           :: else -> i++
           od;
           at = i
#ifndef BUG_CANCEL_LOOKS_ONCE
        :: place[t] == QUEUED -> resolve(t, CANCELLED); drop(t) /* it came back */
#endif
        :: else
        fi;
        if
        :: at == NOTHING -> assert(fut[t] != PENDING) /* -EALREADY */
#ifdef BUG_TAKE_WITHOUT_SWAP
        :: at != NOTHING && word[at] == SENT -> hat = true
#else
        :: at != NOTHING && word[at] == SENT -> TAKE_BACK; at = NOTHING
#endif
        :: at != NOTHING && word[at] == STARTED && !stopping[at / SLOTS] ->
           resolve(t, CANCELLED); /* and its worker is to be stopped */
           hat = true
        :: at != NOTHING && word[at] != SENT -> at = NOTHING /* or not: -EBUSY */
        fi
    }
    if
    :: at == NOTHING
    :: at != NOTHING ->
#ifdef BUG_TAKE_WITHOUT_SWAP
       if
       :: fut[t] == PENDING -> TAKE_BACK
       :: else -> stop_for(at / SLOTS, at % SLOTS)
       fi;
#else
       stop_for(at / SLOTS, at % SLOTS);
#endif
       hat = false
    fi;
    at = 0
}

active proctype Meddler()
{
    byte t, at, cancels;

#if TERMINATE
    if
    :: true
    :: terminated = true;
       do
       :: t < TASKS ->
#ifdef BUG_RESOLVE_WITHOUT_LOCK
          if
          :: place[t] != NOWHERE && fut[t] == PENDING -> atomic { DECIDE(t, TERMINATED) }
          :: else
          fi;
#else
          atomic {
              if
              :: place[t] != NOWHERE -> resolve(t, TERMINATED)
              :: else
              fi
          }
#endif
          t++
       :: else -> break
       od;
       atomic { t = 0; wake = true }
    fi;
#endif
#if CANCELS
    do
    :: atomic { cancels < CANCELS && !NO_JOBS ->
                cancels++;
                if /* any task that is on its way */
                :: place[0] != NOWHERE -> t = 0
#if TASKS > 1
                :: place[1] != NOWHERE -> t = 1
#endif
#if TASKS > 2
                :: place[2] != NOWHERE -> t = 2
#endif
#if TASKS > 3
                :: place[3] != NOWHERE -> t = 3
#endif
                fi;
                if /* the pool's lock */
                :: place[t] == QUEUED -> resolve(t, CANCELLED); drop(t); t = NOTHING
                :: else
                fi }
       if
       :: t == NOTHING
       :: t != NOTHING -> cancel_held(t)
       fi;
       atomic { t = 0; wake = true }
    :: cancels = CANCELS; break
    od
#endif
}

/* ---- Fate ---------------------------------------------------------------------------------- */

inline die(w)
{
    alive[w] = false;
    if
    :: running[w] != NOTHING -> deaths[running[w]]++; running[w] = NOTHING
    :: else
    fi
}

/* A signal of the host's takes effect some time, and must hit only the task that it is meant for. */
#define STOPPED(w) \
    atomic { stopping[w] && alive[w] -> \
             assert(running[w] == NOTHING || terminated || late[running[w]] || \
                    fut[running[w]] == CANCELLED); \
             die(w) }

/* A signal of somebody else's comes at any step. */
#define KILLED(w) atomic { deaths_left > 0 && alive[w] -> deaths_left--; die(w) }

#define DUE(w) \
    atomic { deadlines_left > 0 && due == 0 && running[w] != NOTHING -> \
             deadlines_left--; \
             due = w + 1 }

active proctype Fate()
{
    do
    :: STOPPED(0)
#if WORKERS > 1
    :: STOPPED(1)
#endif
#if DEATHS
    :: KILLED(0)
#if WORKERS > 1
    :: KILLED(1)
#endif
#endif
#if DEADLINES
    :: DUE(0)
#if WORKERS > 1
    :: DUE(1)
#endif
#endif
#if DEATHS || DEADLINES
    /* Or nothing more happens: no wake-up may depend on it. */
    :: atomic { deaths_left > 0 || deadlines_left > 0 -> deaths_left = 0; deadlines_left = 0 }
#endif
    :: over -> break
    od
}
