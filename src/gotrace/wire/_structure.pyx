"""Structural batches decoded: strings, stacks, CPU samples and clocks become rows, and ids become row numbers.

Holds the layout of structural records and the bounds on their counts. Never here: str objects, events.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport (
    BATCH, CLOCK, DUPLICATE_STACK, DUPLICATE_STRING, EV_CLOCK_SNAPSHOT, EV_CPU_SAMPLE, EV_FREQUENCY, EV_STACK,
    EV_STRING, FAULT, KIND_SAMPLES, KIND_STACKS, KIND_STRINGS, KIND_SYNC, MAX_FRAMES, MAX_STRING, OK, PC_CACHE, RAW_PC,
    RAW_SAMPLE, RAW_STACK, RAW_STRING, SECOND_CLOCK, SECOND_FREQUENCY, STACK_TOO_DEEP, STRING_CUT, STRING_TOO_LONG,
    WRONG_RECORD, ZERO_FREQUENCY,
)
from gotrace._hashmap cimport IdIndex, IdMap, log2, open_map, place, value_of
from gotrace._varint cimport ends64, load64, lowest, read_uvarint, sevens

cdef enum:
    WINDOW = 64         # bytes whose varint ends are found at once
    SHORT = 9           # bytes of a varint that cannot have more than 64 bits


cdef inline int numbers(const uint8_t **p, const uint8_t *end, uint64_t *out, int n) noexcept nogil:
    """Read n varints and advance p past them. Returns OK or a status; p is then at the varint that failed."""
    cdef int i, got
    for i in range(n):
        got = read_uvarint(p[0], end, &out[i])
        if got < 0:
            return got
        p[0] += got
    return OK


cdef struct Reader:
    # The input of records and the arrays for their rows.
    const uint8_t *start            # the byte at absolute offset ``base``
    int64_t base
    FAULT *fault
    RAW_STRING *strings
    RAW_STACK *stacks
    int32_t *frames
    RAW_PC *pcs
    PC_CACHE *near
    int near_shift
    uint64_t multiplier
    RAW_SAMPLE *samples
    int64_t n_strings, n_stacks, n_frames, n_pcs, n_samples


cdef int strings_of(Reader *r, const uint8_t *p, const uint8_t *end, const BATCH *batch) noexcept nogil:
    cdef RAW_STRING *row
    cdef FAULT *fault = r.fault
    cdef uint64_t field[2]
    cdef int status
    while p < end:
        fault.offset = p - r.start + r.base
        row = &r.strings[r.n_strings]
        row.offset = fault.offset
        if p[0] != EV_STRING:
            fault.detail = p[0]
            return WRONG_RECORD
        p += 1
        status = numbers(&p, end, field, 2)
        if status < 0:
            fault.offset = p - r.start + r.base
            return status
        fault.detail = field[1]
        if field[1] > MAX_STRING:
            fault.limit = MAX_STRING
            return STRING_TOO_LONG
        if field[1] > <uint64_t> (end - p):
            fault.limit = end - p
            return STRING_CUT
        if field[0] == 0:
            fault.detail = 0
            return DUPLICATE_STRING
        row.id = field[0]
        row.at = p - r.start
        row.length = <int32_t> field[1]
        row.gen = batch.gen
        r.n_strings += 1
        p += field[1]
    return OK


cdef inline uint64_t without_three(uint64_t bits) noexcept nogil:
    """Clear the three lowest set bits."""
    bits &= bits - 1
    bits &= bits - 1
    return bits & (bits - 1)


cdef int stacks_of(Reader *r, const uint8_t *p, const uint8_t *end, const BATCH *batch) noexcept nogil:
    cdef FAULT *fault = r.fault
    cdef int32_t *frame = r.frames + r.n_frames
    cdef uint64_t field[4]
    cdef uint64_t ends, fourth      # ends of the varints in the window, from p on
    cdef uint32_t at, first, last
    cdef int _frame
    cdef int status
    cdef const uint8_t *window = p
    cdef RAW_STACK row
    cdef RAW_PC *pc
    cdef PC_CACHE *met
    while p < end:
        fault.offset = p - r.start + r.base
        row.offset = fault.offset
        r.stacks[r.n_stacks].offset = fault.offset
        if p[0] != EV_STACK:
            fault.detail = p[0]
            return WRONG_RECORD
        p += 1
        status = numbers(&p, end, field, 2)
        if status < 0:
            fault.offset = p - r.start + r.base
            return status
        if field[1] > MAX_FRAMES:
            fault.detail = field[1]
            fault.limit = MAX_FRAMES
            return STACK_TOO_DEEP
        row.id = field[0]
        row.first = frame - r.frames
        row.n_frames = <int32_t> field[1]
        row.gen = batch.gen
        ends = 0
        for _frame in range(row.n_frames):
            fourth = without_three(ends)
            if fourth == 0 and end - p >= WINDOW + 8:
                window = p
                ends = ends64(p)
                fourth = without_three(ends)
            if fourth:
                at = <uint32_t> (p - window)
                first = lowest(ends) - at
                last = lowest(fourth) - at
                if first < 8 and last - first <= SHORT + 2:     # the other two varints take at least a byte each
                    field[0] = sevens(load64(p) & (~<uint64_t> 0 >> (56 - 8 * first)))
                    met = &r.near[(field[0] * r.multiplier) >> r.near_shift]
                    if met.pc == field[0] and met.gen == batch.gen + 1:
                        frame[0] = met.row
                        frame += 1
                        p += last + 1
                        ends = fourth & (fourth - 1)
                        continue
            ends = 0
            status = numbers(&p, end, field, 4)
            if status < 0:
                fault.offset = p - r.start + r.base
                return status
            met = &r.near[(field[0] * r.multiplier) >> r.near_shift]
            if met.pc != field[0] or met.gen != batch.gen + 1:
                met.pc = field[0]
                met.gen = batch.gen + 1
                met.row = <int32_t> r.n_pcs
                pc = &r.pcs[r.n_pcs]
                pc.pc = field[0]
                pc.function = field[1]
                pc.file = field[2]
                pc.line = field[3]
                pc.stack = <int32_t> r.n_stacks
                pc.gen = batch.gen
                r.n_pcs += 1
            frame[0] = met.row
            frame += 1
        if row.id == 0:
            fault.detail = 0
            return DUPLICATE_STACK
        r.stacks[r.n_stacks] = row
        r.n_stacks += 1
        r.n_frames = frame - r.frames
    return OK


cdef int samples_of(Reader *r, const uint8_t *p, const uint8_t *end, const BATCH *batch) noexcept nogil:
    cdef RAW_SAMPLE *row
    cdef FAULT *fault = r.fault
    cdef int status
    while p < end:
        fault.offset = p - r.start + r.base
        row = &r.samples[r.n_samples]
        row.offset = fault.offset
        if p[0] != EV_CPU_SAMPLE:
            fault.detail = p[0]
            return WRONG_RECORD
        p += 1
        status = numbers(&p, end, row.args, 5)
        if status < 0:
            fault.offset = p - r.start + r.base
            return status
        row.gen = batch.gen
        r.n_samples += 1
    return OK


cdef int clock_of(Reader *r, const uint8_t *p, const uint8_t *end, const BATCH *batch, CLOCK *clock,
                  bint snapshots) noexcept nogil:
    cdef FAULT *fault = r.fault
    cdef uint64_t field[4]
    cdef uint64_t last = batch.time
    cdef int status
    while p < end:
        fault.offset = p - r.start + r.base
        if p[0] == EV_FREQUENCY:
            if clock.n_frequencies:
                return SECOND_FREQUENCY
            p += 1
            status = numbers(&p, end, field, 1)
            if status == OK and field[0] == 0:
                return ZERO_FREQUENCY
            clock.frequency = field[0]
            clock.n_frequencies = 1
        elif p[0] == EV_CLOCK_SNAPSHOT and snapshots:
            if clock.n_snapshots:
                return SECOND_CLOCK
            p += 1
            status = numbers(&p, end, field, 4)
            last += field[0]
            clock.time = last
            clock.mono = field[1]
            clock.sec = <int64_t> field[2]
            clock.nsec = <int64_t> field[3]
            clock.n_snapshots = 1
        else:
            fault.detail = p[0]
            return WRONG_RECORD
        if status < 0:
            fault.offset = p - r.start + r.base
            return status
    return OK


@cython.final
cdef class Records:
    """Arrays for the rows of a segment's structural records.

    They must hold the most records that the batches can contain: a string per 3 bytes of string batches, a stack per
    3 bytes of stack batches, a frame and a pc per 4, a sample per 6. ``frames`` are rows of pcs. ``near``, of ``2**n``
    zeros, is a cache of recent pcs; a pc that it has lost gets another row.
    """
    cdef Reader reader
    cdef object kept
    cdef CLOCK[::1] clocks

    def __init__(self, RAW_STRING[::1] strings, RAW_STACK[::1] stacks, int32_t[::1] frames, RAW_PC[::1] pcs,
                 RAW_SAMPLE[::1] samples, CLOCK[::1] clocks, PC_CACHE[::1] near, uint64_t multiplier):
        cdef Reader *r = &self.reader
        self.kept = (strings, stacks, frames, pcs, samples, near)
        r.strings, r.stacks, r.frames, r.pcs, r.samples = &strings[0], &stacks[0], &frames[0], &pcs[0], &samples[0]
        r.near, r.near_shift, r.multiplier = &near[0], 64 - log2(near.shape[0]), multiplier
        self.clocks = clocks

    def parse(self, const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, bint sync_batches,
              FAULT[::1] faults) -> tuple[int, int, int, int, int]:
        """Read all structural batches in file order; return ``(n_strings, n_stacks, n_frames, n_pcs, n_samples)``.

        On a fault, faults[0] gives its place, and the row after the last one has the offset of the record at fault.
        """
        cdef Py_ssize_t i
        cdef Reader *r = &self.reader
        cdef const uint8_t *p
        cdef const uint8_t *end
        cdef const BATCH *batch
        cdef FAULT *fault = &faults[0]
        cdef int status = OK
        fault.status = OK
        fault.type = -1
        r.n_strings = r.n_stacks = r.n_frames = r.n_pcs = r.n_samples = 0
        if data.shape[0] == 0:
            return 0, 0, 0, 0, 0
        r.start, r.base, r.fault = &data[0], base, fault
        with nogil:
            for i in range(batches.shape[0]):
                batch = &batches[i]
                if not KIND_STRINGS <= batch.kind <= KIND_SYNC:
                    continue
                p = r.start + (batch.offset - base + batch.head)
                end = p + batch.size
                if batch.kind == KIND_STRINGS:
                    status = strings_of(r, p + 1, end, batch)
                elif batch.kind == KIND_STACKS:
                    status = stacks_of(r, p + 1, end, batch)
                elif batch.kind == KIND_SAMPLES:
                    status = samples_of(r, p + 1, end, batch)
                else:
                    status = clock_of(r, p + sync_batches, end, batch, &self.clocks[batch.gen], sync_batches)
                if status != OK:
                    fault.status = status
                    fault.batch = <int> i
                    break
        return r.n_strings, r.n_stacks, r.n_frames, r.n_pcs, r.n_samples


cdef inline int64_t row_of(const IdMap *strings, uint64_t text) noexcept nogil:
    return value_of(strings, text) - 1 if strings.vals != NULL else -1


def resolve(const RAW_PC[::1] pcs, IdIndex pc_index, IdIndex strings, int64_t[::1] first, int64_t[::1] functions,
            int64_t[::1] files, int32_t[::1] frames) -> int:
    """Resolve frames: the first frame of a pc in its generation defines the pc (FORMAT 3.3).

    ``first[i]`` is set to the first row of the pc in row i, and each of ``frames`` to such a row. ``functions`` and
    ``files`` of these rows are set to rows of strings, -1 if there is none; other rows are left unchanged. Returns the
    first row that names a string missing from its generation, or -1. ``pc_index`` must be empty, with room for all pcs.
    """
    cdef Py_ssize_t i
    cdef int64_t slot, dangling = -1
    cdef int32_t gen = -1, row
    cdef IdMap known, names
    open_map(&known, NULL, NULL, 1, 0)
    open_map(&names, NULL, NULL, 1, 0)
    with nogil:
        for i in range(pcs.shape[0]):
            if pcs[i].gen != gen:
                gen = pcs[i].gen
                pc_index.open(&known, gen)
                strings.open(&names, gen)
            slot = place(&known, pcs[i].pc)
            row = known.vals[slot] - 1
            if row < 0:
                row = <int32_t> i
                known.keys[slot] = pcs[i].pc
                known.vals[slot] = row + 1
                functions[i] = row_of(&names, pcs[i].function)
                files[i] = row_of(&names, pcs[i].file)
                if dangling < 0 and ((pcs[i].function and functions[i] < 0) or (pcs[i].file and files[i] < 0)):
                    dangling = i
            first[i] = row
        for i in range(frames.shape[0]):
            frames[i] = <int32_t> first[frames[i]]
    return dangling
