"""The loop of target ``kernels``: a trace is changed byte by byte and given to the lower kernels, n times.

These are varints, batch headers, structural records, text of records, counts, selection and merge of events, and the
replay that counts objects. Compiled on demand. Never here: Python code between inputs, or what a right result is.
"""
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memmove

from gotrace._generated cimport (
    BATCH, CURSOR, FAULT, FULL, GENERATION_ROW, GROUP, KIND_END, KIND_EVENTS, KIND_SAMPLES, KIND_STACKS, KIND_STRINGS,
    LEAF, OK,
)

import numpy as np

from gotrace import _varint
from gotrace.dtypes import ALLOC, EXPERIMENTAL, What
from gotrace.errors import Status, new_fault
from gotrace.experiments import registry
from gotrace.experiments.allocfree import ANOMALIES, TypeTable
from gotrace.hashing import MULTIPLIER, new_map
from gotrace.heap import _allocs, rows as heap_rows
from gotrace.heap.counts import CountReplay
from gotrace.spec import lookup
from gotrace.spec.enums import EventType
from gotrace.spec.printable import PRINTABLE
from gotrace.spec.sizeclasses import CLASS_BYTES
from gotrace.text import _text, pieces
from gotrace.wire import _batch, _merge, _scan, _structure, rows as row_types
from gotrace.wire._cursor import EventBatches

cdef enum:
    HEADER = 16             # bytes of a trace before its first batch
    MOST_CHANGES = 4        # of an input
    MOST_BYTES = 12         # inserted, removed or copied by a change
    MOST_BATCHES = 64       # that are read
    LARGEST_TEXT = 1 << 16

N_COUNTERS, N_ANOMALIES = max(heap_rows.HeapCounter) + 1, len(ANOMALIES)
EVERYTHING = sum([1 << what for what in What]) + heap_rows.HeapLayout.REPLAY

cdef uint8_t[8] EDGES = [0, 1, 0x34, 0x7F, 0x80, 0x81, 0xFE, 0xFF]


cdef inline uint64_t roll(uint64_t *dice, uint64_t sides) noexcept nogil:
    """Return a number below ``sides`` (xorshift64*)."""
    dice[0] ^= dice[0] >> 12
    dice[0] ^= dice[0] << 25
    dice[0] ^= dice[0] >> 27
    return ((dice[0] * 0x2545F4914F6CDD1Du) >> 33) % sides


cdef Py_ssize_t change(uint8_t *p, Py_ssize_t size, uint64_t *dice) noexcept nogil:
    """Change a few bytes after the header, most of the time without moving others; return the new size."""
    cdef Py_ssize_t at = HEADER + roll(dice, size - HEADER), n, other
    cdef uint64_t kind = roll(dice, 32)
    if kind < 6:
        p[at] ^= 1 << roll(dice, 8)
    elif kind < 12:
        p[at] += 1 if roll(dice, 2) else 255
    elif kind < 16:
        p[at] = <uint8_t> roll(dice, 256)
    elif kind < 20:
        p[at] = EDGES[roll(dice, 8)]
    elif kind < 24:             # a long number over what follows: padded, large, or of more than 64 bits
        n = min(<Py_ssize_t> (1 + roll(dice, MOST_BYTES)), size - at)
        for other in range(at, at + n):
            p[other] = 0x80 if kind < 22 else 0xFF
        p[at + n - 1] = <uint8_t> roll(dice, 3)
    else:
        n = min(<Py_ssize_t> (1 + roll(dice, MOST_BYTES)), size - at)
        other = HEADER + roll(dice, size - HEADER - n + 1)
        if kind < 28:
            memmove(p + at, p + other, n)
        elif kind < 30:         # insert
            memmove(p + at + n, p + at, size - at)
            size += n
        elif kind < 31:
            memmove(p + at, p + at + n, size - at - n)
            size -= n
        else:
            size = at
    return size


cdef int number_generations(BATCH[::1] batches, bint end_marks) noexcept nogil:
    """Set the generations of batches; return their number."""
    cdef Py_ssize_t i
    cdef int gen = 0
    for i in range(batches.shape[0]):
        if i and (batches[i - 1].kind == KIND_END if end_marks else batches[i].generation != batches[i - 1].generation):
            gen += 1
        batches[i].gen = gen
    return gen + 1


cdef int group(BATCH[::1] batches, CURSOR[::1] cursors, GENERATION_ROW[::1] gens, int32_t[::1] order) noexcept nogil:
    """Group event batches by generation and thread; return the number of cursors."""
    cdef Py_ssize_t i, k
    cdef int32_t n = 0, at = 0
    for i in range(batches.shape[0]):
        if batches[i].kind != KIND_EVENTS:
            continue
        for k in range(gens[batches[i].gen].first_cursor, n):
            if gens[batches[i].gen].n_cursors and cursors[k].m == batches[i].m:
                break
        else:
            if gens[batches[i].gen].n_cursors == 0:
                gens[batches[i].gen].first_cursor = n
            gens[batches[i].gen].n_cursors += 1
            cursors[n].m = batches[i].m
            cursors[n].batch = at - 1
            for k in range(i, batches.shape[0]):
                if batches[k].kind == KIND_EVENTS and batches[k].gen == batches[i].gen and batches[k].m == cursors[n].m:
                    order[at] = <int32_t> k
                    at += 1
            cursors[n].last_batch = at
            n += 1
    return n


class SmallReplay(CountReplay):
    """A counting replay with tables so small that small inputs make them grow."""

    def __init__(self):
        self.spans, self.counts = np.empty(2, heap_rows.SPAN), np.zeros(2, heap_rows.COUNTS)
        self.pages, self.stacks, self.loose, self.keys = new_map(4), new_map(4), new_map(4), new_map(4)
        self.leaves, self.cells = np.zeros(2 * LEAF, heap_rows.PAGE), np.empty(GROUP, np.int32)
        self.sizes, self.anomalies = np.zeros(N_COUNTERS, np.int64), np.zeros(N_ANOMALIES, np.int64)
        self.sizes[heap_rows.HeapCounter.LATEST] = INT64_MIN


cdef class Kernels:
    """The lower kernels, and the tables that they need of a trace of one version."""
    cdef object n_args, experiments, kinds, forms, text, state, class_bytes, fault, faults, no_keys, no_vals, slots
    cdef bint sync_batches, end_marks
    cdef readonly int calls

    def __init__(self, version):
        events = registry().events
        self.sync_batches, self.end_marks = version.sync_batches, version.end_marks
        self.n_args = lookup.timed_args(events)
        self.experiments = lookup.experiments(events)
        self.kinds = np.zeros(256, np.uint8)
        self.kinds[[EventType.SPAN, EventType.HEAP_OBJECT, EventType.GOROUTINE_STACK, EventType.GC_BEGIN]] = 1
        ranges = np.array(PRINTABLE, np.uint32)
        self.forms = _text.RecordForms(lookup.wire_args(events), *pieces.line_pieces(events), ranges, self.end_marks)
        self.text = np.empty(LARGEST_TEXT, np.uint8)
        self.state = np.zeros(3, np.uint64)
        self.class_bytes = np.array(CLASS_BYTES, np.int64)
        self.fault, self.faults = new_fault(), np.repeat(new_fault(), 4)
        self.no_keys, self.no_vals = np.empty(1, np.uint64), np.zeros(1, np.int32)
        self.slots = TypeTable().slots

    def run(self, const uint8_t[::1] trace, uint64_t seed, int n, uint8_t[::1] shown, int64_t[::1] shown_size):
        """Read ``n`` changed copies of a trace; each is written to ``shown`` before it is read."""
        cdef uint64_t dice = seed | 1
        cdef Py_ssize_t size
        cdef uint8_t[::1] data
        for _ in range(n):
            size = trace.shape[0]
            shown_size[0] = 0
            memcpy(&shown[0], &trace[0], size)
            for _ in range(<int> (1 + roll(&dice, MOST_CHANGES))):
                if size > HEADER:
                    size = change(&shown[0], size, &dice)
            shown_size[0] = size
            array = np.empty(size, np.uint8)
            data = array
            memcpy(&data[0], &shown[0], size)
            self.read(array)

    cpdef int read(self, object data) except -1:
        """Give an input to the kernels, in arrays of exactly the size that the package gives them."""
        cdef BATCH[::1] batches
        cdef GENERATION_ROW[::1] gens
        cdef FAULT[::1] fault = self.fault
        cdef Py_ssize_t size = len(data), i, n_batches, strings = 0, stacks = 0, samples = 0
        cdef int n_gens, n_cursors, status
        n = _varint.count(data)
        numbers = np.empty(n, np.uint64)
        _varint.decode(data, numbers)
        _varint.encode(numbers, np.empty(10 * n, np.uint8))
        self.state[:] = 0
        _text.wire(self.forms, data, 0, HEADER, True, self.state, self.text, self.fault)
        _batch.resume(data, HEADER, size, True, 3)
        rows = np.empty(MOST_BATCHES, row_types.BATCH)
        n_batches, _ = _batch.scan(
            data, 0, HEADER, size, True, self.sync_batches, self.end_marks, rows, 0, self.fault
        )
        self.calls += 6
        if n_batches == 0:
            return 0
        rows = rows[:n_batches].copy()
        batches = rows
        n_gens = number_generations(batches, self.end_marks)
        for i in range(n_batches):
            strings += batches[i].size * (batches[i].kind == KIND_STRINGS)
            stacks += batches[i].size * (batches[i].kind == KIND_STACKS)
            samples += batches[i].size * (batches[i].kind == KIND_SAMPLES)
        _structure.Records(
            np.empty(strings // 3 + 1, row_types.RAW_STRING), np.empty(stacks // 3 + 1, row_types.RAW_STACK),
            np.empty(stacks // 4 + 1, np.int32), np.empty(stacks // 4 + 1, row_types.RAW_PC),
            np.empty(samples // 6 + 1, row_types.RAW_SAMPLE), np.zeros(n_gens, row_types.CLOCK),
            np.zeros(64, row_types.PC_CACHE), MULTIPLIER,
        ).parse(data, 0, rows, self.sync_batches, self.fault)
        self.calls += 1
        cursors = np.zeros(n_batches, row_types.CURSOR)
        generations = np.zeros(n_gens, row_types.GENERATION_ROW)
        gens = generations
        order = np.zeros(n_batches, np.int32)
        n_cursors = group(batches, cursors, gens, order)
        if n_cursors == 0:
            return 0
        cursors = cursors[:n_cursors]
        for i in range(n_gens):
            gens[i].factor = 64.0
            gens[i].object_align = 8
            gens[i].stack_align = 2048
            gens[i].page_shift = 13
        source = EventBatches(data, 0, rows, order, self.n_args)
        ends = np.zeros(n_gens, np.int64)
        _scan.count(source, generations, cursors.copy(), np.zeros((n_gens, 256), np.int64), ends, self.fault)
        _scan.marks(source, generations, cursors.copy(), self.kinds, np.empty(8, row_types.PICKED))
        self.calls += 2
        merge = self.merge(source, generations, cursors)
        found = np.empty(32, EXPERIMENTAL)
        fault[0].status = FULL
        while fault[0].status == FULL:
            _scan.experimental(merge, self.experiments, found, self.fault)
            self.calls += 1
        heap = SmallReplay()
        extractor = _allocs.Extractor(
            self.merge(source, generations, cursors), self.no_keys, self.no_vals, MULTIPLIER, self.class_bytes,
            self.slots, EVERYTHING, self.fault,
        )
        extractor.bind(heap.tables())
        found = np.empty(32, ALLOC)
        status = FULL
        while status > OK:
            extractor.take(found)
            self.calls += 1
            status = fault[0].status
            if status > FULL:
                heap.grow(Status(status))
                extractor.bind(heap.tables())
        _scan.trim(source, cursors, self.faults)
        self.calls += 1
        return 0

    cdef object merge(self, object source, object gens, object cursors):
        n = len(cursors)
        pool = np.zeros(row_types.LEAST_DECODED * n, row_types.COMPACT)
        return _merge.Merge(
            source, gens, cursors.copy(), np.zeros(n, row_types.CONTEXT), np.arange(n, dtype=np.int32),
            np.empty(n, np.int32), pool, False,
        )
