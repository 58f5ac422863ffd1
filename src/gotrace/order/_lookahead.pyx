"""Decoded events of each thread, ahead of the ordering; events that change no state are copied in bulk.

A segment's event batches come in; each thread's current event goes out, with the table rows of its stack and string.
Events that need only their thread's context go out as ORDERED rows. Never here: the order of threads, the meaning of
an event.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from gotrace._generated cimport AHEAD, CURSOR, DECODED, EVENT, FAULT, MORE, OK, ORDERED, RING, SPEC
from gotrace._hashmap cimport IdIndex, IdMap, value_of
from gotrace.wire._cursor cimport END_OF_CURSOR, EventBatches, args_at, refill
from gotrace.wire._prefetch cimport Prefetcher, go_on, open_rings, take


cdef inline int32_t row_of(const IdMap *ids, uint64_t id, int32_t base) noexcept nogil:
    """Return the row of an id in the trace's table; 0 for id 0, -1 for an unknown id."""
    cdef int32_t found
    if id == 0:
        return 0
    found = value_of(ids, id) if ids.keys != NULL else 0
    return base + found - 1 if found else -1


cdef void enter_names(NamePrefetcher ahead, int64_t gen) noexcept nogil:
    """Open the id tables of a generation."""
    ahead.string_index.open(&ahead.names.strings, gen)
    ahead.stack_index.open(&ahead.names.stacks, gen)


cdef inline int32_t lot_at(const Names *names, int i, int32_t place) noexcept nogil:
    """Return the first pool row of lot ``place`` in the ring of thread ``i``."""
    return (i * RING + place) * names.ahead


cdef int fill_named_lot(void *own, int slot, int32_t place, bint helping, FAULT *fault) noexcept nogil:
    """Decode a thread's next lot and set the table rows of each event's first stack and first string."""
    cdef Names *names = <Names *> own
    cdef DECODED *events = names.pool + lot_at(names, slot, place)
    cdef const SPEC *spec
    cdef int i, n = refill(&names.stream, &names.cursors[slot], events, names.ahead, fault)
    for i in range(n):
        if names.stream.skip_args and events[i].type >= 128:
            continue
        spec = &names.spec[events[i].type]
        if spec.stack >= 0:
            events[i].stack = row_of(&names.stacks, events[i].args[spec.stack], names.stack_base)
        if spec.string >= 0:
            events[i].name = row_of(&names.strings, events[i].args[spec.string], names.string_base)
    return n


@cython.final
cdef class NamePrefetcher(Prefetcher):
    """Prefetcher of up to ``n`` threads whose events carry the rows of their stacks and strings."""

    def __init__(self, int n, EventBatches source, const SPEC[::1] spec, IdIndex strings, int string_base,
                 IdIndex stacks, int stack_base):
        self.kept = (source, spec)
        self.string_index = strings
        self.stack_index = stacks
        self.names.spec = &spec[0]
        self.names.string_base = string_base
        self.names.stack_base = stack_base
        self.reserve(n)
        self.names.cursors = <CURSOR *> calloc(n + 1, sizeof(CURSOR))
        if self.names.cursors == NULL:
            raise MemoryError
        self.parts.own = &self.names
        self.parts.make = fill_named_lot

    def __dealloc__(self):
        free(self.names.cursors)


cdef inline void put_args(ORDERED *row, const DECODED *event) noexcept nogil:
    """Fill the fields of ORDERED that EVENT lacks."""
    memcpy(row.args, event.args, sizeof(row.args))
    memset(&row.stack2, 0, 16)


@cython.final
cdef class Lookahead:
    """A slab's cursors and their next events, decoded into ``pool``; ``CURSOR.at`` is a lot's current event."""

    def __init__(self, EventBatches source, const SPEC[::1] spec, CURSOR[::1] cursors, DECODED[::1] pool,
                 FAULT[::1] faults, NamePrefetcher ahead=None):
        cdef int i
        self.source = source
        self.spec = spec
        self.cursors = cursors
        self.pool = pool
        self.faults = faults
        self.kept = ahead
        self.names = NULL if ahead is None else &ahead.names
        self.stream = source.stream
        self.nameless = True
        for i in range(128, 256):
            self.nameless &= spec[i].stack & spec[i].string == -1

    cpdef object fill(self, ORDERED[:] rows):
        """Set the rows that ``copy_through`` writes; the caller keeps them alive."""
        self.rows = <char *> &rows[0]
        self.stride = rows.strides[0]
        self.whole = self.stride >= <Py_ssize_t> sizeof(ORDERED)
        self.stream.skip_args = self.nameless and not self.whole
        self.room = <int> rows.shape[0]

    cpdef void begin(self, int gen, int first, int n_cursors, double factor) noexcept nogil:
        """Divide the pool among the cursors of a generation and start its background thread, if any."""
        cdef int i, lots = max(n_cursors, 1) * (1 if self.names == NULL else RING)
        self.ahead = <int> min(self.pool.shape[0] // lots, <Py_ssize_t> AHEAD)
        self.stream.factor = factor
        if self.names == NULL:
            for i in range(n_cursors):
                self.cursors[first + i].first = i * self.ahead
            return
        open_rings(&self.kept.parts, n_cursors)
        self.first = first
        self.names.stream = self.stream
        self.names.pool = &self.pool[0]
        self.names.ahead = self.ahead
        enter_names(self.kept, gen)
        for i in range(n_cursors):
            self.names.cursors[i] = self.cursors[first + i]
        go_on(&self.kept.parts)

    cpdef int decode(self, int cursor) noexcept nogil:
        """Decode a cursor's next events; return OK, MORE at its end, or the status of a fault."""
        cdef CURSOR *thread = &self.cursors[cursor]
        cdef int32_t place = 0
        thread.at = 0
        if self.names == NULL:
            thread.n = refill(&self.stream, thread, &self.pool[thread.first], self.ahead, &self.faults[0])
        else:
            thread.n = take(&self.kept.parts, cursor - self.first, &place, &self.faults[0])
            if thread.n:
                thread.first = lot_at(self.names, cursor - self.first, place)
        if thread.n:
            return OK
        return MORE if self.faults[0].status == END_OF_CURSOR else self.faults[0].status

    def args(self, int place) -> list[int]:
        """Return the arguments of the event in row ``place`` of the pool."""
        cdef uint64_t[4] args
        args_at(&self.stream, self.pool[place].start, args)
        return [<int64_t> number for number in args]

    cpdef int look_ahead(self, int cursor) noexcept nogil:
        """Return the type of the event after a cursor's current one, 0 at its end; the current event may move."""
        cdef CURSOR *thread = &self.cursors[cursor]
        cdef DECODED *lot = &self.pool[thread.first]
        if thread.at + 1 == thread.n:
            lot[0] = lot[thread.at]
            thread.at = 0
            thread.n = 1 + refill(&self.stream, thread, lot + 1, self.ahead - 1, &self.faults[0])
        return lot[thread.at + 1].type if thread.at + 1 < thread.n else 0

    cpdef int copy_through(self, int cursor, int64_t bound, int64_t g, int64_t p, uint32_t generation) noexcept nogil:
        """Write a cursor's events from row ``n`` on, while they change no state and are not later than ``bound``.

        A row counts only once the event after its own is decoded. No row is written if the first event needs more than
        this context.
        """
        cdef CURSOR *thread = &self.cursors[cursor]
        cdef const SPEC *specs = &self.spec[0]
        cdef const SPEC *spec
        cdef const DECODED *lot = &self.pool[thread.first]
        cdef const DECODED *event = lot + thread.at
        cdef const DECODED *end = lot + thread.n
        cdef Py_ssize_t stride = self.stride
        cdef ORDERED *row = <ORDERED *> (self.rows + self.n * stride)
        cdef int status = OK, n = self.n, room = self.room, most = 1 if p == -1 else 2
        cdef int64_t last = self.last, time, m = thread.m, base = self.stream.base
        cdef bint whole = self.whole
        while n < room and event.time <= bound:
            spec = &specs[event.type]
            if <uint8_t> (spec.bulk - 1) >= most:
                break
            time = event.time if event.time > last else last + 1
            row.time = time
            row.offset = base + event.start
            row.g = g
            row.m = m
            row.stack = 0
            row.p = <int32_t> p
            row.generation = generation
            row.kind = spec.kind
            row.type = event.type
            row.part = row.zero = 0
            if whole:
                put_args(row, event)
            event += 1
            if event == end:
                status = self.decode(cursor)
                if status < 0:
                    break
                lot = event = &self.pool[thread.first]
                end = lot + thread.n
            last = time
            n += 1
            row = <ORDERED *> (<char *> row + stride)
            if status == MORE:
                break
        if status == OK:
            thread.at = <int32_t> (event - lot)
        self.n = n
        self.last = last
        return status


def take_events(const ORDERED[::1] rows, EVENT[::1] out):
    """Copy the fields of EVENT from ORDERED rows, which start with them."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(rows.shape[0]):
            memcpy(&out[i], &rows[i], sizeof(EVENT))
