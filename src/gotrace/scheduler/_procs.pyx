"""The use of procs and threads, stopped worlds and mark phases: rows of ORDERED come in, PAUSE and CYCLE go out.

Never here: goroutines.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._generated cimport (
    CYCLE, EVENT_RANGE_BEGIN, EVENT_RANGE_END, EV_HEAP_ALLOC, EV_HEAP_GOAL, EV_PROC_START, EV_PROC_STEAL, OPEN_PAUSE,
    ORDERED, PAUSE, PROC_STATE_IDLE, PROC_STATE_RUNNING, PROC_STATE_UNDETERMINED, PROC_USE, ROLE_MARK_TERMINATION,
    ROLE_SWEEP_TERMINATION, STOP_NONE, STOP_SYSCALL, STOP_UNKNOWN, THREAD_USE,
)
from gotrace._hashmap cimport HashMap, place


@cython.final
cdef class Procs:
    """Procs, threads, open pauses and the current cycle."""

    def __init__(self):
        self.cycle.number = -1
        self.live_heap = self.goal = -1
        self.forget(0)

    def bind(self, PROC_USE[::1] procs, THREAD_USE[::1] threads):
        """Use these tables, which contain the rows so far; row 0 has the id -1."""
        self.procs = procs
        self.threads = threads

    def bind_pauses(self, OPEN_PAUSE[::1] pauses):
        """Use this table of open pauses."""
        self.open_pauses = pauses

    def bind_maps(self, HashMap procs, HashMap threads):
        """Use these maps of ids to rows."""
        self.proc_map = procs
        self.thread_map = threads

    def fill(self, PAUSE[::1] pauses, CYCLE[::1] cycles):
        """Write the next rows to these."""
        self.pauses = pauses
        self.cycles = cycles
        self.empty()

    def empty(self):
        """Write the next rows to the start of the output."""
        self.first_pause = self.first_pause + self.n_pauses
        self.n_pauses = self.n_cycles = 0

    def rows_used(self) -> tuple[int, int, int]:
        """Return the number of rows that were used, row 0 included: procs, threads, open pauses."""
        return self.n_procs, self.n_threads, self.n_open_pauses

    def filled(self) -> tuple[int, int]:
        """Return the number of pauses and cycles written to the arrays of ``fill``."""
        return self.n_pauses, self.n_cycles

    def end(self, int64_t time):
        """Count all times up to the end of the trace, or up to a gap, and put out the current cycle."""
        cdef int32_t i
        for i in range(1, self.n_procs):
            self.count(&self.procs[i], time)
        self.count_marks(time)
        self.put_cycle()

    def forget(self, int64_t time):
        """Forget what procs do, after a gap; their times so far are kept."""
        cdef int32_t i
        for i in range(1, self.n_procs):
            self.procs[i].state = PROC_STATE_UNDETERMINED
            self.procs[i].in_syscall = self.procs[i].m_row = 0
            self.procs[i].marks = self.procs[i].sweeps = 0
            self.procs[i].last_g = self.procs[i].sweeper = -1
        for i in range(1, self.n_threads):
            if self.threads[i].since >= 0:
                self.threads[i].known += span(self.threads[i].since, time)
                self.threads[i].since = -1
        self.n_procs = max(self.n_procs, 1)
        self.n_threads = max(self.n_threads, 1)
        self.n_open_pauses = 1
        self.free_pause = self.followed = 0
        self.n_running = self.n_assisting = 0
        for i in range(3):
            self.n_workers[i] = 0

    cdef void restart(self, int64_t time) noexcept nogil:
        """Count times from ``time`` on; what ended before is no longer referred to."""
        cdef PROC_USE *proc
        cdef THREAD_USE *thread
        cdef int32_t i
        for i in range(1, self.n_procs):
            proc = &self.procs[i]
            self.count(proc, time)
            proc.running = proc.idle = proc.syscall = proc.gc = 0
            proc.starts = proc.steals = 0
        for i in range(1, self.n_threads):
            thread = &self.threads[i]
            thread.known = thread.running = thread.syscall = thread.gc = 0
            thread.starts = thread.steals = 0
            if thread.since >= 0:
                thread.since = time
        self.sync = time
        self.first_pause = 0
        self.cycle.sweep_pause = self.cycle.mark_pause = -1

    cdef int64_t room(self) noexcept nogil:
        """Return the number of events for which there is room."""
        return min(
            min(self.procs.shape[0] - self.n_procs, self.threads.shape[0] - self.n_threads),
            min(
                self.open_pauses.shape[0] - self.n_open_pauses,
                min(self.proc_map.room // 2 - self.n_procs, self.thread_map.room // 2 - self.n_threads),
            ),
        )

    cdef int64_t output(self) noexcept nogil:
        """Return the number of events for which there is room in the output."""
        return min(self.pauses.shape[0] - self.n_pauses, self.cycles.shape[0] - self.n_cycles)

    # --- procs and threads -------------------------------------------------------------------------------------

    cdef int32_t proc(self, int64_t id) noexcept nogil:
        """Return the row of a proc, which is added if it is new; 0 for none."""
        cdef int32_t at
        cdef int64_t home
        if id == -1:
            return 0
        home = place(&self.proc_map.map, <uint64_t> id)
        at = self.proc_map.map.vals[home]
        if at == 0:
            at = self.n_procs
            self.n_procs = at + 1
            self.proc_map.map.keys[home] = <uint64_t> id
            self.proc_map.map.vals[home] = at
            self.procs[at].id = id
            self.procs[at].last_g = self.procs[at].sweeper = -1
        self.near_procs[id & (NEAR - 1)] = at
        return at

    cdef int32_t thread(self, int64_t id, int64_t time) noexcept nogil:
        """Return the row of a thread, which is there at this time; 0 for none."""
        cdef int32_t at
        cdef int64_t home
        if id == -1:
            return 0
        home = place(&self.thread_map.map, <uint64_t> id)
        at = self.thread_map.map.vals[home]
        if at == 0:
            at = self.n_threads
            self.n_threads = at + 1
            self.thread_map.map.keys[home] = <uint64_t> id
            self.thread_map.map.vals[home] = at
            self.threads[at].id = id
            self.threads[at].since = -1
        if self.threads[at].since < 0:
            self.threads[at].since = time
        self.near_threads[id & (NEAR - 1)] = at
        return at

    cdef void count(self, PROC_USE *proc, int64_t time) noexcept nogil:
        """Count a proc's time, and that of its thread, up to ``time``."""
        cdef uint64_t passed = span(proc.since, time)
        cdef THREAD_USE *thread = &self.threads[proc.m_row]
        proc.since = time
        if proc.state == PROC_STATE_IDLE:
            proc.idle += passed
        elif proc.state == PROC_STATE_RUNNING and proc.in_syscall:
            proc.syscall += passed
        elif proc.state == PROC_STATE_RUNNING:
            proc.running += passed
            thread.running += passed
            if proc.marks or proc.sweeps:
                proc.gc += passed
                thread.gc += passed

    cdef void turn(self, const ORDERED *row) noexcept nogil:
        """Apply a transition of a proc."""
        cdef PROC_USE *proc = &self.procs[proc_of(self, row.args[0])]
        cdef int32_t m_row = thread_of(self, row.m, row.time)
        cdef OPEN_PAUSE *pause = &self.open_pauses[self.followed]
        if row.old == row.new:
            return
        if proc.state != PROC_STATE_UNDETERMINED:
            self.count(proc, row.time)
        else:
            proc.since = self.sync if row.old == PROC_STATE_UNDETERMINED else row.time
            if self.followed and row.new == PROC_STATE_RUNNING and proc.since < pause.start and proc.id != pause.p:
                self.n_before = self.n_before + 1
        if row.new == PROC_STATE_IDLE and proc.state == PROC_STATE_RUNNING:
            if row.type == EV_PROC_STEAL and row.part == 0:
                proc.steals += 1
                self.threads[m_row].steals += 1
            self.n_running = self.n_running - 1
            self.stop(proc, row)
            proc.in_syscall = proc.m_row = 0
            proc.marks = 0
        elif row.new == PROC_STATE_RUNNING:
            proc.m_row = m_row
            proc.started = proc.since
            self.n_running = self.n_running + 1
            if row.type == EV_PROC_START:
                proc.starts += 1
                self.threads[m_row].starts += 1
                if self.followed and pause.restarted < 0:
                    pause.restarted = row.time
        proc.state = row.new

    # --- stopped worlds ----------------------------------------------------------------------------------------

    cdef int32_t start_pause(self, const ORDERED *row, int32_t reason) noexcept nogil:
        """Return the row of a new pause. If another one is open, it is not known how this one stops the world."""
        cdef int32_t at = self.free_pause
        cdef OPEN_PAUSE *pause
        if at:
            self.free_pause = self.open_pauses[at].cycle
        else:
            at = self.n_open_pauses
            self.n_open_pauses = at + 1
        pause = &self.open_pauses[at]
        pause.start = pause.stopped = row.time
        pause.restarted = pause.culprit_g = pause.culprit_m = pause.culprit_p = -1
        pause.g = row.g
        pause.m = row.m
        pause.p = row.p
        pause.reason = reason
        pause.stack = row.stack
        pause.culprit_stack = 0
        pause.stop_kind = STOP_NONE
        pause.cycle = self.cycle.number
        if self.followed:
            pause.stopped = -1
            pause.stop_kind = STOP_UNKNOWN
        else:
            self.followed = at
            self.resumed = False
            self.n_before = <int32_t> self.n_running - (self.procs[proc_of(self, row.p)].state == PROC_STATE_RUNNING)
        return at

    cdef void resume(self, const PROC_USE *proc) noexcept nogil:
        """Note that a goroutine starts: what stops from now on, before the end of the pause, did not delay it."""
        if self.n_before == 0 and proc.id != self.open_pauses[self.followed].p:
            self.resumed = True

    cdef void stop(self, const PROC_USE *proc, const ORDERED *row) noexcept nogil:
        """Note that a proc stopped, if the world is being stopped."""
        cdef OPEN_PAUSE *pause = &self.open_pauses[self.followed]
        if self.followed == 0 or proc.id == pause.p or self.resumed:
            return
        self.n_before = self.n_before - (proc.started < pause.start)
        pause.stopped = row.time
        pause.restarted = -1
        pause.culprit_p = <int32_t> proc.id
        pause.culprit_m = self.threads[proc.m_row].id
        pause.culprit_g = proc.last_g
        pause.culprit_stack = proc.last_stack
        if row.type == EV_PROC_STEAL or proc.in_syscall:
            pause.stop_kind = STOP_SYSCALL
        else:
            pause.stop_kind = proc.last_kind if proc.last_g >= 0 else STOP_UNKNOWN

    cdef void end_pause(self, int32_t at, int64_t end, int role) noexcept nogil:
        """Put out a pause; ``end`` is -1 if it is open."""
        cdef OPEN_PAUSE *pause = &self.open_pauses[at]
        cdef PAUSE *out
        if at == self.followed:
            self.followed = 0
            if self.n_before > 0:
                pause.stopped = pause.restarted = pause.culprit_g = pause.culprit_m = pause.culprit_p = -1
                pause.culprit_stack = 0
                pause.stop_kind = STOP_UNKNOWN
        if pause.restarted < 0 and pause.stopped >= 0:
            pause.restarted = end
        if self.in_cycle and pause.cycle == self.cycle.number:
            if role == ROLE_SWEEP_TERMINATION and self.cycle.sweep_pause < 0:
                self.cycle.sweep_pause = self.first_pause + self.n_pauses
            elif role == ROLE_MARK_TERMINATION:
                self.cycle.mark_pause = self.first_pause + self.n_pauses
        out = &self.pauses[self.n_pauses]
        self.n_pauses = self.n_pauses + 1
        out.start = pause.start
        out.stopped = pause.stopped
        out.restarted = pause.restarted
        out.end = end
        out.g = pause.g
        out.m = pause.m
        out.culprit_g = pause.culprit_g
        out.culprit_m = pause.culprit_m
        out.reason = pause.reason
        out.stack = pause.stack
        out.culprit_stack = pause.culprit_stack
        out.p = pause.p
        out.culprit_p = pause.culprit_p
        out.stop_kind = pause.stop_kind
        pause.cycle = self.free_pause
        self.free_pause = at

    # --- mark phases -------------------------------------------------------------------------------------------

    cdef void measure(self, const ORDERED *row) noexcept nogil:
        """Note a sample of a metric."""
        if row.type == EV_HEAP_ALLOC:
            self.live_heap = row.args[0]
        elif row.type == EV_HEAP_GOAL:
            self.goal = row.args[0]

    cdef void count_marks(self, int64_t time) noexcept nogil:
        """Count the time of assists and mark workers up to ``time``, before their number changes."""
        cdef uint64_t passed = span(self.counted, time)
        self.counted = time
        if self.in_cycle:
            add(&self.cycle.assist, passed * <uint64_t> self.n_assisting)
            add(&self.cycle.dedicated, passed * <uint64_t> self.n_workers[0])
            add(&self.cycle.fractional, passed * <uint64_t> self.n_workers[1])
            add(&self.cycle.idle, passed * <uint64_t> self.n_workers[2])

    cdef void mark(self, const ORDERED *row) noexcept nogil:
        """Apply the start or the end of a mark phase; one that is only seen to be active has no start."""
        self.count_marks(row.time)
        if row.kind == EVENT_RANGE_END:
            self.cycle.end = row.time
            self.cycle.live_end = self.live_heap
        elif row.kind == EVENT_RANGE_BEGIN or not self.in_cycle:
            self.put_cycle()
            self.in_cycle = True
            self.cycle.number = self.cycle.number + 1
            self.cycle.start = row.time if row.kind == EVENT_RANGE_BEGIN else -1
            self.cycle.end = self.cycle.live_end = self.cycle.sweep_pause = self.cycle.mark_pause = -1
            self.cycle.live_start = self.live_heap
            self.cycle.goal = self.goal
            self.cycle.assist = self.cycle.assists = self.cycle.swept = self.cycle.reclaimed = 0
            self.cycle.dedicated = self.cycle.fractional = self.cycle.idle = 0

    cdef void put_cycle(self) noexcept nogil:
        """Put out the current cycle, if there is one."""
        if self.in_cycle:
            self.cycles[self.n_cycles] = self.cycle
            self.n_cycles = self.n_cycles + 1
            self.in_cycle = False
