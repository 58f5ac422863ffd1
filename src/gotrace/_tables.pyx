"""Structural batches: strings, stacks, CPU samples and clocks become rows; ids become row numbers.

Lives here: the layout of structural records and the bounds on their counts. Never here: str objects, events.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport (
    BATCH, CLOCK, DUPLICATE_STACK, DUPLICATE_STRING, FAULT, KIND_SAMPLES, KIND_STACKS, KIND_STRINGS,
    KIND_SYNC, MAX_FRAMES, MAX_STRING, NEAR_PC, OK, RAW_PC, RAW_SAMPLE, RAW_STACK, RAW_STRING, SECOND_CLOCK,
    SECOND_FREQUENCY, STACK_TOO_DEEP, STRING_CUT, STRING_TOO_LONG, WRONG_RECORD, ZERO_FREQUENCY,
)
from gotrace._idmap cimport IdMap, find as find_id, open_map, place
from gotrace._varint cimport ends64, load64, lowest, read_uvarint, sevens

cdef enum:
    WINDOW = 64         # bytes whose varint ends are found at once
    SHORT = 9           # bytes of a number that has at most 64 bits for sure


cdef inline int numbers(const uint8_t **p, const uint8_t *end, uint64_t *out, int n) noexcept nogil:
    """Read n varints and step over them; OK or a status, p then at the one that failed."""
    cdef int i, got
    for i in range(n):
        got = read_uvarint(p[0], end, &out[i])
        if got < 0:
            return got
        p[0] += got
    return OK


cdef int strings_of(const uint8_t *start, const uint8_t *p, const uint8_t *end, int64_t base, const BATCH *batch,
                    RAW_STRING *rows, int64_t *n, FAULT *fault) noexcept nogil:
    cdef uint64_t field[2]
    cdef int status
    while p < end:
        fault.offset = p - start + base
        rows[n[0]].offset = fault.offset
        if p[0] != 5:
            fault.detail = p[0]
            return WRONG_RECORD
        p += 1
        status = numbers(&p, end, field, 2)
        if status < 0:
            fault.offset = p - start + base
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
        rows[n[0]].id = field[0]
        rows[n[0]].at = p - start
        rows[n[0]].length = <int32_t> field[1]
        rows[n[0]].gen = batch.gen
        n[0] += 1
        p += field[1]
    return OK


cdef inline uint64_t without_three(uint64_t bits) noexcept nogil:
    """Bits without the three lowest ones."""
    bits &= bits - 1
    bits &= bits - 1
    return bits & (bits - 1)


cdef int stacks_of(const uint8_t *start, const uint8_t *p, const uint8_t *end, int64_t base, const BATCH *batch,
                   RAW_STACK *rows, int64_t *n, int32_t *frames, int64_t *n_frames, RAW_PC *pcs, int64_t *n_pcs,
                   NEAR_PC *near, int near_shift, uint64_t multiplier, FAULT *fault) noexcept nogil:
    cdef uint64_t field[4]
    cdef uint64_t ends, fourth      # where numbers end in the window, from p on
    cdef uint32_t at, first, last
    cdef int _frame
    cdef int status
    cdef const uint8_t *window = p
    cdef RAW_STACK row
    cdef RAW_PC *pc
    cdef NEAR_PC *met
    while p < end:
        fault.offset = p - start + base
        row.offset = fault.offset
        rows[n[0]].offset = fault.offset
        if p[0] != 3:
            fault.detail = p[0]
            return WRONG_RECORD
        p += 1
        status = numbers(&p, end, field, 2)
        if status < 0:
            fault.offset = p - start + base
            return status
        if field[1] > MAX_FRAMES:
            fault.detail = field[1]
            fault.limit = MAX_FRAMES
            return STACK_TOO_DEEP
        row.id = field[0]
        row.first = n_frames[0]
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
                if first < 8 and last - first <= SHORT + 2:     # the other two have a byte each, at least
                    field[0] = sevens(load64(p) & (~<uint64_t> 0 >> (56 - 8 * first)))
                    met = &near[(field[0] * multiplier) >> near_shift]
                    if met.pc == field[0] and met.gen == batch.gen + 1:
                        frames[n_frames[0]] = met.row
                        n_frames[0] += 1
                        p += last + 1
                        ends = fourth & (fourth - 1)
                        continue
            ends = 0
            status = numbers(&p, end, field, 4)
            if status < 0:
                fault.offset = p - start + base
                return status
            met = &near[(field[0] * multiplier) >> near_shift]
            if met.pc != field[0] or met.gen != batch.gen + 1:
                met.pc = field[0]
                met.gen = batch.gen + 1
                met.row = <int32_t> n_pcs[0]
                pc = &pcs[n_pcs[0]]
                pc.pc = field[0]
                pc.function = field[1]
                pc.file = field[2]
                pc.line = field[3]
                pc.stack = <int32_t> n[0]
                pc.gen = batch.gen
                n_pcs[0] += 1
            frames[n_frames[0]] = met.row
            n_frames[0] += 1
        if row.id == 0:
            fault.detail = 0
            return DUPLICATE_STACK
        rows[n[0]] = row
        n[0] += 1
    return OK


cdef int samples_of(const uint8_t *start, const uint8_t *p, const uint8_t *end, int64_t base, const BATCH *batch,
                    RAW_SAMPLE *rows, int64_t *n, FAULT *fault) noexcept nogil:
    cdef int status
    while p < end:
        fault.offset = p - start + base
        rows[n[0]].offset = fault.offset
        if p[0] != 7:
            fault.detail = p[0]
            return WRONG_RECORD
        p += 1
        status = numbers(&p, end, rows[n[0]].args, 5)
        if status < 0:
            fault.offset = p - start + base
            return status
        rows[n[0]].gen = batch.gen
        n[0] += 1
    return OK


cdef int clock_of(const uint8_t *start, const uint8_t *p, const uint8_t *end, int64_t base, const BATCH *batch,
                  bint snapshots, CLOCK *clock, FAULT *fault) noexcept nogil:
    cdef uint64_t field[4]
    cdef uint64_t last = batch.time
    cdef int status
    while p < end:
        fault.offset = p - start + base
        if p[0] == 8:
            if clock.n_frequencies:
                return SECOND_FREQUENCY
            p += 1
            status = numbers(&p, end, field, 1)
            if status == OK and field[0] == 0:
                return ZERO_FREQUENCY
            clock.frequency = field[0]
            clock.n_frequencies = 1
        elif p[0] == 51 and snapshots:
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
            fault.offset = p - start + base
            return status
    return OK


def parse(const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, bint sync_batches,
          RAW_STRING[::1] strings, RAW_STACK[::1] stacks, int32_t[::1] frames, RAW_PC[::1] pcs, NEAR_PC[::1] near,
          int near_bits, uint64_t multiplier, RAW_SAMPLE[::1] samples, CLOCK[::1] clocks, FAULT[::1] faults):
    """Read all structural batches in file order; ``(n_strings, n_stacks, n_frames, n_pcs, n_samples)``.

    The outputs must have room for all that their batches can hold: a string for each 3 bytes of strings
    batches, a stack for each 3 bytes, a frame and a pc for each 4, a sample for each 6. ``frames`` are rows of pcs.
    A pc may have several rows: ``near``, of 2**near_bits zeros, remembers only so many. faults[0] says where it
    stopped; the row behind the last one then has the offset of the record at fault.
    """
    cdef Py_ssize_t i
    cdef int64_t at, n_strings = 0, n_stacks = 0, n_frames = 0, n_pcs = 0, n_samples = 0
    cdef const uint8_t *start
    cdef const uint8_t *p
    cdef const uint8_t *end
    cdef RAW_STRING *string = &strings[0]
    cdef RAW_STACK *stack = &stacks[0]
    cdef int32_t *frame = &frames[0]
    cdef RAW_PC *pc = &pcs[0]
    cdef RAW_SAMPLE *sample = &samples[0]
    cdef FAULT *fault = &faults[0]
    cdef int status = OK
    fault.status = OK
    fault.type = -1
    if data.shape[0] == 0:
        return 0, 0, 0, 0, 0
    with nogil:
        start = &data[0]
        for i in range(batches.shape[0]):
            if not KIND_STRINGS <= batches[i].kind <= KIND_SYNC:
                continue
            at = batches[i].offset - base + batches[i].head
            p = start + at
            end = p + batches[i].size
            if batches[i].kind == KIND_STRINGS:
                status = strings_of(start, p + 1, end, base, &batches[i], string, &n_strings, fault)
            elif batches[i].kind == KIND_STACKS:
                status = stacks_of(start, p + 1, end, base, &batches[i], stack, &n_stacks, frame, &n_frames, pc,
                                   &n_pcs, &near[0], 64 - near_bits, multiplier, fault)
            elif batches[i].kind == KIND_SAMPLES:
                status = samples_of(start, p + 1, end, base, &batches[i], sample, &n_samples, fault)
            else:
                status = clock_of(start, p + sync_batches, end, base, &batches[i], sync_batches,
                                  &clocks[batches[i].gen], fault)
            if status != OK:
                fault.status = status
                fault.batch = <int> i
                break
    return n_strings, n_stacks, n_frames, n_pcs, n_samples


def index(const uint64_t[::1] ids, const int32_t[::1] gens, const int64_t[::1] at, const uint8_t[::1] bits,
          uint64_t multiplier, uint64_t[::1] keys, int32_t[::1] vals, int64_t[::1] first):
    """Enter each id under its generation; first[i] becomes the row that entered ids[i] first.

    Generation g owns the 2**bits[g] places from at[g] on in keys and vals, more than it has ids; vals start
    at 0 and become row + 1.
    """
    cdef Py_ssize_t i
    cdef int64_t slot
    cdef IdMap table
    with nogil:
        for i in range(ids.shape[0]):
            open_map(&table, &keys[at[gens[i]]], &vals[at[gens[i]]], bits[gens[i]], multiplier)
            slot = place(&table, ids[i])
            if table.vals[slot] == 0:
                table.keys[slot] = ids[i]
                table.vals[slot] = <int32_t> (i + 1)
            first[i] = table.vals[slot] - 1


def find(const uint64_t[::1] ids, const int32_t[::1] gens, const int64_t[::1] at, const uint8_t[::1] bits,
         uint64_t multiplier, uint64_t[::1] keys, int32_t[::1] vals, int64_t[::1] rows):
    """rows[i] becomes the row that ``index`` entered for ids[i] in its generation, -1 if there is none."""
    cdef Py_ssize_t i
    cdef IdMap table
    with nogil:
        for i in range(ids.shape[0]):
            rows[i] = -1
            if bits[gens[i]]:
                open_map(&table, &keys[at[gens[i]]], &vals[at[gens[i]]], bits[gens[i]], multiplier)
                rows[i] = find_id(&table, ids[i]) - 1


cdef inline int64_t row_of(const IdMap *strings, uint64_t text) noexcept nogil:
    return find_id(strings, text) - 1 if strings.vals != NULL else -1


def resolve(const RAW_PC[::1] pcs, const int64_t[::1] at, const uint8_t[::1] bits, uint64_t multiplier,
            uint64_t[::1] keys, int32_t[::1] vals, const int64_t[::1] string_at, const uint8_t[::1] string_bits,
            uint64_t[::1] string_keys, int32_t[::1] string_vals, int64_t[::1] first, int64_t[::1] functions,
            int64_t[::1] files, int32_t[::1] frames):
    """Find out what frames mean: the first one of a pc in its generation defines it (FORMAT 3.3).

    ``first[i]`` becomes the first row of the pc in row i, and ``frames`` such rows; their ``functions`` and ``files``
    become rows of strings, -1 where there is none, those of others are left alone. The first row that names a string
    which its generation has not, or -1. The index of pcs is as in :func:`index`.
    """
    cdef Py_ssize_t i
    cdef int64_t slot, loose = -1
    cdef int32_t gen = -1, row
    cdef IdMap known, strings
    open_map(&known, NULL, NULL, 1, multiplier)
    open_map(&strings, NULL, NULL, 1, multiplier)
    with nogil:
        for i in range(pcs.shape[0]):
            if pcs[i].gen != gen:
                gen = pcs[i].gen
                open_map(&known, &keys[at[gen]], &vals[at[gen]], bits[gen], multiplier)
                strings.vals = NULL
                if string_bits[gen]:
                    open_map(&strings, &string_keys[string_at[gen]], &string_vals[string_at[gen]], string_bits[gen],
                             multiplier)
            slot = place(&known, pcs[i].pc)
            row = known.vals[slot] - 1
            if row < 0:
                row = <int32_t> i
                known.keys[slot] = pcs[i].pc
                known.vals[slot] = row + 1
                functions[i] = row_of(&strings, pcs[i].function)
                files[i] = row_of(&strings, pcs[i].file)
                if loose < 0 and ((pcs[i].function and functions[i] < 0) or (pcs[i].file and files[i] < 0)):
                    loose = i
            first[i] = row
        for i in range(frames.shape[0]):
            frames[i] = <int32_t> first[frames[i]]
    return loose
