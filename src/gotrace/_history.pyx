"""The heap over time: rows of ALLOC become bins of time, GC cycles, ages and a map of addresses.

Lives here: the live objects and spans, under the rules of docs/allocfree.md. Never here: decoding, growing of
tables (a status asks for it), names of types.
"""
from libc.stdint cimport INT64_MAX, INT64_MIN, UINT64_MAX, int32_t, int64_t, uint8_t, uint64_t

from gotrace._generated cimport (
    AGES, ALLOC, CYCLE, EXTENT, FATE_FRESH, FATE_GONE, FATE_KEY, FATE_OWED, FAULT, GRID, GROUP, GROUPS, GROW_CELLS,
    GROW_GRID, GROW_KEYS, GROW_PAGES, GROW_SPANS, HISTORY, LIVE, MOMENT, OK, OP_ALLOC, OP_EXISTS, OP_FREE,
    ODD_LATE_FREE,
    ODD_LIVE_SLOT_ALLOCATED,
    ODD_OBJECT_IN_FREED_SPAN,
    ODD_TINY_SHARED,
    ODD_UNKNOWN_OBJECT_FREED,
    TALLY_BIN,
    TALLY_CYCLE,
    TALLY_EPOCH,
    TALLY_FREE_EXTENT,
    TALLY_GRID_BASE,
    TALLY_GRID_SHIFT,
    TALLY_INUSE_BYTES,
    TALLY_INUSE_OBJECTS,
    TALLY_LATE_STACK,
    TALLY_LATE_STACK_M,
    TALLY_MANUAL_BYTES,
    TALLY_N_EXTENTS,
    TALLY_N_KEYS,
    TALLY_N_LIVE,
    TALLY_N_PAGES,
    TALLY_ORPHANS,
    TALLY_PEAK_BYTES,
    TALLY_PEAK_TIME,
    TALLY_SNAPSHOT,
    TALLY_SPAN_BYTES,
    TALLY_STACK_BYTES,
    WHAT_SPAN, WHAT_STACK,
)
from gotrace._idmap cimport IdMap, find, open_map, place
from gotrace._runs cimport to_ns
from gotrace._varint cimport prefetch, unlikely

cdef enum:
    PAGES = 10              # a span of a size class has no more pages; of a large one the first is enough
    MANUAL = 254
    UNKNOWN = 255
    TINY = 5                # spanclass whose slots tiny objects share
    LEAST_EVENT = 3         # bytes
    AHEAD_ROWS = 12         # rows whose place in the table of live objects is fetched before it is needed


cdef struct Heap:
    LIVE *live
    uint64_t live_mask
    int live_shift
    uint64_t multiplier
    EXTENT *extents         # row 0 stays unused
    int64_t room_extents
    IdMap pages             # page -> row of extents; -1 freed
    int64_t room_pages
    int page_shift
    IdMap keys              # type and spanclass -> row of history + 1
    int64_t room_keys
    HISTORY *history
    int64_t room_history
    int64_t *series         # bytes in use by bin and key; the last column is for keys that have none of their own
    int64_t n_series
    int64_t *inuse          # objects and bytes in use by key
    MOMENT *moments
    const int64_t *ends     # ns: of each bin
    int64_t n_bins
    CYCLE *cycles
    const int64_t *begins   # ns: of each GC cycle
    int64_t n_cycles
    int64_t *ages           # objects, bytes by age at death
    int64_t *occupied       # bytes of objects now, of spans now, by address
    int64_t *held
    int64_t *grid           # the two by bin
    const int64_t *batches  # data of each event batch of this part begins here, rising
    const double *factors   # ns per clock unit in it
    int64_t n_batches
    const int64_t *class_bytes
    int64_t *tally
    int64_t *odd            # by Anomaly
    const ALLOC *row        # the current one


cdef inline int64_t home(const Heap *h, uint64_t address) noexcept nogil:
    return <int64_t> ((address * h.multiplier) >> h.live_shift)


cdef inline bint is_full(const Heap *h) noexcept nogil:
    """Whether the table of live objects must grow before another one is entered."""
    return h.tally[TALLY_N_LIVE] * 4 >= <int64_t> (h.live_mask + 1) * 3


cdef inline LIVE *seek(const Heap *h, uint64_t address) noexcept nogil:
    """Where an address stands, or the empty place where it would."""
    cdef uint64_t i = <uint64_t> home(h, address)
    while h.live[i].key != 0 and h.live[i].address != address:
        i = (i + 1) & h.live_mask
    return &h.live[i]


cdef void take_out(Heap *h, LIVE *at) noexcept nogil:
    """Take out an entry; those behind it that belong further up move."""
    cdef uint64_t hole = <uint64_t> (at - h.live)
    cdef uint64_t i = hole
    cdef uint64_t want
    while True:
        i = (i + 1) & h.live_mask
        if h.live[i].key == 0:
            break
        want = <uint64_t> home(h, h.live[i].address)
        if ((i - want) & h.live_mask) >= ((i - hole) & h.live_mask):
            h.live[hole] = h.live[i]
            hole = i
    h.live[hole].key = 0
    h.tally[TALLY_N_LIVE] -= 1


cdef inline EXTENT *extent_at(const Heap *h, uint64_t address) noexcept nogil:
    """The span around an address; NULL if there is none, or it only lies on the same page."""
    cdef int32_t row = find(&h.pages, address >> h.page_shift)
    return &h.extents[row] if row > 0 else NULL


cdef inline void colour(const Heap *h, int64_t *cells, uint64_t address, int64_t size, int sign) noexcept nogil:
    """Add bytes to the rows of the grid over which they lie."""
    cdef int shift = <int> h.tally[TALLY_GRID_SHIFT]
    cdef uint64_t at = address - <uint64_t> h.tally[TALLY_GRID_BASE]
    cdef uint64_t end = at + <uint64_t> size
    cdef uint64_t row = at >> shift
    cdef uint64_t border
    while at < end and row < GRID:
        border = (row + 1) << shift
        if border > end or border == 0:
            border = end
        cells[row] += sign * <int64_t> (border - at)
        at = border
        row += 1


cdef inline bint outside(const Heap *h, uint64_t address, int64_t size) noexcept nogil:
    """Whether the grid does not reach as far; what wraps around the end of the addresses is not drawn there."""
    cdef uint64_t base = <uint64_t> h.tally[TALLY_GRID_BASE]
    cdef uint64_t last = address + <uint64_t> size - (size > 0)
    if last < address:
        last = UINT64_MAX
    return address < base or (last - base) >> <int> h.tally[TALLY_GRID_SHIFT] >= GRID


cdef bint late(const Heap *h, int64_t time, int64_t m) noexcept nogil:
    """Whether the current event may have happened before one of thread m that bears this earlier time."""
    cdef int64_t low = 0, high = h.n_batches, middle
    if m == h.row.m or h.n_batches == 0:
        return False
    while high - low > 1:
        middle = (low + high) // 2
        if h.batches[middle] <= h.row.offset:
            low = middle
        else:
            high = middle
    return h.row.time - time <= to_ns(
        <uint64_t> ((h.row.offset - h.batches[low]) // LEAST_EVENT + 1), h.factors[low])


cdef int32_t key_of(Heap *h, int32_t kind, uint8_t spanclass) noexcept nogil:
    """The key of a type and spanclass, counted from 1; 0 if there is no room for another one."""
    cdef uint64_t pair = <uint64_t> kind << 8 | spanclass
    cdef int64_t at = place(&h.keys, pair)
    cdef HISTORY *new
    if h.keys.vals[at] == 0:
        if h.tally[TALLY_N_KEYS] == h.room_history or h.tally[TALLY_N_KEYS] >= h.room_keys // 2:
            return 0
        new = &h.history[h.tally[TALLY_N_KEYS]]
        new.type = kind
        new.spanclass = spanclass
        h.tally[TALLY_N_KEYS] += 1
        h.keys.keys[at] = pair
        h.keys.vals[at] = <int32_t> h.tally[TALLY_N_KEYS]
    return h.keys.vals[at]


cdef inline void add(Heap *h, int32_t key, int64_t objects, int64_t size) noexcept nogil:
    """Change what is in use, and keep what was in use at the peak so far."""
    cdef HISTORY *of = &h.history[key - 1]
    cdef int64_t *inuse = &h.inuse[2 * (key - 1)]
    if of.epoch != h.tally[TALLY_EPOCH]:
        of.peak_objects = inuse[0]
        of.peak_bytes = inuse[1]
        of.epoch = h.tally[TALLY_EPOCH]
    inuse[0] += objects
    inuse[1] += size
    h.tally[TALLY_INUSE_OBJECTS] += objects
    h.tally[TALLY_INUSE_BYTES] += size
    if h.tally[TALLY_INUSE_BYTES] > h.tally[TALLY_PEAK_BYTES]:
        h.tally[TALLY_PEAK_BYTES] = h.tally[TALLY_INUSE_BYTES]
        h.tally[TALLY_PEAK_TIME] = h.row.time
        h.tally[TALLY_EPOCH] += 1
    if h.tally[TALLY_INUSE_BYTES] > h.moments[h.tally[TALLY_BIN]].most_bytes:
        h.moments[h.tally[TALLY_BIN]].most_bytes = h.tally[TALLY_INUSE_BYTES]


cdef inline void count_start(Heap *h, int32_t key, int64_t size) noexcept nogil:
    h.history[key - 1].start_objects += 1
    h.history[key - 1].start_bytes += size


cdef inline void count_alloc(Heap *h, int32_t key, int64_t size) noexcept nogil:
    cdef MOMENT *moment = &h.moments[h.tally[TALLY_BIN]]
    cdef CYCLE *cycle = &h.cycles[h.tally[TALLY_CYCLE]]
    h.history[key - 1].alloc_objects += 1
    h.history[key - 1].alloc_bytes += size
    moment.alloc_objects += 1
    moment.alloc_bytes += size
    cycle.alloc_objects += 1
    cycle.alloc_bytes += size


cdef inline void count_free(Heap *h, int32_t key, int64_t size, int32_t born) noexcept nogil:
    cdef MOMENT *moment = &h.moments[h.tally[TALLY_BIN]]
    cdef CYCLE *cycle = &h.cycles[h.tally[TALLY_CYCLE]]
    cdef HISTORY *of = &h.history[key - 1]
    cdef int64_t age = h.tally[TALLY_CYCLE] - born
    of.free_objects += 1
    of.free_bytes += size
    moment.free_objects += 1
    moment.free_bytes += size
    cycle.free_objects += 1
    cycle.free_bytes += size
    if born >= 0:
        of.young_objects += age <= 1
        age = min(age, AGES - 1)
        h.ages[2 * age] += 1
        h.ages[2 * age + 1] += size


cdef inline bint is_gone(const LIVE *at) noexcept nogil:
    """Whether there is no object in an entry of the table."""
    return at.key & FATE_GONE and (at.key & FATE_FRESH or not at.key & FATE_KEY)


cdef inline int64_t size_of(const Heap *h, const LIVE *at, const EXTENT *extent) noexcept nogil:
    """Bytes of a live object or stack; extent is its span."""
    cdef uint8_t spanclass = h.history[(at.key & FATE_KEY) - 1].spanclass
    if spanclass == MANUAL:
        return <int64_t> 1 << at.born
    if spanclass > MANUAL:
        return 0
    if spanclass > 1:
        return h.class_bytes[spanclass >> 1]
    return extent.bytes if extent != NULL else h.row.size


cdef inline void enter(Heap *h, LIVE *at, EXTENT *extent, int32_t key, int flags) noexcept nogil:
    """Let an object live at an empty place of the table."""
    cdef const ALLOC *row = h.row
    at.address = row.address
    at.born = <int32_t> h.tally[TALLY_CYCLE] if row.op == OP_ALLOC else -1
    at.key = key | flags
    h.tally[TALLY_N_LIVE] += 1
    if row.what == WHAT_STACK:
        at.born = log2(row.size)
        h.tally[TALLY_STACK_BYTES] += row.size
        return
    if extent != NULL:
        extent.inuse_objects += 1
        extent.inuse_bytes += row.size
    elif row.size:
        h.tally[TALLY_ORPHANS] += 1
    colour(h, h.occupied, row.address, row.size, 1)
    add(h, key, 1, row.size)


cdef inline void leave(Heap *h, LIVE *at, EXTENT *extent) noexcept nogil:
    """End the object at a place of the table; the place stays in use."""
    cdef int32_t key = at.key & FATE_KEY
    cdef int64_t size = size_of(h, at, extent)
    if h.history[key - 1].spanclass == MANUAL:
        h.tally[TALLY_STACK_BYTES] -= size
        return
    if extent != NULL and size:
        extent.inuse_objects -= 1
        extent.inuse_bytes -= size
    elif size:
        h.tally[TALLY_ORPHANS] -= 1
    colour(h, h.occupied, at.address, size, -1)
    count_free(h, key, size, at.born)
    add(h, key, -1, -size)


cdef int be_born(Heap *h) noexcept nogil:
    """Take an object or stack that exists or is allocated."""
    cdef const ALLOC *row = h.row
    cdef bint is_stack = row.what == WHAT_STACK
    cdef int32_t key = key_of(h, 0 if is_stack else row.type, MANUAL if is_stack else row.spanclass)
    cdef int32_t flags = FATE_FRESH if h.tally[TALLY_SNAPSHOT] and row.op == OP_ALLOC else 0
    cdef EXTENT *extent = NULL
    cdef LIVE *at
    if is_stack and row.size == 0:
        return OK
    if key == 0:
        return GROW_KEYS
    if is_full(h):
        return GROW_CELLS
    if not is_stack and unlikely(outside(h, row.address, row.size)):
        return GROW_GRID
    at = seek(h, row.address)
    if not is_stack and row.size:
        extent = extent_at(h, row.address)
    if at.key == 0:
        enter(h, at, extent, key, flags)
    elif is_gone(at):
        if row.op == OP_EXISTS:             # its free came first
            if not is_stack:
                if at.key & FATE_FRESH and row.spanclass == TINY:
                    uncount(h, at.key & FATE_KEY)
                count_start(h, key, row.size)
                count_free(h, key, row.size, -1)
            take_out(h, at)
            return OK
        h.tally[TALLY_N_LIVE] -= 1
        enter(h, at, extent, key, FATE_GONE)
    elif row.op == OP_EXISTS:
        if not at.key & (FATE_FRESH | FATE_GONE):
            return OK
        if at.key & FATE_FRESH and not is_stack and row.spanclass == TINY:
            share(h, at, key)
            return OK
        if at.key & FATE_FRESH:
            at.key |= FATE_OWED
            note_late(h, extent)
        at.key &= ~(FATE_FRESH | FATE_GONE)
        if not is_stack:
            count_start(h, key, row.size)
            count_free(h, key, row.size, -1)
        return OK
    elif not is_stack and row.spanclass == TINY:
        h.odd[ODD_TINY_SHARED] += 1
        return OK
    else:
        h.odd[ODD_LIVE_SLOT_ALLOCATED] += not is_stack
        leave(h, at, extent)
        h.tally[TALLY_N_LIVE] -= 1
        note_late(h, extent)
        enter(h, at, extent, key, FATE_OWED if is_stack or extent != NULL else 0)
    if is_stack:
        return OK
    if row.op == OP_ALLOC:
        count_alloc(h, key, row.size)
    else:
        count_start(h, key, row.size)
    return OK


cdef void uncount(Heap *h, int32_t key) noexcept nogil:
    """A tiny object that came and went was none of its own: the snapshot had the slot before."""
    cdef HISTORY *of = &h.history[key - 1]
    of.alloc_objects -= 1
    of.alloc_bytes -= h.row.size
    of.free_objects -= 1
    of.free_bytes -= h.row.size


cdef void share(Heap *h, LIVE *at, int32_t key) noexcept nogil:
    """The snapshot had the slot before a tiny object was put into it: give it back to its first owner."""
    cdef int32_t other = at.key & FATE_KEY
    cdef int64_t size = h.row.size
    h.history[other - 1].alloc_objects -= 1
    h.history[other - 1].alloc_bytes -= size
    add(h, other, -1, -size)
    count_start(h, key, size)
    add(h, key, 1, size)
    at.key = key
    at.born = -1


cdef inline void note_late(Heap *h, EXTENT *extent) noexcept nogil:
    """Remember when an object was allocated where another one lived."""
    if h.row.what == WHAT_STACK:
        h.tally[TALLY_LATE_STACK] = h.row.time
        h.tally[TALLY_LATE_STACK_M] = h.row.m
    elif extent != NULL:
        extent.late = h.row.time
        extent.late_m = h.row.m


cdef int die(Heap *h) noexcept nogil:
    """Take an object or stack that is freed."""
    cdef const ALLOC *row = h.row
    cdef EXTENT *extent = NULL
    cdef bint is_stack = row.what == WHAT_STACK
    cdef LIVE *at
    if h.tally[TALLY_SNAPSHOT] and is_full(h):
        return GROW_CELLS
    if not is_stack and row.size:
        extent = extent_at(h, row.address)
        if extent != NULL and extent.over and late(h, extent.born, extent.born_m):
            h.odd[ODD_LATE_FREE] += 1       # of an object in the span that lay here before
            return OK
    at = seek(h, row.address)
    if not is_stack and (at.key == 0 or is_gone(at)):
        at = seek_loose(h, at)
    if at.key == 0:
        h.odd[ODD_UNKNOWN_OBJECT_FREED] += not is_stack
        if h.tally[TALLY_SNAPSHOT]:
            at.address = row.address
            at.key = FATE_GONE
            h.tally[TALLY_N_LIVE] += 1
        return OK
    if is_gone(at):
        return OK
    if at.key & FATE_OWED:
        at.key &= ~FATE_OWED
        if late(h, h.tally[TALLY_LATE_STACK], h.tally[TALLY_LATE_STACK_M]) if is_stack else (
                extent != NULL and late(h, extent.late, extent.late_m)):
            h.odd[ODD_LATE_FREE] += not is_stack
            return OK
    leave(h, at, extent)
    if at.key & (FATE_GONE | FATE_FRESH):   # what was here before may still have its own event to come
        at.key = FATE_GONE if at.key & FATE_GONE else FATE_GONE | FATE_FRESH | at.key & FATE_KEY
    else:
        take_out(h, at)
    return OK


cdef inline LIVE *seek_loose(Heap *h, LIVE *slot) noexcept nogil:
    """An object that was allocated when its span was not known stands under the pointer named."""
    cdef uint64_t named = h.row.address + h.row.inset
    cdef LIVE *at
    cdef int i
    for i in range(2):
        at = seek(h, named + <uint64_t> (8 * i))
        if at.key and not is_gone(at) and h.history[(at.key & FATE_KEY) - 1].spanclass == UNKNOWN:
            return at
    return slot


cdef void drop(Heap *h, EXTENT *extent) noexcept nogil:
    """Forget a span; what lives in it goes with it."""
    cdef int32_t me = <int32_t> (extent - h.extents)
    cdef int64_t elem = slot_bytes(h, extent)
    cdef int64_t i, at_page
    cdef LIVE *at
    for i in range(extent.n_pages):
        at_page = place(&h.pages, (extent.base >> h.page_shift) + <uint64_t> i)
        if h.pages.vals[at_page] == me:
            h.pages.vals[at_page] = -1
    for i in range(n_slots(extent, elem)):
        if extent.inuse_objects == 0:
            break
        at = seek(h, extent.base + <uint64_t> (i * elem))
        if at.key and not is_gone(at):
            h.odd[ODD_OBJECT_IN_FREED_SPAN] += 1
            leave(h, at, extent)
            take_out(h, at)
    colour(h, h.held, extent.base, extent.bytes, -1)
    h.tally[TALLY_MANUAL_BYTES if extent.spanclass == MANUAL else TALLY_SPAN_BYTES] -= extent.bytes
    extent.held = False
    extent.next_free = <int32_t> h.tally[TALLY_FREE_EXTENT]
    h.tally[TALLY_FREE_EXTENT] = me + 1


cdef void adopt(Heap *h, EXTENT *extent) noexcept nogil:
    """Count the objects that came before their span's own event."""
    cdef int64_t elem = slot_bytes(h, extent)
    cdef int64_t i
    cdef LIVE *at
    for i in range(n_slots(extent, elem)):
        at = seek(h, extent.base + <uint64_t> (i * elem))
        if at.key and not is_gone(at):
            extent.inuse_objects += 1
            extent.inuse_bytes += elem
            h.tally[TALLY_ORPHANS] -= 1


cdef inline int64_t slot_bytes(const Heap *h, const EXTENT *extent) noexcept nogil:
    return h.class_bytes[extent.spanclass >> 1] if 1 < extent.spanclass < MANUAL else extent.bytes


cdef inline int64_t n_slots(const EXTENT *extent, int64_t elem) noexcept nogil:
    return min(extent.bytes // max(elem, 1), <int64_t> GROUP * GROUPS) if extent.spanclass != MANUAL else 0


cdef int take_span(Heap *h) noexcept nogil:
    """Take a span that exists, is allocated or freed."""
    cdef const ALLOC *row = h.row
    cdef uint64_t page = row.address >> h.page_shift
    cdef EXTENT *extent = extent_at(h, row.address)
    cdef EXTENT *old
    cdef int64_t at_page
    cdef int32_t me
    cdef int i
    if extent != NULL and extent.base != row.address:
        extent = NULL
    if row.op == OP_FREE:
        if extent == NULL:
            return OK
        if extent.over:
            extent.over = False
            if late(h, extent.born, extent.born_m):
                return OK
        drop(h, extent)
        return OK
    if row.op == OP_EXISTS and extent != NULL and extent.spanclass == row.spanclass:
        return OK
    if h.tally[TALLY_FREE_EXTENT] == 0 and h.tally[TALLY_N_EXTENTS] + 1 == h.room_extents:
        return GROW_SPANS
    if h.tally[TALLY_N_PAGES] + PAGES > h.room_pages // 2:
        return GROW_PAGES
    if unlikely(outside(h, row.address, row.size)):
        return GROW_GRID
    if h.tally[TALLY_FREE_EXTENT]:
        me = <int32_t> h.tally[TALLY_FREE_EXTENT] - 1
        h.tally[TALLY_FREE_EXTENT] = h.extents[me].next_free
    else:
        h.tally[TALLY_N_EXTENTS] += 1
        me = <int32_t> h.tally[TALLY_N_EXTENTS]
    extent = &h.extents[me]
    extent.base = row.address
    extent.bytes = row.size
    extent.late = INT64_MIN
    extent.inuse_bytes = 0
    extent.inuse_objects = 0
    extent.n_pages = <int32_t> min(row.size >> h.page_shift, <int64_t> PAGES) if 1 < row.spanclass < MANUAL else 1
    extent.spanclass = row.spanclass
    extent.over = False
    extent.held = True
    for i in range(extent.n_pages):
        at_page = place(&h.pages, page + <uint64_t> i)
        if h.pages.vals[at_page] > 0:
            old = &h.extents[h.pages.vals[at_page]]
            if row.op == OP_ALLOC:
                extent.over = True
                extent.born = row.time
                extent.born_m = row.m
            drop(h, old)
        elif h.pages.vals[at_page] == 0:
            h.pages.keys[at_page] = page + <uint64_t> i
            h.tally[TALLY_N_PAGES] += 1
        h.pages.vals[at_page] = me
    if row.op == OP_EXISTS and h.tally[TALLY_ORPHANS] > 0:
        adopt(h, extent)
    colour(h, h.held, row.address, row.size, 1)
    h.tally[TALLY_MANUAL_BYTES if row.spanclass == MANUAL else TALLY_SPAN_BYTES] += row.size
    return OK


cdef void close_bins(Heap *h, int64_t time) noexcept nogil:
    """Write down what is in use at the end of each bin that ends at a time or before."""
    cdef int64_t bin = h.tally[TALLY_BIN], i, n = min(h.tally[TALLY_N_KEYS], h.n_series - 1)
    cdef MOMENT *moment
    while bin < h.n_bins and time >= h.ends[bin]:
        moment = &h.moments[bin]
        moment.inuse_objects = h.tally[TALLY_INUSE_OBJECTS]
        moment.inuse_bytes = h.tally[TALLY_INUSE_BYTES]
        moment.span_bytes = h.tally[TALLY_SPAN_BYTES]
        moment.manual_bytes = h.tally[TALLY_MANUAL_BYTES]
        moment.stack_bytes = h.tally[TALLY_STACK_BYTES]
        for i in range(n):
            h.series[bin * h.n_series + i] = h.inuse[2 * i + 1]
        for i in range(n, h.tally[TALLY_N_KEYS]):
            h.series[bin * h.n_series + h.n_series - 1] += h.inuse[2 * i + 1]
        for i in range(GRID):
            h.grid[(bin * 2) * GRID + i] = h.occupied[i]
            h.grid[(bin * 2 + 1) * GRID + i] = h.held[i]
        bin += 1
        if bin < h.n_bins:
            h.moments[bin].most_bytes = h.tally[TALLY_INUSE_BYTES]
    h.tally[TALLY_BIN] = min(bin, h.n_bins - 1)


def replay(const ALLOC[::1] rows, Py_ssize_t first, LIVE[::1] live, EXTENT[::1] extents, uint64_t[::1] page_keys,
           int32_t[::1] page_vals, uint64_t[::1] key_keys, int32_t[::1] key_vals, HISTORY[::1] history,
           int64_t[:, ::1] inuse, int64_t[:, ::1] series, MOMENT[::1] moments, const int64_t[::1] ends,
           CYCLE[::1] cycles, const int64_t[::1] begins, int64_t[:, ::1] ages, int64_t[:, ::1] now,
           int64_t[:, :, ::1] grid, const int64_t[::1] batches, const double[::1] factors,
           const int64_t[::1] class_bytes, int page_shift, uint64_t multiplier, int64_t[::1] tally,
           int64_t[::1] odd, FAULT[::1] faults):
    """Replay rows from ``first`` on; the row to go on with.

    faults[0].status is GROW_... when that table must grow before the next call, 0 at the end of the rows. The hash
    tables have powers of two as lengths. ``cycles`` has one row more than ``begins``; the last of ``ends`` is the
    largest number there is.
    """
    cdef Heap h
    cdef int status = OK
    cdef Py_ssize_t i = first, n = rows.shape[0], ahead
    cdef int64_t next_bin, next_cycle
    open_heap(&h, live, multiplier)
    h.extents = &extents[0]
    h.room_extents = extents.shape[0]
    open_map(&h.pages, &page_keys[0], &page_vals[0], log2(page_keys.shape[0]), multiplier)
    h.room_pages = page_keys.shape[0]
    h.page_shift = page_shift
    open_map(&h.keys, &key_keys[0], &key_vals[0], log2(key_keys.shape[0]), multiplier)
    h.room_keys = key_keys.shape[0]
    h.history = &history[0]
    h.room_history = history.shape[0]
    h.inuse = &inuse[0, 0]
    h.series = &series[0, 0]
    h.n_series = series.shape[1]
    h.moments = &moments[0]
    h.ends = &ends[0]
    h.n_bins = ends.shape[0]
    h.cycles = &cycles[0]
    h.begins = &begins[0] if begins.shape[0] else NULL
    h.n_cycles = begins.shape[0]
    h.ages = &ages[0, 0]
    h.occupied = &now[0, 0]
    h.held = &now[1, 0]
    h.grid = &grid[0, 0, 0]
    h.n_batches = batches.shape[0]
    h.batches = &batches[0] if h.n_batches else NULL
    h.factors = &factors[0] if h.n_batches else NULL
    h.class_bytes = &class_bytes[0]
    h.tally = &tally[0]
    h.odd = &odd[0]
    with nogil:
        next_bin = h.ends[tally[TALLY_BIN]]
        next_cycle = begins[tally[TALLY_CYCLE]] if tally[TALLY_CYCLE] < h.n_cycles else INT64_MAX
        while i < n:
            h.row = &rows[i]
            ahead = i + AHEAD_ROWS
            if ahead < n:
                prefetch(&h.live[home(&h, rows[ahead].address)])
            if unlikely(h.row.time >= next_bin):
                close_bins(&h, h.row.time)
                next_bin = h.ends[tally[TALLY_BIN]]
            while unlikely(h.row.time >= next_cycle):
                tally[TALLY_CYCLE] += 1
                next_cycle = begins[tally[TALLY_CYCLE]] if tally[TALLY_CYCLE] < h.n_cycles else INT64_MAX
            if h.row.op == OP_EXISTS:
                tally[TALLY_SNAPSHOT] = 1
            if h.row.what == WHAT_SPAN:
                status = take_span(&h)
            elif h.row.op == OP_FREE:
                status = die(&h)
            else:
                status = be_born(&h)
            if status != OK:
                break
            i += 1
    faults[0].status = status
    return i


def finish(int64_t[:, ::1] inuse, int64_t[:, ::1] series, MOMENT[::1] moments, const int64_t[::1] ends,
           int64_t[:, ::1] now, int64_t[:, :, ::1] grid, int64_t[::1] tally):
    """Close the bins that are still open."""
    cdef Heap h
    h.inuse = &inuse[0, 0]
    h.series = &series[0, 0]
    h.n_series = series.shape[1]
    h.moments = &moments[0]
    h.ends = &ends[0]
    h.n_bins = ends.shape[0]
    h.occupied = &now[0, 0]
    h.held = &now[1, 0]
    h.grid = &grid[0, 0, 0]
    h.tally = &tally[0]
    with nogil:
        close_bins(&h, INT64_MAX)


def end_snapshot(LIVE[::1] live, uint64_t multiplier, int64_t[::1] tally):
    """Forget what was only known while the snapshot was being read."""
    cdef Heap h
    cdef Py_ssize_t i = 0
    open_heap(&h, live, multiplier)
    h.tally = &tally[0]
    with nogil:
        while i < live.shape[0]:
            if is_gone(&live[i]):
                take_out(&h, &live[i])      # another one may have moved here
                continue
            live[i].key &= ~(FATE_FRESH | FATE_GONE)
            i += 1
        tally[TALLY_SNAPSHOT] = 0


def move(const LIVE[::1] old, LIVE[::1] new, uint64_t multiplier):
    """Enter the live objects of one table into a larger, empty one."""
    cdef Heap h
    cdef Py_ssize_t i
    open_heap(&h, new, multiplier)
    with nogil:
        for i in range(old.shape[0]):
            if old[i].key:
                seek(&h, old[i].address)[0] = old[i]


cdef void open_heap(Heap *h, LIVE[::1] live, uint64_t multiplier) noexcept:
    h.live = &live[0]
    h.live_mask = <uint64_t> live.shape[0] - 1
    h.live_shift = 64 - log2(live.shape[0])
    h.multiplier = multiplier


cdef inline int log2(int64_t places) noexcept nogil:
    cdef int bits = 0
    while (<int64_t> 1 << bits) < places:
        bits += 1
    return bits
