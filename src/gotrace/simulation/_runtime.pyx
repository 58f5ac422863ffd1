# cython: nonecheck=False
"""A simulated Go runtime that emits events as Go's tracer does: parameters come in, event batches go out.

Sections: the clock and threads' buffers; pages; spans; objects; sweeping; the allocator; stacks; statuses; procs;
goroutines; system calls; the collector; sessions and generations. The tables belong to the caller, which grows them on
request. Never here: headers of traces, tables of strings, stacks and types, messages, files.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from gotrace._generated cimport (
    ACTION_ASSIST, ACTION_BLOCK, ACTION_CREATE, ACTION_DESTROY, ACTION_GROW_STACK, ACTION_LIVE_HEAP,
    ACTION_LONG_SYSCALL, ACTION_STOP, ACTION_SWITCH, ACTION_SYSCALL, ACTION_UNBLOCK, EV_GC_ACTIVE, EV_GC_BEGIN,
    EV_GC_END, EV_GC_MARK_ASSIST_BEGIN, EV_GC_MARK_ASSIST_END, EV_GC_SWEEP_BEGIN, EV_GC_SWEEP_END, EV_GOROUTINE_STACK,
    EV_GOROUTINE_STACK_ALLOC, EV_GOROUTINE_STACK_FREE, EV_GO_BLOCK, EV_GO_CREATE, EV_GO_DESTROY, EV_GO_LABEL,
    EV_GO_START, EV_GO_STATUS, EV_GO_STATUS_STACK, EV_GO_STOP, EV_GO_SWITCH, EV_GO_SYSCALL_BEGIN, EV_GO_SYSCALL_END,
    EV_GO_SYSCALL_END_BLOCKED, EV_GO_UNBLOCK, EV_HEAP_ALLOC, EV_HEAP_GOAL, EV_HEAP_OBJECT, EV_HEAP_OBJECT_ALLOC,
    EV_HEAP_OBJECT_FREE, EV_PROCS_CHANGE, EV_PROC_START, EV_PROC_STATUS, EV_PROC_STEAL, EV_PROC_STOP, EV_SPAN,
    EV_SPAN_ALLOC, EV_SPAN_FREE, EV_STW_BEGIN, EV_STW_END, FULL, GO_FREE, GO_RUNNABLE, GO_RUNNING, GO_SYSCALL,
    GO_WAITING, GROW_CELLS, GROW_PAGES, GROW_SPANS, GROW_STATE, HEADER_FROM, MANUAL, OK, PAGE_BYTES, PARAM_BUSY,
    PARAM_CLUSTERED, PARAM_FIRST_PAGE, PARAM_GENERATION_EVENTS, PARAM_GENERATION_UNITS, PARAM_GOGC, PARAM_GOROUTINES,
    PARAM_HEAP_BASE, PARAM_LEAST_HEAP, PARAM_LIVE_BYTES, PARAM_LONG_RUN, PARAM_LONG_SHARE, PARAM_MARK_EVENTS,
    PARAM_N_STACKS, PARAM_OLD_SURVIVE, PARAM_PACE, PARAM_PROCS, PARAM_QUIRKS, PARAM_RELEASE, PARAM_SEED,
    PARAM_SHORT_RUN, PROC_IDLE, PROC_RUNNING, PROC_SYSCALL, PROC_SYSCALL_ABANDONED, READ_CYCLES, READ_EVENTS, READ_GEN,
    READ_LATE, READ_LIVE_BYTES, READ_LIVE_OBJECTS, READ_NOW, READ_N_CELLS, READ_N_GOROUTINES, READ_N_PAGES,
    READ_N_SPANS, READ_N_TYPE_IDS, READ_OUT, READ_STARTED, READ_TRACED_EVENTS, REASON_CHAN_RECEIVE, REASON_DEDICATED,
    REASON_GOSCHED, REASON_MARK_TERMINATION, REASON_PREEMPTED, REASON_SLEEP, REASON_START_TRACE,
    REASON_SWEEP_TERMINATION, REASON_WORKER_IDLE, SIM_ANOMALY_DROPPED, SIM_ANOMALY_IMPLICIT_FREE,
    SIM_ANOMALY_NEXT_GENERATION, SIM_ANOMALY_OUTSIDE_PROC, SIM_ANOMALY_SNAPSHOT_INTERLEAVED, SIM_ANOMALY_TIMES_AHEAD,
    SIM_ANOMALY_UNDER_WAY, SIM_ANOMALY_WRONG_STATUS, SIM_G, SIM_M, SIM_P, SIM_SPAN, TALLY_ALLOCS, TALLY_FREES,
    TALLY_START,
)
from gotrace._varint cimport lowest, put_uvarint, unlikely

cdef uint64_t ENDLESS = 0x7fffffffffffffff

cdef enum:
    BUFFER = 65536          # bytes of a thread's buffer, without a header
    RECORD = 61             # maximum bytes of an event
    FILLED = 65504 - 41     # bytes of events in the runtime's buffer after a header of maximum length
    LATE = 0                # row of no thread: writes statuses at a generation's end
    SYSMON = 1              # row of the thread that never has a proc
    CLASSES = 136           # span classes
    TINY_CLASS = 5          # slots of 16 bytes without pointers
    BINS = 64               # runs of fewer free pages have a list for each length
    STACK_PAGES = 4         # pages of a span of several stacks
    LEAST_ORDER = 12        # stacks of 2 KiB
    LARGE_ORDER = 16        # the first order whose stacks have spans of their own
    MOST_ORDER = 20
    # Kinds of sites; 0 is small.
    TINY = 2
    LARGE = 1
    SWEEP_TRIES = 100       # maximum number of spans that one allocation sweeps
    SWEEP_BATCH = 10        # spans that the background sweeper takes at a time
    # Room that one step may need, besides the threads' buffers.
    ROOM_OUT = 1 << 20
    ROOM_SPANS = 64
    ROOM_PAGES = 1 << 13
    ROOM_CELLS = 1 << 12
    ROOM_GOROUTINES = 8
    BITS = 12               # binary digits of the share of objects that survive


cdef struct Site:
    int32_t type, spanclass, pages, length, kind


cdef struct Queue:
    int32_t head, tail, n


@cython.final
cdef class Runtime:
    """A Go process, from its start on. Row types of its tables are in ``simulation/rows.py``."""

    cdef SIM_M[::1] _ms
    cdef SIM_P[::1] _ps
    cdef SIM_G[::1] _gs
    cdef SIM_SPAN[::1] _spans
    cdef int32_t[:, ::1] _pages
    cdef uint8_t[::1] _borders
    cdef uint64_t[::1] _births
    cdef int32_t[::1] _types
    cdef uint8_t[::1] _buffers
    cdef uint8_t[::1] _out
    cdef int32_t[:, ::1] _caches
    cdef int32_t[:, ::1] _sites
    cdef int32_t[:, ::1] _ids
    cdef int32_t[:, ::1] _id_order
    cdef int64_t[:, ::1] _counts
    cdef int64_t[:, ::1] _late
    cdef int64_t[::1] readings
    cdef int64_t[::1] knobs
    cdef const int32_t[::1] elems, class_pages, act_ends

    cdef SIM_M *ms
    cdef SIM_P *ps
    cdef SIM_G *gs
    cdef SIM_SPAN *spans
    cdef uint8_t *borders
    cdef uint64_t *births
    cdef int32_t *types
    cdef uint8_t *buffers
    cdef uint8_t *out
    cdef int32_t *page_sizes
    cdef int32_t *page_nexts
    cdef int32_t *page_lasts
    cdef Site *sites
    cdef int64_t *counts

    # The clock, events.
    cdef uint64_t seed, now, pace, horizon
    cdef int64_t n_late, first_event
    cdef int64_t n_events, gen, out_at, generation_began, generation_start, started, units, per_generation
    cdef bint tracing, allocfree, hurried
    cdef uint64_t least
    cdef int quirks, release, n_stacks
    # Memory.
    cdef uint64_t base
    cdef int64_t n_spans, n_pages, n_cells, live_bytes, live_objects
    cdef int32_t free_span
    cdef int32_t[65] bins
    cdef int64_t[12] free_cells
    cdef int32_t[136] partial, full, unswept
    cdef int32_t[20] stack_spans
    cdef int n_unswept, sweep_class
    cdef int32_t last_span
    cdef int last_slot
    # The collector.
    cdef int cycle, phase
    cdef bint wanted
    cdef int64_t gc_seq, budget, allocated, marked, goal, mark_until, old_bytes, target, least_heap, gogc, mark_events
    cdef int old_survive, new_share, old_share, clustered, lost_share
    # The scheduler.
    cdef int procs, n_busy, n_idle, busy_target
    cdef int32_t[256] busy, idle
    cdef Queue runnable, waiting, dead, parked, calls
    cdef int64_t next_g, n_gs, alive, goroutines
    cdef int32_t worker, sweeper
    cdef int short_run, long_run, long_share
    cdef int snapshot_at, status_at, starter
    cdef int act_total

    def __init__(self, const int64_t[::1] knobs, const int32_t[::1] elems, const int32_t[::1] class_pages,
                 const int32_t[::1] act_ends):
        """Start with an empty heap and idle procs.

        ``knobs`` are indexed by Param; ``act_ends`` are cumulative shares of actions in units of 2**-20.
        """
        cdef int i
        self.elems, self.class_pages, self.act_ends = elems, class_pages, act_ends
        self.act_total = act_ends[act_ends.shape[0] - 1]
        self.seed = <uint64_t> knobs[PARAM_SEED] * 2 + 1
        self.pace = knobs[PARAM_PACE]
        self.procs = <int> knobs[PARAM_PROCS]
        self.goroutines = knobs[PARAM_GOROUTINES]
        self.target = knobs[PARAM_LIVE_BYTES]
        self.least_heap = knobs[PARAM_LEAST_HEAP]
        self.gogc = knobs[PARAM_GOGC]
        self.busy_target = <int> knobs[PARAM_BUSY]
        self.short_run = <int> knobs[PARAM_SHORT_RUN]
        self.long_run = <int> knobs[PARAM_LONG_RUN]
        self.long_share = <int> knobs[PARAM_LONG_SHARE]
        self.mark_events = knobs[PARAM_MARK_EVENTS]
        self.old_survive = <int> knobs[PARAM_OLD_SURVIVE] >> (16 - BITS)
        self.clustered = <int> knobs[PARAM_CLUSTERED]
        self.release = <int> knobs[PARAM_RELEASE]
        self.quirks = <int> knobs[PARAM_QUIRKS]
        self.n_stacks = <int> knobs[PARAM_N_STACKS]
        self.base = knobs[PARAM_HEAP_BASE]
        self.n_pages = knobs[PARAM_FIRST_PAGE]
        self.units = knobs[PARAM_GENERATION_UNITS]
        self.per_generation = knobs[PARAM_GENERATION_EVENTS]
        self.horizon = ENDLESS
        self.now = 1 << 20
        self.goal = self.budget = self.least_heap
        self.free_span = -1
        self.last_span = -1
        self.worker = self.sweeper = -1
        self.next_g = 1
        self.starter = -1
        self.gc_seq = 1
        for i in range(BINS + 1):
            self.bins[i] = -1
        for i in range(12):
            self.free_cells[i] = -1
        for i in range(CLASSES):
            self.partial[i] = self.full[i] = self.unswept[i] = -1
        for i in range(20):
            self.stack_spans[i] = -1
        self.runnable = self.waiting = self.dead = self.parked = self.calls = Queue(-1, -1, 0)

    def attach_scheduler(self, SIM_M[::1] ms, SIM_P[::1] ps, SIM_G[::1] gs, uint8_t[::1] buffers, uint8_t[::1] out,
                         int32_t[:, ::1] caches, int64_t[::1] readings):
        """Use these tables of the scheduler, which start with the contents of the previous ones."""
        self._ms, self._ps, self._gs, self._buffers, self._out, self._caches = ms, ps, gs, buffers, out, caches
        self.readings = readings
        self.ms, self.ps, self.gs, self.buffers, self.out = &ms[0], &ps[0], &gs[0], &buffers[0], &out[0]

    def attach_heap(self, SIM_SPAN[::1] spans, int32_t[:, ::1] pages, uint8_t[::1] borders, uint64_t[::1] births,
                    int32_t[::1] types, int32_t[:, ::1] sites, int32_t[:, ::1] ids, int32_t[:, ::1] id_order,
                    int64_t[:, ::1] counts):
        """Use these tables of the heap, which start with the contents of the previous ones."""
        self._spans, self._pages, self._borders, self._births, self._types = spans, pages, borders, births, types
        self._sites, self._ids, self._id_order, self._counts = sites, ids, id_order, counts
        self.spans, self.borders, self.births, self.types = &spans[0], &borders[0], &births[0], &types[0]
        self.page_sizes, self.page_nexts, self.page_lasts = &pages[0, 0], &pages[1, 0], &pages[2, 0]
        self.sites = <Site *> &sites[0, 0]
        self.counts = &counts[0, 0]

    def boot(self):
        """Create threads, procs and the first goroutines."""
        cdef int i
        with nogil:
            for i in range(<int> self._ms.shape[0] - 1, -1, -1):
                self.ms[i].g = self.ms[i].p = -1
                self.ms[i].at = 0
                self.ms[i].id = -1 if i == LATE else 1000 + 3 * i
                if i > SYSMON:
                    self.park(i)
            for i in range(self.procs - 1, -1, -1):
                self.ps[i].m = -1
                self.ps[i].state = PROC_IDLE
                self.idle[self.n_idle] = i
                self.n_idle += 1
                memset(&self._caches[i, 0], 255, CLASSES * sizeof(int32_t))
            for i in range(<int> self._gs.shape[0]):
                self.gs[i].state = GO_FREE
            self.worker = self.new_goroutine(SYSMON)
            self.sweeper = self.new_goroutine(SYSMON)
            self.gs[self.worker].state = self.gs[self.sweeper].state = GO_WAITING
            while self.alive < self.goroutines:
                self.make_runnable(self.new_goroutine(SYSMON))

    def run(self, int64_t events, int64_t until) -> int:
        """Run to a number of events, a time in clock units or the end of the generation; return a status.

        OK is one of these, FULL a request to take the output, and GROW_* a request to grow a table.
        """
        cdef int status = OK
        with nogil:
            while True:
                status = self.request()
                if status != OK or self.n_events >= events or <int64_t> self.now >= until or self.due():
                    break
                self.step()
            self.read()
        return status

    def start(self, bint allocfree, bint joined, uint64_t least) -> int:
        """Start a session: stop the world and emit the snapshot. Serve the status and call again until it is OK."""
        cdef int status
        with nogil:
            status = self.session(allocfree, joined, least)
            self.read()
        return status

    def close_generation(self) -> int:
        """Emit the statuses that the generation lacks and flush all buffers; call again until the status is OK."""
        cdef int status
        with nogil:
            status = self.close()
            self.read()
        return status

    def open_generation(self):
        """Start the next generation."""
        with nogil:
            self.open()
            self.read()

    def remember(self, uint64_t horizon, int64_t[:, ::1] late):
        """Record objects that are live at clock unit ``horizon`` and freed after it.

        A row of ``late`` is address, size, birth, type, span class.
        """
        self.horizon, self._late = horizon, late

    def stop(self):
        """End the session; no more events are written."""
        self.tracing = self.allocfree = False

    def drained(self):
        """Reuse the output buffer, whose contents the caller took."""
        self.out_at = 0
        self.readings[READ_OUT] = 0

    def forget_types(self):
        """Empty the type table of this generation's parity, which the caller wrote."""
        cdef int parity = self.gen & 1
        cdef int32_t i
        for i in range(self._id_order[parity, 0]):
            self._ids[parity, self._id_order[parity, 1 + i]] = 0
        self._id_order[parity, 0] = 0

    # --- the clock and threads' buffers ------------------------------------------------------------------------

    cdef inline uint64_t random(self) noexcept nogil:
        self.seed ^= self.seed >> 12
        self.seed ^= self.seed << 25
        self.seed ^= self.seed >> 27
        return self.seed * <uint64_t> 2685821657736338717

    cdef inline uint32_t below(self, uint32_t n) noexcept nogil:
        return <uint32_t> (((self.random() >> 32) * n) >> 32)

    cdef inline bint chance(self, uint32_t share) noexcept nogil:
        """Return True with a probability of ``share / 65536``."""
        return (self.random() >> 48) < share

    cdef inline int64_t geometric(self, int64_t mean) noexcept nogil:
        """Return a random length of about that mean, at least 1."""
        cdef int64_t n = 1 + self.below(<uint32_t> mean)
        return n if mean < 4 or self.random() & 1 else 1 + self.below(<uint32_t> (mean + mean // 2))

    cdef inline int stack(self) noexcept nogil:
        """Return a random stack id."""
        return <int> (1 + self.below(self.n_stacks))

    cdef inline void tick(self) noexcept nogil:
        """Advance the clock by one event; a burst emits up to eight events per clock unit."""
        self.n_events += 1
        if self.hurried:
            self.now += (self.n_events & 7) == 0
        elif self.pace == 1:
            self.now += 1
        else:
            self.now += 1 + self.below(<uint32_t> (2 * self.pace - 1))

    cdef inline void silent_tick(self) noexcept nogil:
        """Advance the clock for an action without an event in the trace."""
        if self.tracing:
            self.now += self.pace
        else:
            self.tick()

    cdef void flush(self, int row) noexcept nogil:
        """Write a thread's buffer as a batch, with its length in ten bytes."""
        cdef SIM_M *m = &self.ms[row]
        cdef uint8_t *p = self.out + self.out_at
        cdef uint8_t *first = p
        cdef int i
        if m.at == 0:
            return
        p[0] = 1
        p += 1
        p += put_uvarint(p, self.gen)
        p += put_uvarint(p, <uint64_t> m.id)
        p += put_uvarint(p, m.base)
        for i in range(9):
            p[i] = <uint8_t> ((<uint64_t> m.at >> (7 * i)) & 0x7f | 0x80)
        p[9] = 0
        p += 10
        memcpy(p, self.buffers + <int64_t> row * BUFFER, m.at)
        p += m.at
        self.out_at += p - first
        m.at = 0

    cdef inline uint8_t *begin(self, int row, int kind) noexcept nogil:
        """Write type and time of a thread's next event; return the address of its arguments, NULL if not tracing."""
        cdef SIM_M *m = &self.ms[row]
        cdef uint8_t *p
        cdef uint64_t time
        if unlikely(m.at > FILLED - RECORD):
            self.flush(row)
        if unlikely(m.at == 0):
            m.base = m.last = self.now
        self.tick()
        if not self.tracing:
            return NULL
        time = self.now if self.now > m.last else m.last + 1
        p = self.buffers + <int64_t> row * BUFFER + m.at
        p[0] = <uint8_t> kind
        p += 1
        p += put_uvarint(p, time - m.last)
        m.last = time
        return p

    cdef inline void end(self, int row, uint8_t *p) noexcept nogil:
        self.ms[row].at = <int32_t> (p - (self.buffers + <int64_t> row * BUFFER))

    cdef inline void emit0(self, int row, int kind) noexcept nogil:
        cdef uint8_t *p = self.begin(row, kind)
        if p != NULL:
            self.end(row, p)

    cdef inline void emit1(self, int row, int kind, uint64_t a) noexcept nogil:
        cdef uint8_t *p = self.begin(row, kind)
        if p != NULL:
            self.end(row, p + put_uvarint(p, a))

    cdef inline void emit2(self, int row, int kind, uint64_t a, uint64_t b) noexcept nogil:
        cdef uint8_t *p = self.begin(row, kind)
        if p != NULL:
            p += put_uvarint(p, a)
            self.end(row, p + put_uvarint(p, b))

    cdef inline void emit3(self, int row, int kind, uint64_t a, uint64_t b, uint64_t c) noexcept nogil:
        cdef uint8_t *p = self.begin(row, kind)
        if p != NULL:
            p += put_uvarint(p, a)
            p += put_uvarint(p, b)
            self.end(row, p + put_uvarint(p, c))

    cdef void emit4(self, int row, int kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d) noexcept nogil:
        cdef uint8_t *p = self.begin(row, kind)
        if p != NULL:
            p += put_uvarint(p, a)
            p += put_uvarint(p, b)
            p += put_uvarint(p, c)
            self.end(row, p + put_uvarint(p, d))

    # --- lists -------------------------------------------------------------------------------------------------

    cdef inline void push_g(self, Queue *q, int32_t row) noexcept nogil:
        self.gs[row].next = -1
        if q.n == 0:
            q.head = row
        else:
            self.gs[q.tail].next = row
        q.tail = row
        q.n += 1

    cdef inline int32_t pop_g(self, Queue *q) noexcept nogil:
        cdef int32_t row = q.head
        if q.n == 0:
            return -1
        q.head = self.gs[row].next
        q.n -= 1
        return row

    cdef inline void push_m(self, Queue *q, int32_t row) noexcept nogil:
        self.ms[row].next = -1
        if q.n == 0:
            q.head = row
        else:
            self.ms[q.tail].next = row
        q.tail = row
        q.n += 1

    cdef inline void park(self, int32_t row) noexcept nogil:
        """Park a thread without work; the last parked thread is the first to be woken."""
        self.ms[row].next = self.parked.head
        self.parked.head = row
        self.parked.n += 1

    cdef inline int32_t pop_m(self, Queue *q) noexcept nogil:
        cdef int32_t row = q.head
        if q.n == 0:
            return -1
        q.head = self.ms[row].next
        q.n -= 1
        return row

    # --- pages: a run of free pages stores its length at both ends -----------------------------------------------

    cdef void put_run(self, int64_t page, int64_t n) noexcept nogil:
        cdef int bin = <int> n if n < BINS else BINS
        cdef int32_t head = self.bins[bin]
        self.page_sizes[page] = self.page_sizes[page + n - 1] = <int32_t> n
        self.borders[page] = self.borders[page + n - 1] = 1
        self.page_nexts[page] = head
        self.page_lasts[page] = -1
        if head >= 0:
            self.page_lasts[head] = <int32_t> page
        self.bins[bin] = <int32_t> page

    cdef void take_run(self, int64_t page) noexcept nogil:
        cdef int32_t n = self.page_sizes[page], after = self.page_nexts[page], before = self.page_lasts[page]
        if before >= 0:
            self.page_nexts[before] = after
        else:
            self.bins[n if n < BINS else BINS] = after
        if after >= 0:
            self.page_lasts[after] = before
        self.borders[page] = self.borders[page + n - 1] = 0

    cdef int64_t alloc_pages(self, int64_t n) noexcept nogil:
        """Allocate pages from the shortest run that fits, otherwise from the end of the heap."""
        cdef int64_t page = -1, rest
        cdef int bin = <int> n if n < BINS else BINS, tries = 64
        while bin < BINS and self.bins[bin] < 0:
            bin += 1
        page = self.bins[bin]
        while bin == BINS and page >= 0 and self.page_sizes[page] < n:
            tries -= 1
            page = self.page_nexts[page] if tries else -1
        if page < 0:
            page = self.n_pages
            self.n_pages += n
            self.borders[page] = self.borders[page + n - 1] = 0
            return page
        rest = self.page_sizes[page] - n
        self.take_run(page)
        if rest:
            self.put_run(page + n, rest)
        return page

    cdef void free_pages(self, int64_t page, int64_t n) noexcept nogil:
        cdef int64_t near
        if page > 0 and self.borders[page - 1]:
            near = self.page_sizes[page - 1]
            self.take_run(page - near)
            page -= near
            n += near
        if page + n < self.n_pages and self.borders[page + n]:
            near = self.page_sizes[page + n]
            self.take_run(page + n)
            n += near
        if page + n == self.n_pages:
            self.n_pages = page
        else:
            self.put_run(page, n)

    # --- spans -------------------------------------------------------------------------------------------------

    cdef inline uint64_t address(self, SIM_SPAN *s, int64_t slot) noexcept nogil:
        return self.base + <uint64_t> (s.page * PAGE_BYTES + slot * s.elem)

    cdef inline uint64_t span_id(self, SIM_SPAN *s) noexcept nogil:
        return (self.base + <uint64_t> (s.page * PAGE_BYTES) - self.least) // PAGE_BYTES

    cdef inline uint64_t kindclass(self, SIM_SPAN *s) noexcept nogil:
        return 1 if s.spanclass == MANUAL else 2 * s.spanclass

    cdef inline bint dropped(self, SIM_SPAN *s) noexcept nogil:
        """Return True if the tracer loses this event, as Go 1.23 does."""
        return self.quirks & SIM_ANOMALY_DROPPED and s.spanclass == MANUAL and self.chance(32768)

    cdef int slots_of(self, int64_t n, int spanclass, int64_t elem) noexcept nogil:
        """Return the number of slots of a small span, without the room of pointer and mark bitmaps."""
        cdef int64_t room = n * PAGE_BYTES
        if elem <= HEADER_FROM and spanclass & 1 == 0:
            room -= room // 64
        if self.release >= 26 and 16 <= elem <= HEADER_FROM:
            room -= 128
        return <int> (room // elem)

    cdef int32_t span_alloc(self, int row, int64_t n, int spanclass, int64_t elem, int slots) noexcept nogil:
        """Allocate a span of ``n`` pages and return its row; large spans have one slot."""
        cdef int32_t place = self.free_span
        cdef SIM_SPAN *s
        if place >= 0:
            self.free_span = self.spans[place].next
        else:
            place = <int32_t> self.n_spans
            self.n_spans += 1
        s = &self.spans[place]
        memset(s, 0, sizeof(SIM_SPAN))
        s.page = self.alloc_pages(n)
        s.pages = n
        s.elem = elem
        s.slots = slots
        s.spanclass = spanclass
        s.cycle = self.cycle
        s.next = -1
        if spanclass != MANUAL:
            s.cells = self.alloc_cells(slots)
        if self.allocfree and not self.dropped(s):
            self.emit3(row, EV_SPAN_ALLOC, self.span_id(s), n, self.kindclass(s))
        return place

    cdef void span_free(self, int row, int32_t place) noexcept nogil:
        cdef SIM_SPAN *s = &self.spans[place]
        if self.allocfree and not self.dropped(s):
            self.emit1(row, EV_SPAN_FREE, self.span_id(s))
        if s.spanclass != MANUAL:
            self.free_cell_block(s.cells, s.slots)
        self.free_pages(s.page, s.pages)
        s.spanclass = -1
        s.next = self.free_span
        self.free_span = place
        if self.last_span == place:
            self.last_span = -1

    cdef int cell_order(self, int slots) noexcept nogil:
        cdef int order = 0
        while 1 << order < slots:
            order += 1
        return order

    cdef int64_t alloc_cells(self, int slots) noexcept nogil:
        """Allocate a block of cells, whose size is a power of two."""
        cdef int order = self.cell_order(slots)
        cdef int64_t at = self.free_cells[order]
        if at >= 0:
            self.free_cells[order] = <int64_t> self.births[at]
        else:
            at = self.n_cells
            self.n_cells += 1 << order
        return at

    cdef void free_cell_block(self, int64_t at, int slots) noexcept nogil:
        cdef int order = self.cell_order(slots)
        self.births[at] = <uint64_t> self.free_cells[order]
        self.free_cells[order] = at

    cdef void push_swept(self, int32_t place) noexcept nogil:
        """Put a swept span on the list of partial or of full spans."""
        cdef SIM_SPAN *s = &self.spans[place]
        cdef int c = s.spanclass
        if s.taken < s.slots:
            s.next = self.partial[c]
            self.partial[c] = place
        else:
            s.next = self.full[c]
            self.full[c] = place

    # --- objects and their events --------------------------------------------------------------------------------

    cdef inline bint has_header(self, SIM_SPAN *s) noexcept nogil:
        return s.elem > HEADER_FROM and s.spanclass & 1 == 0 and s.spanclass > 1

    cdef inline int32_t traced_type(self, SIM_SPAN *s, int64_t slot) noexcept nogil:
        """Return an object's type in the trace: the snapshot has types of objects with headers and large ones only."""
        if <int64_t> self.births[s.cells + slot] >= self.started:
            return self.types[s.cells + slot]
        if self.has_header(s) or s.spanclass == 0:
            return self.types[s.cells + slot]
        return 0

    cdef inline uint64_t type_id(self, int32_t type) noexcept nogil:
        """Return the type's id in this generation's table, adding it if it is new; 0 for no type."""
        cdef int parity = self.gen & 1
        cdef int32_t *number = &self._ids[parity, type]
        cdef int32_t *order
        if type == 0:
            return 0
        if unlikely(number[0] == 0):
            order = &self._id_order[parity, 0]
            order[0] += 1
            number[0] = order[0]
            order[number[0]] = type
        return number[0]

    cdef inline void count(self, SIM_SPAN *s, int32_t type, int what) noexcept nogil:
        """Count an object in the truth; rows of span classes of objects without a type follow those of types."""
        cdef int64_t row = type if type else self._ids.shape[1] + s.spanclass
        self.counts[6 * row + what] += 1
        self.counts[6 * row + what + 1] += s.elem

    cdef inline void new_object(self, SIM_SPAN *s, int64_t slot, int32_t type) noexcept nogil:
        """Add an object to the heap."""
        s.live[slot >> 6] |= <uint64_t> 1 << (slot & 63)
        s.taken += 1
        self.types[s.cells + slot] = type
        self.live_bytes += s.elem
        self.live_objects += 1
        self.allocated += s.elem
        if unlikely(self.allocated >= self.budget):
            self.wanted = True

    cdef inline void emit_alloc(self, int row, SIM_SPAN *s, int64_t slot, int32_t type, int inset) noexcept nogil:
        """Emit an object's allocation; the pointer is ``inset`` bytes after the start of its slot."""
        if not self.allocfree:
            self.silent_tick()
            self.births[s.cells + slot] = self.now
            return
        self.emit2(row, EV_HEAP_OBJECT_ALLOC, (self.address(s, slot) + inset - self.least) >> 3, self.type_id(type))
        self.births[s.cells + slot] = self.ms[row].last
        self.count(s, type, TALLY_ALLOCS)

    cdef inline void emit_free(self, int row, SIM_SPAN *s, int64_t slot) noexcept nogil:
        if self.allocfree:
            self.emit1(row, EV_HEAP_OBJECT_FREE, (self.address(s, slot) - self.least) >> 3)
            self.count(s, self.traced_type(s, slot), TALLY_FREES)
        if unlikely(self.now > self.horizon):
            self.keep_late(s, slot)

    cdef void keep_late(self, SIM_SPAN *s, int64_t slot) noexcept nogil:
        cdef int64_t *row = &self._late[self.n_late, 0]
        if self.births[s.cells + slot] <= self.horizon:
            row[0], row[1] = <int64_t> self.address(s, slot), s.elem
            row[2], row[3] = <int64_t> self.births[s.cells + slot], self.traced_type(s, slot)
            row[4] = s.spanclass
            self.n_late += 1

    # --- sweeping ----------------------------------------------------------------------------------------------

    cdef uint64_t mask(self, int share) noexcept nogil:
        """Return 64 random bits, each set with a probability of ``share / (1 << BITS)``."""
        cdef uint64_t word = 0
        cdef int i
        if share >= 1 << BITS:
            return ~word
        for i in range(BITS):
            if share >> i & 1:
                word |= self.random()
            else:
                word &= self.random()
        return word

    cdef int64_t sweep(self, int row, int32_t place) noexcept nogil:
        """Free a span's dead objects in order of address, and the span if it is empty; return the freed bytes."""
        cdef SIM_SPAN *s = &self.spans[place]
        cdef uint64_t lost
        cdef int w, freed = 0, fresh = 0 if self.chance(self.lost_share) else self.new_share
        cdef int64_t bytes
        self.hurried = self.quirks & SIM_ANOMALY_TIMES_AHEAD
        for w in range((s.slots + 63) >> 6):
            if s.live[w] == 0:
                continue
            lost = s.live[w] & ~((s.old[w] & self.mask(self.old_share)) | (~s.old[w] & self.mask(fresh)))
            s.live[w] &= ~lost
            s.old[w] = s.live[w]
            while lost:
                self.emit_free(row, s, 64 * w + lowest(lost))
                lost &= lost - 1
                freed += 1
        s.taken -= freed
        s.look = 0
        s.cycle = self.cycle
        bytes = freed * s.elem
        self.live_bytes -= bytes
        self.live_objects -= freed
        self.old_bytes += s.taken * s.elem
        if s.taken == 0:
            self.span_free(row, place)
        else:
            self.push_swept(place)
        self.hurried = False
        return bytes

    cdef int32_t pop_unswept(self, int c) noexcept nogil:
        cdef int32_t place = self.unswept[c]
        self.unswept[c] = self.spans[place].next
        self.n_unswept -= 1
        return place

    cdef void sweep_some(self, int row, int n) noexcept nogil:
        """Sweep up to n spans of any class."""
        while n > 0 and self.n_unswept > 0:
            while self.unswept[self.sweep_class] < 0:
                self.sweep_class = (self.sweep_class + 1) % CLASSES
            self.sweep(row, self.pop_unswept(self.sweep_class))
            n -= 1

    cdef void flush_cache(self, int row, int p) noexcept nogil:
        """Sweep and release the spans in a proc's cache, which are from before the collection."""
        cdef int c
        cdef int32_t place
        for c in range(CLASSES):
            place = self._caches[p, c]
            if place >= 0:
                self._caches[p, c] = -1
                self.sweep(row, place)
        self.ps[p].tiny = 0
        self.ps[p].cycle = self.cycle

    # --- the allocator -----------------------------------------------------------------------------------------

    cdef void refill(self, int row, int p, int c) noexcept nogil:
        """Replace a proc's span of a class by a partial span, one that is swept now, or a new one."""
        cdef int32_t place = self._caches[p, c]
        cdef int tries = 0
        cdef int64_t swept = 0, reclaimed = 0
        if place >= 0:
            self.push_swept(place)
        self.emit1(row, EV_HEAP_ALLOC, self.marked + self.allocated)
        if self.partial[c] < 0 and self.unswept[c] >= 0:
            self.emit1(row, EV_GC_SWEEP_BEGIN, self.stack())
            while self.partial[c] < 0 and self.unswept[c] >= 0 and tries < SWEEP_TRIES:
                place = self.pop_unswept(c)
                swept += self.spans[place].pages * PAGE_BYTES
                reclaimed += self.sweep(row, place)
                tries += 1
            self.emit2(row, EV_GC_SWEEP_END, swept, reclaimed)
        place = self.partial[c]
        if place >= 0:
            self.partial[c] = self.spans[place].next
        else:
            place = self.span_alloc(row, self.class_pages[c >> 1], c, self.elems[c >> 1],
                                    self.slots_of(self.class_pages[c >> 1], c, self.elems[c >> 1]))
        self._caches[p, c] = place

    cdef int64_t next_slot(self, SIM_SPAN *s) noexcept nogil:
        """Return the first free slot; -1 if there is none."""
        cdef int w = s.look >> 6
        cdef uint64_t free = ~s.live[w] >> (s.look & 63) << (s.look & 63)
        cdef int64_t slot
        while free == 0:
            w += 1
            if 64 * w >= s.slots:
                return -1
            free = ~s.live[w]
        slot = 64 * w + lowest(free)
        if slot >= s.slots:
            return -1
        s.look = <int32_t> slot
        return slot

    cdef int64_t small_slot(self, int row, int p, int c) noexcept nogil:
        """Return a free slot of the span of a class in a proc's cache, refilling the cache if needed."""
        cdef int32_t place = self._caches[p, c]
        cdef int64_t slot = -1
        if place >= 0:
            slot = self.next_slot(&self.spans[place])
        if slot < 0:
            self.refill(row, p, c)
            slot = self.next_slot(&self.spans[self._caches[p, c]])
        return slot

    cdef void allocate_small(self, int row, int p, Site *site) noexcept nogil:
        cdef int64_t slot
        cdef SIM_SPAN *s
        cdef int32_t place = self._caches[p, site.spanclass]
        if (self.quirks & SIM_ANOMALY_IMPLICIT_FREE and site.spanclass & 1 and place >= 0 and self.allocfree
                and site.spanclass != TINY_CLASS and self.chance(1024)):
            s = &self.spans[place]
            if s.look and s.live[(s.look - 1) >> 6] >> ((s.look - 1) & 63) & 1:
                self.reuse(row, s, s.look - 1, site.type)
                return
        slot = self.small_slot(row, p, site.spanclass)
        place = self._caches[p, site.spanclass]
        s = &self.spans[place]
        self.new_object(s, slot, site.type)
        self.emit_alloc(row, s, slot, site.type, 8 if self.has_header(s) else 0)
        s.look = <int32_t> slot + (1 if slot + 1 < s.slots else 0)
        self.last_span, self.last_slot = place, <int> slot

    cdef void reuse(self, int row, SIM_SPAN *s, int64_t slot, int32_t type) noexcept nogil:
        """Reuse a slot that the compiler freed: there is no event other than the next allocation."""
        self.count(s, self.traced_type(s, slot), TALLY_FREES)
        if self.now >= self.horizon:
            self.keep_late(s, slot)
        self.types[s.cells + slot] = type
        self.emit_alloc(row, s, slot, type, 0)

    cdef void allocate_tiny(self, int row, int p, Site *site) noexcept nogil:
        """Allocate a tiny object; they share slots of 16 bytes, and Go 1.23 emits only the first object of a slot."""
        cdef SIM_P *proc = &self.ps[p]
        cdef int64_t slot
        cdef int at = proc.tiny_at
        cdef SIM_SPAN *s
        if site.length >= 8:
            at = (at + 7) & ~7
        elif site.length >= 4:
            at = (at + 3) & ~3
        if proc.tiny and at + site.length <= 16:
            proc.tiny_at = at + site.length
            if self.allocfree and self.release >= 24:
                self.emit2(row, EV_HEAP_OBJECT_ALLOC, (proc.tiny + at - self.least) >> 3, self.type_id(site.type))
            else:
                self.silent_tick()
            return
        slot = self.small_slot(row, p, TINY_CLASS)
        s = &self.spans[self._caches[p, TINY_CLASS]]
        self.new_object(s, slot, site.type)
        self.emit_alloc(row, s, slot, site.type, 0)
        s.look = <int32_t> slot + (1 if slot + 1 < s.slots else 0)
        if not proc.tiny or site.length < proc.tiny_at:
            proc.tiny = self.address(s, slot)
            proc.tiny_at = site.length

    cdef void allocate_large(self, int row, int p, Site *site) noexcept nogil:
        cdef int32_t place = self.span_alloc(row, site.pages, site.spanclass, site.pages * PAGE_BYTES, 1)
        cdef SIM_SPAN *s = &self.spans[place]
        self.emit1(row, EV_HEAP_ALLOC, self.marked + self.allocated)
        self.new_object(s, 0, site.type)
        self.emit_alloc(row, s, 0, site.type, 0)
        self.push_swept(place)
        self.last_span, self.last_slot = place, 0

    cdef void allocate(self, int row, int p) noexcept nogil:
        cdef Site *site = &self.sites[self.below(<uint32_t> self._sites.shape[0])]
        if site.kind == TINY:
            self.allocate_tiny(row, p, site)
        elif site.kind == LARGE:
            self.allocate_large(row, p, site)
        else:
            self.allocate_small(row, p, site)

    # --- goroutines' stacks ------------------------------------------------------------------------------------

    cdef inline uint64_t stack_id(self, SIM_G *g) noexcept nogil:
        return (self.address(&self.spans[g.span], g.slot) - self.least) // 2048

    cdef void stack_alloc(self, int row, SIM_G *g, int order) noexcept nogil:
        """Allocate a stack; small stacks share spans, larger ones have spans of their own."""
        cdef int64_t size = (<int64_t> 1) << (order - 1)
        cdef int32_t place = self.stack_spans[order] if order < LARGE_ORDER else -1
        cdef SIM_SPAN *s
        if place < 0:
            if order < LARGE_ORDER:
                place = self.span_alloc(row, STACK_PAGES, MANUAL, size, <int> (STACK_PAGES * PAGE_BYTES // size))
                self.stack_spans[order] = place
            else:
                place = self.span_alloc(row, size // PAGE_BYTES, MANUAL, size, 1)
        s = &self.spans[place]
        g.order, g.span, g.slot = order, place, <int32_t> lowest(~s.live[0])
        s.live[0] |= <uint64_t> 1 << g.slot
        s.taken += 1
        if s.taken == s.slots and order < LARGE_ORDER:
            self.stack_spans[order] = s.next
        if self.allocfree and not self.dropped(s):
            self.emit2(row, EV_GOROUTINE_STACK_ALLOC, self.stack_id(g), order)

    cdef void stack_free(self, int row, int order, int32_t place, int slot) noexcept nogil:
        """Free a stack, and its span if it is empty, unless the collector marks."""
        cdef SIM_SPAN *s = &self.spans[place]
        cdef bint was_full = s.taken == s.slots
        if self.allocfree and not self.dropped(s):
            self.emit1(row, EV_GOROUTINE_STACK_FREE, (self.address(s, slot) - self.least) // 2048)
        s.live[0] &= ~(<uint64_t> 1 << slot)
        s.taken -= 1
        if order >= LARGE_ORDER:
            self.span_free(row, place)
        elif s.taken == 0 and not was_full and self.phase == 0:
            self.unlink_stacks(order, place)
            self.span_free(row, place)
        elif was_full:
            s.next = self.stack_spans[order]
            self.stack_spans[order] = place

    cdef void unlink_stacks(self, int order, int32_t place) noexcept nogil:
        cdef int32_t at = self.stack_spans[order]
        if at == place:
            self.stack_spans[order] = self.spans[place].next
            return
        while self.spans[at].next != place:
            at = self.spans[at].next
        self.spans[at].next = self.spans[place].next

    cdef void move_stack(self, int row, SIM_G *g, int order) noexcept nogil:
        """Grow or shrink a stack: allocate the new one, then free the old one."""
        cdef int32_t place = g.span
        cdef int slot = g.slot, was = g.order
        self.stack_alloc(row, g, order)
        self.stack_free(row, was, place, slot)

    cdef void drop_stack(self, int row, SIM_G *g) noexcept nogil:
        self.stack_free(row, g.order, g.span, g.slot)
        g.order, g.span = 0, -1

    # --- statuses: before the first event about a goroutine or proc in a generation ------------------------------

    cdef inline void emit_proc_status(self, int row, int p, int status) noexcept nogil:
        if self.tracing and self.ps[p].reported != self.gen:
            self.ps[p].reported = self.gen
            self.ps[p].seq = 0
            self.emit2(row, EV_PROC_STATUS, p, status)

    cdef inline void emit_go_status(self, int row, int32_t g, int status, int64_t m) noexcept nogil:
        if self.tracing and self.gs[g].reported != self.gen:
            self.gs[g].reported = self.gen
            self.gs[g].seq = 0
            if row == LATE and self.release >= 23:
                self.emit4(row, EV_GO_STATUS_STACK, self.gs[g].id, <uint64_t> m, status, self.stack())
            else:
                self.emit3(row, EV_GO_STATUS, self.gs[g].id, <uint64_t> m, status)

    cdef inline void acquire(self, int row) noexcept nogil:
        """Emit the statuses of a thread's proc and goroutine, before its event."""
        cdef SIM_M *m = &self.ms[row]
        if m.p >= 0:
            self.emit_proc_status(row, m.p, self.ps[m.p].state)
        if m.g >= 0:
            self.emit_go_status(row, m.g, self.gs[m.g].state, m.id)

    # --- procs -------------------------------------------------------------------------------------------------

    cdef void make_busy(self, int p) noexcept nogil:
        self.ps[p].place = self.n_busy
        self.busy[self.n_busy] = p
        self.n_busy += 1

    cdef void make_idle(self, int p) noexcept nogil:
        self.ps[p].m = -1
        self.ps[p].state = PROC_IDLE
        self.idle[self.n_idle] = p
        self.n_idle += 1

    cdef void leave_busy(self, int p) noexcept nogil:
        cdef int last
        self.n_busy -= 1
        last = self.busy[self.n_busy]
        self.busy[self.ps[p].place] = last
        self.ps[last].place = self.ps[p].place

    cdef void start_proc(self, int row, int p) noexcept nogil:
        """Give a thread an idle proc; it may flush stale caches before the event that it took the proc."""
        cdef SIM_P *proc = &self.ps[p]
        cdef bint stale = proc.cycle != self.cycle
        if stale and self.quirks & SIM_ANOMALY_OUTSIDE_PROC:
            self.emit_proc_status(row, p, PROC_RUNNING if self.quirks & SIM_ANOMALY_WRONG_STATUS else PROC_IDLE)
            self.flush_cache(row, p)
        self.emit_proc_status(row, p, PROC_IDLE)
        proc.seq += 1
        self.emit2(row, EV_PROC_START, p, proc.seq)
        proc.state = PROC_RUNNING
        proc.m = row
        self.ms[row].p = p
        self.make_busy(p)
        if proc.cycle != self.cycle:
            self.flush_cache(row, p)

    cdef void stop_proc(self, int row) noexcept nogil:
        """Release the proc of a thread without a goroutine, and park the thread."""
        cdef int p = self.ms[row].p
        self.emit0(row, EV_PROC_STOP)
        self.leave_busy(p)
        self.make_idle(p)
        self.ms[row].p = -1
        self.park(row)

    cdef void steal_proc(self, int row, int victim) noexcept nogil:
        """Steal the proc of a thread in a system call."""
        cdef int p = self.ms[victim].p
        self.acquire(row)
        self.emit_proc_status(row, p, PROC_SYSCALL_ABANDONED)
        self.ps[p].seq += 1
        self.emit3(row, EV_PROC_STEAL, p, self.ps[p].seq, self.ms[victim].id)
        self.ms[victim].p = -1
        self.make_idle(p)

    # --- goroutines --------------------------------------------------------------------------------------------

    cdef int32_t new_goroutine(self, int row) noexcept nogil:
        """Create a runnable goroutine in no queue, reusing descriptor and stack of a dead one if there is one."""
        cdef int32_t place = self.pop_g(&self.dead)
        cdef SIM_G *g
        if place < 0:
            place = <int32_t> self.n_gs
            self.n_gs += 1
            self.gs[place].span = -1
            self.gs[place].order = 0
        g = &self.gs[place]
        g.id = self.next_g
        self.next_g += 1 + self.below(2)
        g.state = GO_RUNNABLE
        g.m = -1
        g.seq = 0
        g.reported = self.gen if self.tracing else 0
        if g.order == 0:
            self.stack_alloc(row, g, LEAST_ORDER)
        self.alive += 1
        return place

    cdef inline void make_runnable(self, int32_t g) noexcept nogil:
        self.gs[g].state = GO_RUNNABLE
        self.gs[g].m = -1
        self.push_g(&self.runnable, g)

    cdef void start_goroutine(self, int row, int32_t g) noexcept nogil:
        self.emit_go_status(row, g, GO_RUNNABLE, -1)
        self.gs[g].seq += 1
        self.emit2(row, EV_GO_START, self.gs[g].id, self.gs[g].seq)
        self.gs[g].state = GO_RUNNING
        self.gs[g].m = row
        self.ms[row].g = g
        if g == self.worker:
            self.emit1(row, EV_GO_LABEL, REASON_DEDICATED)

    cdef void unblock(self, int row, int32_t g) noexcept nogil:
        self.emit_go_status(row, g, GO_WAITING, -1)
        self.gs[g].seq += 1
        self.emit3(row, EV_GO_UNBLOCK, self.gs[g].id, self.gs[g].seq, self.stack())
        self.make_runnable(g)

    cdef void schedule(self, int row) noexcept nogil:
        """Give a thread without a goroutine the next runnable one, or release its proc."""
        cdef int32_t g = self.pop_g(&self.runnable)
        if g >= 0:
            self.start_goroutine(row, g)
        else:
            self.stop_proc(row)

    cdef void leave(self, int row, int kind, int reason) noexcept nogil:
        """Stop or block the thread's goroutine."""
        cdef int32_t g = self.ms[row].g
        self.emit2(row, kind, reason, self.stack())
        self.ms[row].g = -1
        if kind == EV_GO_STOP:
            self.make_runnable(g)
            return
        self.gs[g].state = GO_WAITING
        self.gs[g].m = -1
        if g != self.worker and g != self.sweeper:
            self.push_g(&self.waiting, g)

    cdef void destroy(self, int row) noexcept nogil:
        """End the thread's goroutine; a stack of the initial size stays with the descriptor."""
        cdef int32_t place = self.ms[row].g
        cdef SIM_G *g = &self.gs[place]
        self.emit0(row, EV_GO_DESTROY)
        self.ms[row].g = -1
        g.state = GO_FREE
        if g.order != LEAST_ORDER:
            self.drop_stack(row, g)
        self.alive -= 1
        self.push_g(&self.dead, place)

    cdef void create(self, int row) noexcept nogil:
        cdef int32_t g = self.new_goroutine(row)
        self.emit3(row, EV_GO_CREATE, self.gs[g].id, self.stack(), self.stack())
        self.make_runnable(g)

    cdef void switch(self, int row) noexcept nogil:
        """Switch to a waiting goroutine, as coroutines do."""
        cdef int32_t g = self.pop_g(&self.waiting), old = self.ms[row].g
        self.emit_go_status(row, g, GO_WAITING, -1)
        self.gs[g].seq += 1
        self.emit2(row, EV_GO_SWITCH, self.gs[g].id, self.gs[g].seq)
        self.gs[old].state = GO_WAITING
        self.gs[old].m = -1
        self.push_g(&self.waiting, old)
        self.gs[g].state = GO_RUNNING
        self.gs[g].m = row
        self.ms[row].g = g

    cdef void wake(self) noexcept nogil:
        """Wake a parked thread with an idle proc; its work is runnable goroutines, otherwise timers and the network."""
        cdef int32_t row
        cdef int p
        if self.parked.n == 0 or self.n_idle == 0:
            self.end_call()
            return
        row = self.pop_m(&self.parked)
        self.n_idle -= 1
        p = self.idle[self.n_idle]
        self.start_proc(row, p)
        if self.runnable.n == 0 and self.waiting.n > 0:
            self.unblock(row, self.pop_g(&self.waiting))
        elif self.runnable.n == 0 and self.alive < self.goroutines:
            self.create(row)
        if self.runnable.n == 0 and self.calls.n:
            self.stop_proc(row)
            self.end_call()
        else:
            self.schedule(row)

    # --- system calls ------------------------------------------------------------------------------------------

    cdef void begin_call(self, int row) noexcept nogil:
        cdef SIM_P *proc = &self.ps[self.ms[row].p]
        proc.seq += 1
        self.emit2(row, EV_GO_SYSCALL_BEGIN, proc.seq, self.stack())
        proc.state = PROC_SYSCALL
        self.gs[self.ms[row].g].state = GO_SYSCALL

    cdef void return_from_call(self, int row) noexcept nogil:
        """Return from a system call with the same proc."""
        self.acquire(row)
        self.emit0(row, EV_GO_SYSCALL_END)
        self.ps[self.ms[row].p].state = PROC_RUNNING
        self.gs[self.ms[row].g].state = GO_RUNNING

    cdef void return_blocked(self, int row) noexcept nogil:
        """Return from a system call after the proc was stolen: take an idle proc, or park the thread."""
        cdef int32_t g = self.ms[row].g
        if self.n_idle:
            self.n_idle -= 1
            self.start_proc(row, self.idle[self.n_idle])
        self.acquire(row)
        self.emit0(row, EV_GO_SYSCALL_END_BLOCKED)
        self.ms[row].g = -1
        self.gs[g].state = GO_RUNNABLE
        if self.ms[row].p >= 0:
            self.start_goroutine(row, g)
        else:
            self.make_runnable(g)
            self.park(row)

    cdef void end_call(self) noexcept nogil:
        """End the longest system call, or steal its proc."""
        cdef int32_t row
        if self.calls.n == 0:
            return
        row = self.pop_m(&self.calls)
        if self.ms[row].p < 0:
            self.return_blocked(row)
        elif self.chance(32768):
            self.steal_proc(SYSMON, row)
            self.push_m(&self.calls, row)
        else:
            self.return_from_call(row)
            self.make_busy(self.ms[row].p)

    # --- the collector -----------------------------------------------------------------------------------------

    cdef void stop_world(self, int row, int reason) noexcept nogil:
        """Stop all other procs: preempt their goroutines, and steal procs from system calls."""
        cdef int i = 0
        cdef int32_t other
        self.acquire(row)
        self.emit2(row, EV_STW_BEGIN, reason, self.stack())
        while i < self.n_busy:
            other = self.ps[self.busy[i]].m
            if other == row:
                i += 1
                continue
            self.acquire(other)
            if self.ms[other].g >= 0:
                self.leave(other, EV_GO_STOP, REASON_PREEMPTED)
            self.stop_proc(other)
        self.take_procs(row)

    cdef void take_procs(self, int row) noexcept nogil:
        """Steal the procs of all threads in system calls."""
        cdef int32_t other
        cdef int _n
        for _n in range(self.calls.n):
            other = self.pop_m(&self.calls)
            if self.ms[other].p >= 0:
                self.steal_proc(row, other)
            self.push_m(&self.calls, other)

    cdef void start_world(self, int row) noexcept nogil:
        """Emit the number of procs and end the stop-the-world range."""
        self.emit2(row, EV_PROCS_CHANGE, self.procs, self.stack())
        self.emit0(row, EV_STW_END)

    cdef void begin_cycle(self, int row) noexcept nogil:
        """Sweep the remaining spans; once there are none, start the mark phase with the world stopped."""
        if self.n_unswept:
            self.sweep_some(row, SWEEP_BATCH)
            return
        self.stop_world(row, REASON_SWEEP_TERMINATION)
        self.gc_seq += 1
        self.emit2(row, EV_GC_BEGIN, self.gc_seq, self.stack())
        self.phase = 1
        self.start_world(row)
        self.mark_until = self.n_events + self.mark_events
        if self.gs[self.worker].state == GO_WAITING:
            self.unblock(row, self.worker)

    cdef void end_cycle(self, int row) noexcept nogil:
        """End the mark phase: choose the shares of survivors, and make every span unswept."""
        self.stop_world(row, REASON_MARK_TERMINATION)
        self.phase = 0
        self.wanted = False
        self.cycle += 1
        self.choose_survivors()
        self.last_span = -1     # the last object may be dead, so no allocation of it is in progress
        self.unsweep()
        self.gc_seq += 1
        self.emit1(row, EV_GC_END, self.gc_seq)
        self.emit1(row, EV_HEAP_GOAL, self.goal)
        self.flush_cache(row, self.ms[row].p)
        self.release_dead_stacks(row)
        self.release_stack_spans(row)
        self.start_world(row)
        if self.gs[self.sweeper].state == GO_WAITING:
            self.unblock(row, self.sweeper)

    cdef void choose_survivors(self) noexcept nogil:
        """Choose the shares of old and new objects that survive, so that the live heap tends to its target size.

        In a share of spans all new objects die together; in the others, more of them survive to compensate.
        """
        cdef int64_t old = self.old_bytes * self.old_survive >> BITS
        cdef int64_t fresh = self.live_bytes - self.old_bytes
        cdef int64_t room = self.target - old
        self.old_share = self.old_survive
        if room < 0:
            room = 0
            self.old_share = <int> ((self.target << BITS) // (self.old_bytes + 1))
        self.new_share, self.lost_share = 1 << BITS, 0
        if room < fresh:
            self.new_share = <int> ((room << BITS) // fresh)
            self.lost_share = ((1 << BITS) - self.new_share) << (16 - BITS)
            if self.lost_share > self.clustered:
                self.lost_share = self.clustered
        self.marked = (self.old_bytes * self.old_share + fresh * self.new_share) >> BITS
        self.new_share = <int> ((<int64_t> self.new_share << 16) // (65536 - self.lost_share))
        self.goal = self.marked + self.marked * self.gogc // 100
        if self.goal < self.least_heap:
            self.goal = self.least_heap
        self.budget = self.goal - self.marked
        self.allocated = 0
        self.old_bytes = 0

    cdef void unsweep(self) noexcept nogil:
        """Make every span of the central lists unswept; spans in procs' caches are swept by :meth:`flush_cache`."""
        cdef int c
        cdef int32_t place
        self.n_unswept = 0
        for c in range(CLASSES):
            self.unswept[c] = self.partial[c]
            if self.partial[c] >= 0:
                place = self.partial[c]
                while self.spans[place].next >= 0:
                    self.n_unswept += 1
                    place = self.spans[place].next
                self.n_unswept += 1
                self.spans[place].next = self.full[c]
            else:
                self.unswept[c] = self.full[c]
            place = self.full[c]
            while place >= 0:
                self.n_unswept += 1
                place = self.spans[place].next
            self.partial[c] = self.full[c] = -1

    cdef void release_dead_stacks(self, int row) noexcept nogil:
        """Free the stacks of a few ended goroutines, as the collector does."""
        cdef int32_t place = self.dead.head
        cdef int n = 0
        while place >= 0 and n < 2 * ROOM_GOROUTINES and self.dead.n:
            if self.gs[place].order:
                self.drop_stack(row, &self.gs[place])
            if place == self.dead.tail:
                break
            place = self.gs[place].next
            n += 1

    cdef void release_stack_spans(self, int row) noexcept nogil:
        """Free the spans whose last stack was freed while the collector marked."""
        cdef int order, n = 0
        cdef int32_t place, after
        for order in range(LEAST_ORDER, LARGE_ORDER):
            place = self.stack_spans[order]
            while place >= 0 and n < ROOM_SPANS:
                after = self.spans[place].next
                if self.spans[place].taken == 0:
                    self.unlink_stacks(order, place)
                    self.span_free(row, place)
                    n += 1
                place = after

    # --- actions of a running goroutine --------------------------------------------------------------------------

    cdef bint act(self, int row, uint32_t dice) noexcept nogil:
        """Do an action other than an allocation; return True if the thread's goroutine no longer runs."""
        cdef int what = 0
        cdef SIM_G *g = &self.gs[self.ms[row].g]
        while <int32_t> dice >= self.act_ends[what]:
            what += 1
        if what == ACTION_BLOCK:
            self.leave(row, EV_GO_BLOCK, REASON_CHAN_RECEIVE + self.below(4))
            self.schedule(row)
            return True
        if what == ACTION_UNBLOCK:
            if self.waiting.n:
                self.unblock(row, self.pop_g(&self.waiting))
        elif what == ACTION_STOP:
            self.leave(row, EV_GO_STOP, REASON_PREEMPTED + self.below(2))
            self.schedule(row)
            return True
        elif what == ACTION_CREATE:
            if self.alive < 2 * self.goroutines:
                self.create(row)
        elif what == ACTION_DESTROY:
            if 2 * self.alive > self.goroutines + 4:
                self.destroy(row)
                self.schedule(row)
                return True
        elif what == ACTION_SYSCALL:
            self.begin_call(row)
            self.return_from_call(row)
        elif what == ACTION_LONG_SYSCALL:
            self.begin_call(row)
            if self.parked.n == 0:
                self.return_from_call(row)
                return False
            self.leave_busy(self.ms[row].p)
            self.push_m(&self.calls, row)
            return True
        elif what == ACTION_SWITCH:
            if self.waiting.n and self.release >= 23:
                self.switch(row)
                return True
        elif what == ACTION_GROW_STACK:
            if g.order < MOST_ORDER:
                self.move_stack(row, g, g.order + 1)
        elif what == ACTION_ASSIST:
            if self.phase:
                self.emit1(row, EV_GC_MARK_ASSIST_BEGIN, self.stack())
                self.emit0(row, EV_GC_MARK_ASSIST_END)
        elif what == ACTION_LIVE_HEAP:
            self.emit1(row, EV_HEAP_ALLOC, self.marked + self.allocated)
        return False

    cdef void work(self, int row) noexcept nogil:
        """Run the mark worker: it shrinks stacks of waiting goroutines, and blocks after the cycle."""
        cdef SIM_G *g
        if self.phase == 0:
            self.leave(row, EV_GO_BLOCK, REASON_WORKER_IDLE)
            self.schedule(row)
        elif self.waiting.n:
            g = &self.gs[self.waiting.head]
            if g.order > LEAST_ORDER and self.chance(4096):
                self.move_stack(row, g, g.order - 1)
        self.now += 1
        self.mark_until -= 1

    cdef void sweep_background(self, int row) noexcept nogil:
        """Run the background sweeper: it sweeps a few spans, then yields."""
        self.sweep_some(row, SWEEP_BATCH)
        if self.n_unswept:
            self.leave(row, EV_GO_STOP, REASON_GOSCHED)
        else:
            self.leave(row, EV_GO_BLOCK, REASON_SLEEP)
        self.schedule(row)

    cdef void burst(self, int p) noexcept nogil:
        """Run one goroutine for a number of steps."""
        cdef int row = self.ps[p].m
        cdef int64_t n
        cdef uint32_t dice
        self.acquire(row)
        if self.ms[row].g == self.worker:
            self.work(row)
            return
        if self.ms[row].g == self.sweeper:
            self.sweep_background(row)
            return
        n = self.geometric(self.long_run if self.chance(self.long_share) else self.short_run)
        while n > 0:
            n -= 1
            dice = <uint32_t> (self.random() >> 44)
            if dice < <uint32_t> self.act_total:
                if self.act(row, dice):
                    return
            else:
                self.allocate(row, p)
            if unlikely(self.wanted and self.phase == 0):
                return
            if unlikely(self.request() != OK or self.now > self.horizon):
                return

    cdef void step(self) noexcept nogil:
        """Do the next step of the whole program."""
        cdef int p
        if self.n_busy == 0 or (self.n_busy << 16 < self.busy_target * self.procs and self.chance(32768)):
            self.wake()
            return
        if self.calls.n and self.chance(8192):
            self.end_call()
            return
        p = self.busy[self.below(self.n_busy)]
        if self.wanted and self.phase == 0:
            self.begin_cycle(self.ps[p].m)
        elif self.phase and self.n_events >= self.mark_until:
            self.end_cycle(self.ps[p].m)
        else:
            self.burst(p)

    # --- sessions and generations --------------------------------------------------------------------------------

    cdef int request(self) noexcept nogil:
        """Return OK if tables and output have room for another step, otherwise the request."""
        if self._out.shape[0] - self.out_at < ROOM_OUT + self._buffers.shape[0]:
            return FULL
        if self._spans.shape[0] - self.n_spans < ROOM_SPANS:
            return GROW_SPANS
        if self._borders.shape[0] - self.n_pages < ROOM_PAGES:
            return GROW_PAGES
        if self._births.shape[0] - self.n_cells < ROOM_CELLS:
            return GROW_CELLS
        if self._gs.shape[0] - self.n_gs < ROOM_GOROUTINES:
            return GROW_STATE
        return OK

    cdef bint due(self) noexcept nogil:
        """Return True if the generation reached its length or its number of events."""
        if not self.tracing:
            return False
        return (<int64_t> self.now - self.generation_start >= self.units
                or self.n_events - self.generation_began >= self.per_generation)

    cdef void read(self) noexcept nogil:
        cdef int64_t *r = &self.readings[0]
        r[READ_NOW], r[READ_EVENTS], r[READ_GEN], r[READ_OUT] = <int64_t> self.now, self.n_events, self.gen, self.out_at
        r[READ_N_SPANS], r[READ_N_PAGES], r[READ_N_CELLS] = self.n_spans, self.n_pages, self.n_cells
        r[READ_N_GOROUTINES], r[READ_CYCLES], r[READ_STARTED] = self.n_gs, self.cycle, self.started
        r[READ_LIVE_BYTES], r[READ_LIVE_OBJECTS], r[READ_LATE] = self.live_bytes, self.live_objects, self.n_late
        r[READ_TRACED_EVENTS] = self.n_events - self.first_event
        r[READ_N_TYPE_IDS] = self._id_order[self.gen & 1, 0]

    cdef void emit_span(self, int row, SIM_SPAN *s) noexcept nogil:
        """Emit one span of the snapshot and its objects in order of address."""
        cdef int w
        cdef uint64_t bits
        cdef int64_t slot
        cdef int32_t type
        self.emit3(row, EV_SPAN, self.span_id(s), s.pages, self.kindclass(s))
        if s.spanclass == MANUAL:
            return
        for w in range((s.slots + 63) >> 6):
            bits = s.live[w]
            while bits:
                slot = 64 * w + lowest(bits)
                bits &= bits - 1
                type = self.traced_type(s, slot)
                self.emit2(row, EV_HEAP_OBJECT, (self.address(s, slot) - self.least) >> 3, self.type_id(type))
                self.count(s, type, TALLY_START)

    cdef int snapshot(self, int row) noexcept nogil:
        """Emit all live spans, then the stack of every goroutine descriptor, including dead ones; return a status."""
        cdef int32_t i
        cdef SIM_G *g
        while self.snapshot_at < self.n_spans + self.n_gs:
            if self.request() == FULL:
                return FULL
            if self.snapshot_at < self.n_spans:
                if self.spans[self.snapshot_at].spanclass >= 0:
                    self.emit_span(row, &self.spans[self.snapshot_at])
            else:
                i = self.snapshot_at - <int32_t> self.n_spans
                g = &self.gs[i]
                self.emit2(row, EV_GOROUTINE_STACK, self.stack_id(g) if g.order else (0 - self.least) // 2048, g.order)
            self.snapshot_at += 1
        return OK

    cdef int session(self, bint allocfree, bint joined, uint64_t least) noexcept nogil:
        """Start a session with the current settings; a joined session has neither a stopped world nor a snapshot."""
        cdef int status, i, row
        if self.starter < 0:
            while self.n_busy == 0:
                status = self.request()
                if status != OK:
                    return status
                self.wake()
            self.starter = row = self.ps[self.busy[0]].m
            self.gen += 1
            if not joined:
                self.stop_world(row, REASON_START_TRACE)
            self.least = least
            self.started = <int64_t> self.now + 1
            self.tracing, self.allocfree = True, allocfree
            self.first_event = self.n_events
            self.snapshot_at = 0
            memset(self.counts, 0, self._counts.shape[0] * 6 * sizeof(int64_t))
            self.generation_start, self.generation_began = <int64_t> self.now, self.n_events
            for i in range(<int> self._ms.shape[0]):
                self.ms[i].at = 0
            if joined:
                self.starter = -1
                self.open_by(row)
                return OK
            self.acquire(row)
            self.emit2(row, EV_PROCS_CHANGE, self.procs, self.stack())
            self.emit2(row, EV_STW_BEGIN, REASON_START_TRACE, self.stack())
            if self.phase:
                self.gc_seq += 1
                self.emit1(row, EV_GC_ACTIVE, self.gc_seq)
        row = self.starter
        if allocfree:
            self.hurried = self.quirks & SIM_ANOMALY_SNAPSHOT_INTERLEAVED
            status = self.snapshot(row)
            self.hurried = False
            if status != OK:
                return status
        self.emit1(row, EV_HEAP_GOAL, self.goal)
        if self.release < 26:
            self.emit_idle(row)
        self.start_world(row)
        if allocfree and self.quirks & SIM_ANOMALY_UNDER_WAY and self.last_span >= 0 and self.phase == 0:
            self.finish_allocation(row)
        self.starter = -1
        return OK

    cdef void finish_allocation(self, int row) noexcept nogil:
        """Emit a second allocation of the last object, whose allocation was in progress at the snapshot.

        Never called during a mark phase, which such an object would have to survive: this is not implemented.
        """
        cdef SIM_SPAN *s = &self.spans[self.last_span]
        if s.spanclass != TINY_CLASS and s.live[self.last_slot >> 6] >> (self.last_slot & 63) & 1:
            self.count(s, self.traced_type(s, self.last_slot), TALLY_FREES)
            self.emit_alloc(
                row, s, self.last_slot, self.types[s.cells + self.last_slot], 8 if self.has_header(s) else 0
            )

    cdef void emit_idle(self, int row) noexcept nogil:
        cdef int i
        for i in range(self.n_idle):
            self.emit_proc_status(row, self.idle[i], PROC_IDLE)

    cdef int close(self) noexcept nogil:
        """Emit missing statuses: those of running goroutines on their threads, all others on no thread; then flush."""
        cdef int i
        cdef SIM_G *g
        if self.status_at == 0:
            if self.request() == FULL:
                return FULL
            for i in range(self.n_busy):
                self.acquire(self.ps[self.busy[i]].m)
            if self.release >= 26:
                self.emit_idle(self.ps[self.busy[0]].m if self.n_busy else SYSMON)
        while self.status_at < self.n_gs:
            if self.request() == FULL:
                return FULL
            g = &self.gs[self.status_at]
            if g.state != GO_FREE:
                self.emit_go_status(LATE, self.status_at, g.state, self.ms[g.m].id if g.state == GO_SYSCALL else -1)
            self.status_at += 1
        for i in range(<int> self._ms.shape[0]):
            if self.request() == FULL:
                return FULL
            self.flush(i)
        self.status_at = 0
        return OK

    cdef void open(self) noexcept nogil:
        """Start the next generation on a busy thread: number of procs, and the mark phase if it is active."""
        cdef int row
        self.gen += 1
        while self.n_busy == 0:
            self.wake()
        row = self.ps[self.busy[0]].m
        self.generation_start, self.generation_began = <int64_t> self.now, self.n_events
        if self.quirks & SIM_ANOMALY_NEXT_GENERATION and self.allocfree:
            self.emit_early(row)
        self.open_by(row)

    cdef void emit_early(self, int row) noexcept nogil:
        """Emit events of the tracer's own memory in the next generation, with times before this one's last."""
        cdef uint64_t now = self.now
        self.now -= 16
        self.acquire(row)
        self.span_free(row, self.span_alloc(row, 1, MANUAL, PAGE_BYTES, 1))
        self.now = now

    cdef void open_by(self, int row) noexcept nogil:
        self.acquire(row)
        if self.release < 26:
            self.take_procs(row)
            self.emit_idle(row)
        self.emit2(row, EV_PROCS_CHANGE, self.procs, self.stack())
        if self.phase:
            self.gc_seq += 1
            self.emit1(row, EV_GC_ACTIVE, self.gc_seq)
        self.emit1(row, EV_HEAP_GOAL, self.goal)
