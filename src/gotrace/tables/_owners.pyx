"""Follow the tasks and regions that each goroutine has open: rows of ORDERED come in, labels of allocations go out.

Never here: names.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._generated cimport (
    EV_HEAP_OBJECT_ALLOC,
    EVENT_REGION_BEGIN,
    EVENT_REGION_END,
    EVENT_STATE_TRANSITION,
    EVENT_TASK_BEGIN,
    EVENT_TASK_END,
    GO_STATE_NOT_EXIST,
    OPEN_WORK,
    ORDERED,
    RESOURCE_GOROUTINE,
)
from gotrace._hashmap cimport HashMap, place, remove, value_of

cdef enum:
    # Labels.
    UNKNOWN = 0
    NONE = 1
    ANY = -1
    BACKGROUND = 0      # the task of a region without one
    DEEPEST = 1024      # maximum open tasks and regions of a goroutine; beyond that, its allocations are unknown
    DEEP = -1           # value of a goroutine beyond DEEPEST


@cython.final
cdef class OpenWork:
    """The open tasks and regions of all goroutines, and the active tasks.

    ``goroutines`` maps a goroutine to its innermost row of ``work``, or to DEEP; ``tasks`` maps a task to its row,
    whose id is the goroutine that started it. In ``work``, the id of a region is its task, that of a task ``~task``;
    unused rows are a list from ``work[0].next`` on.
    """

    cdef HashMap goroutines
    cdef HashMap tasks
    cdef OPEN_WORK[::1] work
    cdef bint by_task
    cdef readonly int64_t n_goroutines
    cdef readonly int64_t n_tasks
    cdef readonly int64_t n_work

    def __init__(self, bint by_task):
        self.by_task = by_task

    def bind(self, HashMap goroutines, HashMap tasks, OPEN_WORK[::1] work):
        """Use these tables, which contain the rows so far; new rows of ``work`` are zero."""
        self.goroutines = goroutines
        self.tasks = tasks
        self.work = work

    def follow(self, const ORDERED[::1] rows, const int32_t[::1] names, int32_t[::1] labels):
        """Apply rows in order; set ``labels`` to that of each allocation among them.

        ``names`` has the label of each row's name. Each start of a task or region needs two unused rows of ``work``
        and a place in each map.
        """
        cdef Py_ssize_t i, n = 0
        cdef int64_t task
        with nogil:
            for i in range(rows.shape[0]):
                task = rows[i].args[0]
                if rows[i].type == EV_HEAP_OBJECT_ALLOC:
                    labels[n] = self.label_of(rows[i].g)
                    n += 1
                elif rows[i].kind == EVENT_REGION_BEGIN:
                    self.push(rows[i].g, task, self.label_of_task(task) if self.by_task else names[i])
                elif rows[i].kind == EVENT_REGION_END:
                    self.drop(rows[i].g, task, ANY if self.by_task else names[i])
                elif rows[i].kind == EVENT_TASK_BEGIN and self.by_task:
                    self.start_task(rows[i].g, task, names[i])
                elif rows[i].kind == EVENT_TASK_END and self.by_task:
                    self.drop(self.end_task(rows[i].g, task), ~task, ANY)
                elif (rows[i].kind == EVENT_STATE_TRANSITION and rows[i].resource == RESOURCE_GOROUTINE
                        and rows[i].new == GO_STATE_NOT_EXIST):
                    self.clear(task)

    cdef inline int32_t label_of(self, int64_t g) noexcept nogil:
        cdef int32_t row = value_of(&self.goroutines.map, <uint64_t> g)
        return UNKNOWN if row == DEEP else self.work[row].shown if row else NONE

    cdef inline int32_t label_of_task(self, int64_t task) noexcept nogil:
        cdef int32_t row = value_of(&self.tasks.map, <uint64_t> task)
        if row:
            return self.work[row].label
        return NONE if task == BACKGROUND else UNKNOWN  # an unknown task started before the trace

    cdef inline int32_t unused(self) noexcept nogil:
        cdef int32_t row = self.work[0].next
        if row:
            self.work[0].next = self.work[row].next
            return row
        self.n_work = self.n_work + 1
        return <int32_t> self.n_work

    cdef inline void free(self, int32_t row) noexcept nogil:
        self.work[row].next = self.work[0].next
        self.work[0].next = row

    cdef void start_task(self, int64_t g, int64_t task, int32_t label) noexcept nogil:
        cdef int64_t at = place(&self.tasks.map, <uint64_t> task)
        if self.tasks.map.vals[at] == 0:
            self.tasks.map.keys[at] = <uint64_t> task
            self.tasks.map.vals[at] = self.unused()
            self.n_tasks = self.n_tasks + 1
        self.work[self.tasks.map.vals[at]].id = g
        self.work[self.tasks.map.vals[at]].label = label
        self.push(g, ~task, label)

    cdef int64_t end_task(self, int64_t g, int64_t task) noexcept nogil:
        """Remove a task; return the goroutine that started it, or g if that is not known."""
        cdef int32_t row = value_of(&self.tasks.map, <uint64_t> task)
        if row == 0:
            return g
        g = self.work[row].id
        self.free(row)
        remove(&self.tasks.map, <uint64_t> task)
        self.n_tasks = self.n_tasks - 1
        return g

    cdef void push(self, int64_t g, int64_t id, int32_t label) noexcept nogil:
        cdef int64_t at = place(&self.goroutines.map, <uint64_t> g)
        cdef int32_t outer = self.goroutines.map.vals[at], row
        if outer == DEEP:
            return
        if outer == 0:
            self.goroutines.map.keys[at] = <uint64_t> g
            self.n_goroutines = self.n_goroutines + 1
        elif self.work[outer].depth == DEEPEST:
            self.free_all(outer)
            self.goroutines.map.vals[at] = DEEP
            return
        row = self.unused()
        self.goroutines.map.vals[at] = row
        self.work[row].id = id
        self.work[row].label = label
        self.work[row].next = outer
        self.settle(row)

    cdef inline void settle(self, int32_t row) noexcept nogil:
        """Set what follows from the next outer row."""
        cdef int32_t outer = self.work[row].next, label = self.work[row].label
        self.work[row].depth = self.work[outer].depth + 1 if outer else 1
        self.work[row].shown = label if label != NONE or outer == 0 else self.work[outer].shown

    cdef void drop(self, int64_t g, int64_t id, int32_t label) noexcept nogil:
        """Close the innermost row with an id, of any label or of one; one from before the trace is not open here."""
        cdef int64_t at = place(&self.goroutines.map, <uint64_t> g)
        cdef int32_t row = self.goroutines.map.vals[at], n = 0
        cdef int32_t inner[DEEPEST]
        if row == DEEP:
            return
        while row != 0 and (self.work[row].id != id or label not in (ANY, self.work[row].label)):
            inner[n] = row
            n += 1
            row = self.work[row].next
        if row == 0:
            return
        if n:
            self.work[inner[n - 1]].next = self.work[row].next
        elif self.work[row].next:
            self.goroutines.map.vals[at] = self.work[row].next
        else:
            remove(&self.goroutines.map, <uint64_t> g)
            self.n_goroutines = self.n_goroutines - 1
        self.free(row)
        while n:
            n -= 1
            self.settle(inner[n])

    cdef void free_all(self, int32_t row) noexcept nogil:
        cdef int32_t outer
        while row > 0:
            outer = self.work[row].next
            self.free(row)
            row = outer

    cdef void clear(self, int64_t g) noexcept nogil:
        """Close everything of a goroutine that has ended."""
        cdef int32_t row = value_of(&self.goroutines.map, <uint64_t> g)
        if row:
            self.free_all(row)
            remove(&self.goroutines.map, <uint64_t> g)
            self.n_goroutines = self.n_goroutines - 1
