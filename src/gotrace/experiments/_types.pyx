"""The type table of the AllocFree experiment: a batch becomes rows of RAW_TYPE.

Holds the layout of a type record (FORMAT 9.6). Never here: names as str, info batches.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from gotrace._generated cimport FAULT, OK, RAW_TYPE, TYPE_CUT, TYPE_ID_ZERO, TYPE_NUMBER
from gotrace._varint cimport CUT, read_uvarint


def parse_types(const uint8_t[::1] data, Py_ssize_t at, RAW_TYPE[::1] rows, FAULT[::1] faults) -> int:
    """Read type records from data[at] to its end; return the number of rows.

    It stops at the first record at fault, whose start, relative to data[0], is faults[0].offset. A record whose name
    is cut off by the end of data has a row with what there is of the name, and is at fault. A batch is short: releasing
    the GIL would cost more than it saves.
    """
    cdef const uint8_t *p
    cdef const uint8_t *start
    cdef const uint8_t *end
    cdef uint64_t field[5]
    cdef Py_ssize_t n = 0
    cdef int i, got
    cdef FAULT *fault = &faults[0]
    fault.status = OK
    if data.shape[0] <= at:
        return 0
    start = &data[0]
    end = start + data.shape[0]
    p = start + at
    while p < end:
        fault.offset = p - start
        for i in range(5):
            got = read_uvarint(p, end, &field[i])
            if got < 0:
                fault.status = TYPE_CUT if got == CUT else got
                break
            p += got
        if fault.status != OK:
            break
        if field[0] == 0:
            fault.status = TYPE_ID_ZERO
            break
        fault.detail = max(field[2], field[3])
        if fault.detail >> 62:
            fault.status = TYPE_NUMBER
            break
        if field[4] > <uint64_t> (end - p):
            fault.status = TYPE_CUT
            field[4] = <uint64_t> (end - p)
        rows[n].id = field[0]
        rows[n].address = field[1]
        rows[n].size = field[2]
        rows[n].ptr_bytes = field[3]
        rows[n].at = p - start
        rows[n].length = <int64_t> field[4]
        n += 1
        p += field[4]
        if fault.status != OK:
            break
    return n
