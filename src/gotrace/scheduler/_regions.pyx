"""Open regions: their starts and ends come in, rows of REGIONTIME go out.

Never here: what goroutines do.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport (
    GO_STATE_RUNNABLE, GO_STATE_RUNNING, GO_STATE_SYSCALL, GO_STATE_WAITING, LIFE, ORDERED, REGIONTIME, REGION_ENDED,
    REGION_UNSEEN, ROLE_SYSTEM, WORK,
)
from gotrace.scheduler._names cimport Names
from gotrace.scheduler._procs cimport span


@cython.final
cdef class Regions:
    """Open regions, each with the times of its goroutine at its start."""

    def __init__(self, Names names):
        self.names = names
        self.forget()

    def bind(self, WORK[::1] regions):
        """Use this table, which contains the rows so far."""
        self.regions = regions

    def fill(self, REGIONTIME[::1] out):
        """Write the next rows to ``out``."""
        self.out = out
        self.filled = 0

    def empty(self):
        """Write the next rows to the start of the output."""
        self.filled = 0

    def forget(self):
        """Forget all regions; the table must be empty."""
        self.n_regions = 1
        self.free_region = 0

    def rows_used(self) -> int:
        """Return the number of rows that were used."""
        return self.n_regions

    cdef void restart(self, int64_t time) noexcept nogil:
        """Count times from ``time`` on, as of the goroutines."""
        cdef WORK *work
        cdef int32_t i
        for i in range(1, self.n_regions):
            work = &self.regions[i]
            work.start = time
            work.exec = work.sched = work.block = work.syscall = work.syscall_block = 0

    cdef int64_t room(self) noexcept nogil:
        """Return the number of regions for which there is room."""
        return self.regions.shape[0] - self.n_regions

    cdef int64_t output(self) noexcept nogil:
        """Return the number of regions for which there is room in the output."""
        return self.out.shape[0] - self.filled

    cdef void snapshot(self, const LIFE *life, int64_t time, WORK *now) noexcept nogil:
        """Set the times of a region to those of a goroutine up to ``time``."""
        cdef uint64_t passed = span(life.since, time)
        now.exec = life.exec + passed * (life.state == GO_STATE_RUNNING)
        now.sched = life.sched + passed * (life.state == GO_STATE_RUNNABLE)
        now.block = life.block + passed * (life.state == GO_STATE_WAITING and not life.over)
        now.syscall = life.syscall
        now.syscall_block = life.syscall_block
        if life.state == GO_STATE_SYSCALL and life.p_lost < 0:
            now.syscall += passed
        elif life.state == GO_STATE_SYSCALL:
            now.syscall += span(life.since, life.p_lost)
            now.syscall_block += span(life.p_lost, time)

    cdef void open(self, LIFE *life, const ORDERED *row, int64_t task, int32_t name) noexcept nogil:
        """Open a region of a goroutine."""
        cdef int32_t region = self.free_region
        cdef WORK *work
        if region:
            self.free_region = self.regions[region].next
        else:
            region = self.n_regions
            self.n_regions = region + 1
        work = &self.regions[region]
        self.snapshot(life, row.time, work)
        work.start = row.time
        work.task = task
        work.name = name
        work.stack = row.stack
        work.next = life.regions
        work.depth = life.n_regions
        work.inherited = False
        life.regions = region
        life.n_regions += 1

    cdef void inherit(self, LIFE *life, const ORDERED *row, int32_t region) noexcept nogil:
        """Open the nameless region of a goroutine that is created in a region."""
        self.open(life, row, self.regions[region].task, 0)
        self.regions[life.regions].inherited = True

    cdef REGIONTIME *put(self, const LIFE *life, const WORK *start, int64_t time, int64_t end) noexcept nogil:
        """Put out a region with the goroutine's times since its start; return its row, which lacks the other fields."""
        cdef REGIONTIME *out = &self.out[self.filled]
        cdef WORK now
        self.snapshot(life, time, &now)
        self.filled = self.filled + 1
        out.start = start.start
        out.end = end
        out.g = life.id
        out.task = start.task
        out.exec = <int64_t> (now.exec - start.exec)
        out.sched = <int64_t> (now.sched - start.sched)
        out.block = <int64_t> (now.block - start.block)
        out.syscall = <int64_t> (now.syscall - start.syscall)
        out.syscall_block = <int64_t> (now.syscall_block - start.syscall_block)
        out.total = <int64_t> span(start.start if start.start >= 0 else life.created, time)
        out.stack = start.stack
        out.name = self.names.row_of(start.name)
        out.depth = start.depth
        out.inherited = start.inherited
        return out

    cdef void put_unseen(self, const LIFE *life, const ORDERED *row, int32_t name) noexcept nogil:
        """Put out a region that ends, but whose start was not seen."""
        cdef WORK unseen
        cdef REGIONTIME *out
        memset(&unseen, 0, sizeof(WORK))
        unseen.start = -1
        unseen.task = row.args[0]
        unseen.name = name
        out = self.put(life, &unseen, row.time, row.time)
        out.end_stack = row.stack
        out.end_kind = REGION_UNSEEN

    cdef void close(self, LIFE *life, int64_t time, int64_t end, int kind, int32_t stack) noexcept nogil:
        """Close the innermost region of a goroutine. Goroutines of the runtime inherit none."""
        cdef int32_t region = life.regions
        cdef WORK *work = &self.regions[region]
        cdef REGIONTIME *out
        if kind == REGION_ENDED or not work.inherited or not self.is_system(life.function):
            out = self.put(life, work, time, end)
            out.end_stack = stack
            out.end_kind = kind
        life.regions = work.next
        life.n_regions -= 1
        work.next = self.free_region
        self.free_region = region

    cdef bint is_system(self, int32_t function) noexcept nogil:
        """Return True for a goroutine of the runtime, and for one whose function is not known, as in Go."""
        return function == 0 or self.names.role_of(function) == ROLE_SYSTEM
