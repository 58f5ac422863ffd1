# What both replays of the heap share: slots of a span, stacks, counts of memory, frees that come late (FORMAT 9.9).
# Never here: tables, objects.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport (
    GROUP, GROUPS, MANUAL, OP_EXISTS, SPACE_HEAP_SPANS, SPACE_HEAP_SPAN_BYTES, SPACE_MANUAL_SPANS,
    SPACE_MANUAL_SPAN_BYTES, SPACE_N_STACKS, SPACE_STACKS, SPACE_STACK_BYTES,
)
from gotrace._hashmap cimport IdMap, place
from gotrace.wire._stream cimport to_ns

cdef enum:
    FREE_PENDING = 1 << 30  # in a cell or a stack's order: the free of what was here before is still to come
    LEAST_EVENT = 3         # bytes
    MOST_PAGES = 10         # of a span that are noted

# A thread that writes faster than one event per clock unit runs ahead of the clock, at most by one unit for each event
# since its buffer began. So the free that made room may come after the next allocation on another thread, by no more
# than that; any other free means what is there now.


cdef struct Space:
    IdMap stacks            # address -> order, -1 freed
    int64_t room_stacks
    int64_t *counts         # by HeapCounter


cdef struct SpanShape:
    int64_t elem            # bytes of a slot
    uint32_t n_slots
    int32_t n_pages         # that are noted: of large and manual spans, the first one


cdef inline bint may_precede(int64_t time, int64_t earlier, int64_t written, double factor) noexcept nogil:
    """True if an event, ``written`` bytes into its batch, may have happened before one of another thread.

    ``time`` is the event's, ``earlier`` that of the other one, in ns; ``factor`` is ns per clock unit.
    """
    return time - earlier <= to_ns(<uint64_t> (written // LEAST_EVENT + 1), factor)


cdef inline SpanShape shape_of(uint8_t spanclass, int64_t nbytes, uint64_t n_pages, int64_t class_elem) noexcept nogil:
    """Slots of a span; ``class_elem`` are the bytes of a slot of its size class, if it has one."""
    cdef SpanShape shape
    shape.elem = nbytes
    shape.n_slots = spanclass != MANUAL
    shape.n_pages = 1
    if 1 < spanclass < MANUAL:
        shape.elem = class_elem
        shape.n_slots = <uint32_t> min(nbytes // class_elem, <int64_t> (GROUP * GROUPS))
        shape.n_pages = <int32_t> min(n_pages, <uint64_t> MOST_PAGES)
    return shape


cdef inline uint32_t reciprocal_of(int64_t elem) noexcept nogil:
    """``ceil(2**32 / elem)``."""
    return <uint32_t> ((((<uint64_t> 1) << 32) + <uint64_t> elem - 1) // <uint64_t> elem)


cdef inline uint32_t slot_at(uint32_t reciprocal, uint64_t inset) noexcept nogil:
    """The slot in which byte ``inset`` of a span lies."""
    return <uint32_t> ((inset * reciprocal) >> 32)


cdef inline int64_t cell_place(int32_t group, uint32_t slot) noexcept nogil:
    """Place of a slot's cell, in its group of cells."""
    return <int64_t> (group - 1) * GROUP + slot % GROUP


cdef inline void count_span(Space *space, uint8_t spanclass, int64_t nbytes, int64_t n) noexcept nogil:
    """Count n spans more, or fewer."""
    if spanclass == MANUAL:
        space.counts[SPACE_MANUAL_SPANS] += n
        space.counts[SPACE_MANUAL_SPAN_BYTES] += n * nbytes
    else:
        space.counts[SPACE_HEAP_SPANS] += n
        space.counts[SPACE_HEAP_SPAN_BYTES] += n * nbytes


cdef inline bint enter_stack(Space *space, uint64_t address, int32_t order, uint8_t op) noexcept nogil:
    """Enter a goroutine's stack of ``1 << (order - 1)`` bytes; True if it replaces a live one.

    The free of that one is then still to come. There must be room for another stack.
    """
    cdef int64_t at = place(&space.stacks, address)
    cdef int32_t old = space.stacks.vals[at], pending = 0
    if old > 0:
        if op == OP_EXISTS:
            return False
        space.counts[SPACE_STACKS] -= 1
        space.counts[SPACE_STACK_BYTES] -= <int64_t> 1 << ((old & ~FREE_PENDING) - 1)
        pending = FREE_PENDING
    elif old == 0:
        space.stacks.keys[at] = address
        space.counts[SPACE_N_STACKS] += 1
    space.stacks.vals[at] = order | pending
    space.counts[SPACE_STACKS] += 1
    space.counts[SPACE_STACK_BYTES] += <int64_t> 1 << (order - 1)
    return pending != 0


cdef inline bint has_stack_room(const Space *space) noexcept nogil:
    """True if another stack can be entered."""
    return space.counts[SPACE_N_STACKS] < space.room_stacks // 2


cdef inline int32_t stack_order(Space *space, uint64_t address, bint *pending) noexcept nogil:
    """Order of the live stack at an address, 0 if there is none.

    ``pending`` becomes True if the free of the stack before it was still to come; this one counts as that free.
    """
    cdef int64_t at = place(&space.stacks, address)
    cdef int32_t order = space.stacks.vals[at]
    pending[0] = False
    if order <= 0:
        return 0
    pending[0] = order & FREE_PENDING != 0
    space.stacks.vals[at] = order & ~FREE_PENDING
    return space.stacks.vals[at]


cdef inline void end_stack(Space *space, uint64_t address) noexcept nogil:
    """End the live stack at an address."""
    cdef int64_t at = place(&space.stacks, address)
    space.counts[SPACE_STACKS] -= 1
    space.counts[SPACE_STACK_BYTES] -= <int64_t> 1 << (space.stacks.vals[at] - 1)
    space.stacks.vals[at] = -1
