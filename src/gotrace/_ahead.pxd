# Working ahead: parts that will be asked for next, made by a second thread or by whoever needs them first.
# Never here: what a part is made of.
from libc.stdint cimport int32_t, int64_t, uint8_t

from gotrace._generated cimport FAULT, PARTS

cdef extern from *:
    """
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #define gt_relax() _mm_pause()
    #else
    #define gt_relax() ((void)0)
    #endif
    #if defined(__GNUC__)
    #include <sched.h>
    #include <time.h>
    #define GT_TWO_THREADS 1
    #define gt_yield() ((void)sched_yield())
    static inline int64_t gt_clock(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    }
    #define gt_load(place) __atomic_load_n(place, __ATOMIC_ACQUIRE)
    #define gt_store(place, value) __atomic_store_n(place, value, __ATOMIC_RELEASE)
    static inline int gt_swap(int32_t *place, int32_t old, int32_t value) {
        return gt_load(place) == old
               && __atomic_compare_exchange_n(place, &old, value, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    }
    #else
    #define GT_TWO_THREADS 0
    #define gt_yield() ((void)0)
    #define gt_clock() INT64_C(0)
    #define gt_load(place) (*(place))
    #define gt_store(place, value) (*(place) = (value))
    static inline int gt_swap(int32_t *place, int32_t old, int32_t value) {
        return *place == old ? (*place = value, 1) : 0;
    }
    #endif
    """
    const bint TWO_THREADS "GT_TWO_THREADS"
    int32_t load "gt_load"(const int32_t *place) noexcept nogil     # sees all that was written before the store
    void store "gt_store"(int32_t *place, int32_t value) noexcept nogil
    int64_t load_time "gt_load"(const int64_t *place) noexcept nogil
    void store_time "gt_store"(int64_t *place, int64_t value) noexcept nogil
    bint swap "gt_swap"(int32_t *place, int32_t old, int32_t value) noexcept nogil
    void relax "gt_relax"() noexcept nogil
    void let_others_run "gt_yield"() noexcept nogil
    int64_t clock "gt_clock"() noexcept nogil   # ns


cdef struct Slot:
    # Parts that follow each other: number k stands in place k % PARTS. One line of the cache is written by the thread
    # that uses them, the others by whoever makes them, with ``lock`` in his hands.
    int32_t used            # parts that were handed over; the last one is in use
    uint8_t[60] apart
    int32_t lock
    int32_t made            # parts
    int32_t ended           # the last one is empty, and there are no more
    int32_t[PARTS] n        # events in each; 0: what ``fault`` says
    FAULT fault
    uint8_t[64] behind


cdef struct Parts:
    # The next parts of each slot.
    Slot *slots
    int32_t n, serving, stopped
    void *own               # what is given to ``make``, which makes a part: how many events, or 0 and a fault
    int (*make)(void *own, int slot, int32_t place, bint helping, FAULT *fault) noexcept nogil


cdef class Ahead:
    cdef object kept
    cdef void *memory
    cdef Parts parts

    cdef int reserve(self, int n) except -1


cdef void open_parts(Parts *a, int n) noexcept nogil
cdef int take(Parts *a, int i, int32_t *place, FAULT *fault) noexcept nogil
cdef void hold(Parts *a) noexcept nogil
cdef void go_on(Parts *a) noexcept nogil
