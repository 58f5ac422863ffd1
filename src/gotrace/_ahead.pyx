"""Decoding ahead: what runs will ask for next, decoded by a second thread or by whoever needs it first.

Lives here: the two parts of a run, one in use and one to come, how two threads hand them to and fro without locks, and
the rows that events name, found on the way.
Never here: the order of threads, what an event means.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t, uintptr_t

from gotrace._generated cimport DECODED, FAULT, RUN, SPEC
from gotrace._idmap cimport IdMap, find, open_map
from gotrace._runs cimport Stream, refill

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
    int32_t load "gt_load"(const int32_t *place) noexcept nogil
    void store "gt_store"(int32_t *place, int32_t value) noexcept nogil
    bint swap "gt_swap"(int32_t *place, int32_t old, int32_t value) noexcept nogil
    void relax "gt_relax"() noexcept nogil

cdef enum:
    # States of a slot. Whoever swaps EMPTY for BUSY fills it and then makes it FULL; only the thread that needs it
    # empties it. What a slot holds belongs to whoever made it BUSY, when it is FULL to the thread that needs it.
    FULL = 0
    EMPTY = 1
    BUSY = 2

    IDLE = 20_000       # looks at all slots in vain, after which serving ends: about a millisecond


cdef inline void open_index(IdMap *ids, int gen, const int64_t[::1] at, const uint8_t[::1] bits,
                            uint64_t[::1] keys, int32_t[::1] vals, uint64_t multiplier) noexcept nogil:
    ids.keys = NULL
    if bits[gen]:
        open_map(ids, &keys[at[gen]], &vals[at[gen]], bits[gen], multiplier)


cdef inline int32_t row_of(const IdMap *ids, uint64_t id, int32_t base) noexcept nogil:
    cdef int32_t found
    if id == 0:
        return 0
    found = find(ids, id) if ids.keys != NULL else 0
    return base + found - 1 if found else -1


def room(int n):
    """Bytes that the slots of n runs take."""
    return (n + 1) * sizeof(Slot)


@cython.final
cdef class Ahead:
    """The next part of each run of a generation; ``kept`` is kept alive, for the thread that serves.

    ``memory`` is of ``room(n)`` zeros for up to n runs.
    """

    def __cinit__(self, uint8_t[::1] memory, object kept, const SPEC[::1] spec, uint64_t multiplier,
                  const int64_t[::1] string_at, const uint8_t[::1] string_bits, uint64_t[::1] string_keys,
                  int32_t[::1] string_vals, int string_base, const int64_t[::1] stack_at,
                  const uint8_t[::1] stack_bits, uint64_t[::1] stack_keys, int32_t[::1] stack_vals,
                  int stack_base):
        self.kept = kept
        self.spec = spec
        self.multiplier = multiplier
        self.string_at, self.string_bits = string_at, string_bits
        self.string_keys, self.string_vals = string_keys, string_vals
        self.string_base = string_base
        self.stack_at, self.stack_bits = stack_at, stack_bits
        self.stack_keys, self.stack_vals = stack_keys, stack_vals
        self.stack_base = stack_base
        self.memory = memory
        self.slots = <Slot *> ((<uintptr_t> &memory[0] + 63) & ~<uintptr_t> 63)

    def serve(self):
        """Decode ahead, until there was nothing to do for a while or ``stop`` is called."""
        cdef int idle = 0
        cdef int32_t i
        with nogil:
            while TWO_THREADS and idle < IDLE and not load(&self.stopped):
                idle += 1
                for i in range(load(&self.n)):
                    if swap(&self.slots[i].state, EMPTY, BUSY):
                        self.fill(&self.slots[i])
                        idle = 0
                relax()
            store(&self.serving, 0)

    def claim(self):
        """Whether nobody serves; then the caller shall let somebody."""
        return swap(&self.serving, 0, 1)

    def stop(self):
        """Let ``serve`` end soon, and not begin again."""
        store(&self.stopped, 1)

    cdef void begin(self, int gen, const Stream *s, RUN *runs, int first, int n, DECODED *pool,
                    int ahead) noexcept nogil:
        """Begin a generation of n runs from ``first`` on, all others being used up.

        The pool has 2 * ahead events for each.
        """
        cdef int i
        cdef Slot *slot
        self.s = s[0]
        open_index(&self.strings, gen, self.string_at, self.string_bits, self.string_keys, self.string_vals,
                   self.multiplier)
        open_index(&self.stacks, gen, self.stack_at, self.stack_bits, self.stack_keys, self.stack_vals,
                   self.multiplier)
        self.pool = pool
        self.ahead = ahead
        self.first = first
        for i in range(n):
            slot = &self.slots[i]
            slot.cursor = runs[first + i]
            runs[first + i].part = 2 * i * ahead
            slot.part = (2 * i + 1) * ahead
            store(&slot.state, EMPTY)
        store(&self.n, n)

    cdef int take(self, RUN *runs, int run, FAULT *fault) noexcept nogil:
        """Give a run its next part in exchange for the one that it has: as ``refill``."""
        cdef Slot *slot = &self.slots[run - self.first]
        cdef int32_t n, part
        if swap(&slot.state, EMPTY, BUSY):
            self.fill(slot)
        while load(&slot.state) != FULL:
            relax()
        if slot.n == 0:
            fault[0] = slot.fault
            return 0
        runs[run].batch = slot.cursor.batch
        n = slot.n
        part = runs[run].part
        runs[run].part = slot.part
        slot.part = part
        store(&slot.state, EMPTY)
        return n

    cdef void fill(self, Slot *slot) noexcept nogil:
        """Decode the part of a slot that is BUSY."""
        cdef DECODED *events = self.pool + slot.part
        slot.n = refill(&self.s, &slot.cursor, events, self.ahead, &slot.fault)
        self.look_up(events, slot.n)
        store(&slot.state, FULL)

    cdef void look_up(self, DECODED *events, int n) noexcept nogil:
        """Find the rows of the events' stacks and strings, the first ones of each."""
        cdef int i
        cdef const SPEC *spec
        for i in range(n):
            spec = &self.spec[events[i].type]
            if spec.stack >= 0:
                events[i].stack = row_of(&self.stacks, events[i].args[spec.stack], self.stack_base)
            if spec.string >= 0:
                events[i].name = row_of(&self.strings, events[i].args[spec.string], self.string_base)
