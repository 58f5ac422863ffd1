# Atomic loads, stores and waits for data shared by two threads. Never here: the shared data.
from libc.stdint cimport int32_t, int64_t

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
    #define gt_add(place, more) __atomic_add_fetch(place, more, __ATOMIC_ACQ_REL)
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
    #define gt_add(place, more) (*(place) += (more))
    static inline int gt_swap(int32_t *place, int32_t old, int32_t value) {
        return *place == old ? (*place = value, 1) : 0;
    }
    #endif
    """
    const bint TWO_THREADS "GT_TWO_THREADS"
    int32_t load "gt_load"(const int32_t *place) noexcept nogil     # acquire: all writes before the store are visible
    void store "gt_store"(int32_t *place, int32_t value) noexcept nogil
    int64_t load_time "gt_load"(const int64_t *place) noexcept nogil
    void store_time "gt_store"(int64_t *place, int64_t value) noexcept nogil
    int32_t add "gt_add"(int32_t *place, int32_t more) noexcept nogil       # the sum; orders both sides
    bint swap "gt_swap"(int32_t *place, int32_t old, int32_t value) noexcept nogil
    void relax "gt_relax"() noexcept nogil
    void let_others_run "gt_yield"() noexcept nogil
    int64_t clock "gt_clock"() noexcept nogil   # ns
