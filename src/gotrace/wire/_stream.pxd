# What all threads of a segment share: bytes, batches and clock, with the arithmetic of time (FORMAT 4.2).
# Never here: decoding of events.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport BATCH, CURSOR

cdef extern from *:
    """
    #if defined(__x86_64__)
    #include <emmintrin.h>
    #endif
    /* Go's int64(float64) on amd64: a value out of range becomes the lowest number. */
    static inline int64_t gt_to_ns(uint64_t units, double factor) {
        double ns = (double)units * factor;
        return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
    }
    /* The same for fewer than 63 bits, which convert in one instruction. */
    static inline int64_t gt_short_to_ns(uint64_t units, double factor) {
        double ns = (double)(int64_t)units * factor;
    #if defined(__x86_64__)
        return _mm_cvttsd_si64(_mm_set_sd(ns));
    #else
        return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
    #endif
    }
    static inline int64_t gt_wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
    """
    int64_t to_ns "gt_to_ns"(uint64_t units, double factor) noexcept nogil
    int64_t short_to_ns "gt_short_to_ns"(uint64_t units, double factor) noexcept nogil
    int64_t wrap_add "gt_wrap_add"(int64_t a, int64_t b) noexcept nogil


cdef struct Stream:
    # What all cursors of a slab share.
    const uint8_t *data
    int64_t size            # bytes of data
    int64_t base            # absolute offset of data[0]
    const BATCH *batches
    int64_t n_batches
    const int32_t *order    # rows of BATCH, grouped by cursor
    const uint8_t *n_args   # by event type: varints of a timed event, its time included; 0 if not timed
    double factor           # ns per clock unit
    bint skip_args          # leave out the arguments of experimental events


cdef inline void enter_batch(const Stream *s, CURSOR *cursor) noexcept nogil:
    """Go to the first event of the batch at cursor.batch."""
    cdef const BATCH *batch = &s.batches[s.order[cursor.batch]]
    cursor.next = batch.offset - s.base + batch.head
    cursor.end = cursor.next + batch.size
    cursor.base = to_ns(batch.time, s.factor)
    cursor.time = 0
