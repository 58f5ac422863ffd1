"""Match CPU samples to the next allocation on their thread.

Rows of ALLOC and pending samples come in, pairs of both go out. Never here: whether a pair is credible.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t

from gotrace._generated cimport ALLOC, OP_ALLOC
from gotrace._hashmap cimport IdMap, open_map, value_of

cdef enum:
    # Columns of threads.
    DONE = 0        # samples before this one have an allocation
    PASSED = 1      # samples before this one have a later event
    END = 2         # end of the thread's samples
    LAST = 3        # time of the thread's last event
    # Columns of samples.
    TIME = 0
    BEFORE = 1      # time of the thread's last event before the sample
    AFTER = 2       # time of its first event after the sample


def match(const ALLOC[::1] rows, uint64_t[::1] keys, int32_t[::1] vals, int bits, uint64_t multiplier,
          int64_t[:, ::1] threads, int64_t[:, ::1] samples, int64_t[:, ::1] pairs) -> int:
    """Pair each pending sample with the first later allocation on its thread; return the number of pairs.

    Thread ``keys[i]`` is row ``vals[i] - 1`` of ``threads``; its samples are contiguous and sorted by time. A pair is a
    row of ``samples`` and one of ``rows``.
    """
    cdef Py_ssize_t i, n = 0
    cdef int64_t m = 0
    cdef int64_t at
    cdef int64_t *thread = NULL
    cdef int32_t row = 0
    cdef bint begun = False
    cdef IdMap index
    if samples.shape[0] == 0:
        return 0
    with nogil:
        open_map(&index, &keys[0], &vals[0], bits, multiplier)
        for i in range(rows.shape[0]):
            if not begun or rows[i].m != m:
                begun = True
                m = rows[i].m
                row = value_of(&index, <uint64_t> m)
                if row != 0:
                    thread = &threads[row - 1, 0]
            if row == 0:
                continue
            at = thread[PASSED]
            while at < thread[END] and samples[at, TIME] < rows[i].time:
                samples[at, BEFORE] = thread[LAST]
                samples[at, AFTER] = rows[i].time
                at += 1
            thread[PASSED] = at
            thread[LAST] = rows[i].time
            if rows[i].op == OP_ALLOC:
                for at in range(thread[DONE], thread[PASSED]):
                    pairs[n, 0] = at
                    pairs[n, 1] = i
                    n += 1
                thread[DONE] = thread[PASSED]
    return n
