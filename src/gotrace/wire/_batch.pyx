"""Batch headers: a buffer becomes rows of BATCH, one per header.

Holds the layout of a batch and the kinds of batches. Never here: event types other than batch kinds, rules about
generations.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from gotrace._generated cimport (
    ALLOC_FREE, BATCH, BATCH_TOO_BIG, CUT_BATCH, CUT_HEADER, CUT_MARK, EV_CPU_SAMPLES, EV_END_OF_GENERATION,
    EV_EVENT_BATCH, EV_EXPERIMENTAL_BATCH, EV_FREQUENCY, EV_STACKS, EV_STRINGS, EV_SYNC_BATCH, FAULT, FULL, KIND_END,
    KIND_EVENTS, KIND_EXPERIMENT, KIND_SAMPLES, KIND_STACKS, KIND_STRINGS, KIND_SYNC, MAX_BATCH_SIZE, MORE, NEXT_TRACE,
    NOT_A_BATCH, OK,
)
from gotrace._varint cimport CUT, read_uvarint


cdef int header(const uint8_t *p, const uint8_t *end, bint sync_batches, BATCH *row, FAULT *fault) noexcept nogil:
    """Read the header at p, where p < end, into row. Returns OK or a status; fault.offset is relative to p."""
    cdef const uint8_t *q = p + 1
    cdef uint64_t fields[4]
    cdef int i, n
    row.experiment = 0
    row.size = 0
    row.head = 1
    fault.detail = p[0]
    fault.offset = 0
    if p[0] == EV_END_OF_GENERATION:
        row.kind = KIND_END
        row.generation = 0
        row.m = -1
        row.time = 0
        return OK
    if p[0] != EV_EVENT_BATCH and p[0] != EV_EXPERIMENTAL_BATCH:
        return NEXT_TRACE if end - p >= 5 and memcmp(p, b"go 1.", 5) == 0 else NOT_A_BATCH
    if p[0] == EV_EXPERIMENTAL_BATCH:
        if q == end:
            return CUT_MARK
        row.experiment = q[0]
        q += 1
    for i in range(4):
        n = read_uvarint(q, end, &fields[i])
        if n < 0:
            fault.offset = q - p
            return CUT_HEADER if n == CUT else n
        q += n
    row.generation = fields[0]
    row.m = <int64_t> fields[1]
    row.time = fields[2]
    row.head = <uint8_t> (q - p)
    if fields[3] > MAX_BATCH_SIZE:
        fault.detail = fields[3]
        fault.limit = MAX_BATCH_SIZE
        return BATCH_TOO_BIG
    row.size = <int> fields[3]
    if fields[3] > <uint64_t> (end - q):
        fault.detail = end - q
        fault.limit = fields[3]
        return CUT_BATCH
    row.kind = KIND_EVENTS
    if row.experiment:
        row.kind = KIND_EXPERIMENT
    elif row.size:
        if q[0] == EV_STRINGS:
            row.kind = KIND_STRINGS
        elif q[0] == EV_STACKS:
            row.kind = KIND_STACKS
        elif q[0] == EV_CPU_SAMPLES:
            row.kind = KIND_SAMPLES
        elif q[0] == (EV_SYNC_BATCH if sync_batches else EV_FREQUENCY):
            row.kind = KIND_SYNC
        elif q[0] == EV_END_OF_GENERATION:
            row.kind = KIND_END
        elif p[0] == EV_EVENT_BATCH and row.m == -1 and q[0] <= 1:      # a recorder made an event batch of it
            row.kind = KIND_EXPERIMENT
            row.experiment = ALLOC_FREE
    return OK


cdef bint batches_at(const uint8_t *p, const uint8_t *end, bint last, int enough) noexcept nogil:
    """True if ``enough`` batches follow each other at p, or fewer that end at the ``last`` byte of the input."""
    cdef uint64_t number = 0
    cdef int n = 0
    cdef BATCH row
    cdef FAULT fault
    while n < enough and p < end:
        if header(p, end, False, &row, &fault) != OK:
            return False
        if p[0] != EV_END_OF_GENERATION:
            if row.generation == 0 or (number and row.generation - number > 1):
                return False
            number = row.generation
        n += 1
        p += row.head + row.size
    return n == enough or last


def resume(const uint8_t[::1] data, Py_ssize_t at, Py_ssize_t stop, bint last, int enough) -> int:
    """Return the first index in ``[at, stop)`` where ``enough`` batches follow each other, or -1.

    Fewer are enough if they end at the ``last`` byte of the input. Generation numbers may increase by one at most.
    """
    cdef Py_ssize_t place, found = -1
    cdef const uint8_t *p
    with nogil:
        p = &data[0]
        for place in range(at, stop):
            if (p[place] == EV_EVENT_BATCH or p[place] == EV_EXPERIMENTAL_BATCH) and batches_at(
                p + place, p + data.shape[0], last, enough
            ):
                found = place
                break
    return found


def scan(const uint8_t[::1] data, int64_t base, Py_ssize_t at, Py_ssize_t stop, bint last, bint sync_batches,
         bint end_marks, BATCH[::1] rows, Py_ssize_t n, FAULT[::1] faults) -> tuple[int, int]:
    """Add a row for each batch from data[at] on; return ``(n, at)`` with the status in faults[0].

    The status is OK at the end of the input or, at or after ``stop``, at the end of a generation (faults[0].batch is
    then n, and rows[n] the first batch of the next generation); FULL if there is no room for another row; MORE if a
    batch continues after data and data is not the ``last`` of the input. ``base`` is the absolute offset of data[0].
    """
    cdef Py_ssize_t size = data.shape[0], room = rows.shape[0]
    cdef const uint8_t *p
    cdef int status = OK
    cdef FAULT *fault = &faults[0]
    cdef BATCH row
    fault.status = OK
    fault.batch = -1
    if size == 0:
        return n, at
    with nogil:
        p = &data[0]
        while at < size:
            if n == room:
                status = FULL
                break
            status = header(p + at, p + size, sync_batches, &row, fault)
            if status != OK:
                if not last and status in (CUT_MARK, CUT_HEADER, CUT_BATCH):
                    status = MORE
                break
            row.offset = base + at
            row.gen = -1
            rows[n] = row
            if at >= stop and n and (
                rows[n - 1].kind == KIND_END if end_marks else row.generation != rows[n - 1].generation
            ):
                fault.batch = <int> n
                break
            n += 1
            at += row.head + row.size
        if status == OK and at == size and not last:
            status = MORE
    fault.status = status
    fault.offset += base + at
    fault.type = -1
    return n, at
