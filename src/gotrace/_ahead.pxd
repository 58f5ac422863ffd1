# Decoding ahead: what runs will ask for next, decoded by a second thread or by whoever needs it first.
# Never here: the order of threads, what an event means.
from libc.stdint cimport int32_t, int64_t, uint8_t

from gotrace._generated cimport BRIEF, DECODED, FAULT, PARTS, RUN
from gotrace._runs cimport Stream

cdef extern from *:
    """
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #define gt_relax() _mm_pause()
    #else
    #define gt_relax() ((void)0)
    #endif
    #if defined(__GNUC__)
    #define GT_TWO_THREADS 1
    #define gt_load(place) __atomic_load_n(place, __ATOMIC_ACQUIRE)
    #define gt_store(place, value) __atomic_store_n(place, value, __ATOMIC_RELEASE)
    static inline int gt_swap(int32_t *place, int32_t old, int32_t value) {
        return gt_load(place) == old
               && __atomic_compare_exchange_n(place, &old, value, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    }
    #else
    #define GT_TWO_THREADS 0
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
    bint swap "gt_swap"(int32_t *place, int32_t old, int32_t value) noexcept nogil
    void relax "gt_relax"() noexcept nogil


cdef struct Scout:
    # What is found out about events before their turn comes.
    void *own
    void (*enter)(void *own, int64_t gen) noexcept nogil        # of a generation, before its first event is decoded
    # Of n events, as far as possible, and what there is to be told in ``briefs``, if anything.
    void (*find)(void *own, DECODED *events, BRIEF *briefs, int n, bint helping) noexcept nogil


cdef struct Slot:
    # The parts of a run: number k stands in place k % PARTS. One line of the cache is written by the thread that uses
    # them, the others by whoever makes them, with ``lock`` in his hands.
    int32_t used            # parts that were handed over; the last one is in use
    uint8_t[60] apart
    int32_t lock
    int32_t made            # parts
    int32_t ended           # the last one is the run's last
    int32_t[PARTS] n        # events in each; 0: what ``fault`` says
    int32_t[PARTS] batch    # that they are of, as RUN.batch
    RUN cursor              # where the run's decoding stands
    FAULT fault
    uint8_t[64] behind


cdef struct Parts:
    # The next part of each run of a generation.
    Slot *slots
    int32_t n, serving, stopped
    int first, ahead
    Stream s
    DECODED *pool
    BRIEF *briefs           # of the pool, or NULL
    Scout scout


cdef class Ahead:
    cdef object kept
    cdef void *memory
    cdef Parts parts


cdef void open_parts(Parts *a, int64_t gen, const Stream *s, RUN *runs, int first, int n, DECODED *pool,
                     BRIEF *briefs, int ahead) noexcept nogil
cdef int take(Parts *a, RUN *runs, int run, FAULT *fault) noexcept nogil
cdef void hold(Parts *a) noexcept nogil
cdef void go_on(Parts *a) noexcept nogil
