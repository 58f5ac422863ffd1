"""The alloc/free experiment: events become ALLOC rows, and a heap is replayed from them.

Lives here: addresses from ids, the span map, slots, live objects and stacks (FORMAT 9). Never here: the order
of the scheduler, growing of tables (a status asks for it), names of types.
"""
cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport (
    ALLOC, BAD_KINDCLASS, BATCH, BRIEF, COUNTS, CTX, DECODED, FAULT, FULL, GEN, GROUP, GROUPS, GROW_CELLS, GROW_KEYS,
    GROW_LOOSE, GROW_PAGES, GROW_SPANS, GROW_STACKS, HEAP_ADDRESS_BITS, LEAF, ODD_LATE_FREE, ODD_LIVE_SLOT_ALLOCATED,
    ODD_LIVE_STACK_ALLOCATED, ODD_OBJECT_IN_FREED_SPAN, ODD_OBJECT_OUTSIDE, ODD_OVERLAPPING_SPAN, ODD_RELATIVE,
    ODD_STACK_OF_ORDER_0, ODD_TINY_SHARED, ODD_UNKNOWN_OBJECT_FREED, ODD_UNKNOWN_SPAN_FREED, ODD_UNKNOWN_STACK_FREED,
    ODD_UNRESOLVED_TYPE, OK, OP_ALLOC, OP_EXISTS, OP_FREE, RAW_TYPE, REPLAY, RUN, SIZE_EVENTS, SIZE_FREE_GROUP,
    SIZE_FREE_SPAN, SIZE_HEAP_SPANS, SIZE_HEAP_SPAN_BYTES, SIZE_LATEST, SIZE_LATE_STACK, SIZE_LATE_STACK_M,
    SIZE_MANUAL_SPANS, SIZE_MANUAL_SPAN_BYTES, SIZE_N_GROUPS, SIZE_N_KEYS, SIZE_N_LEAVES, SIZE_N_LOOSE, SIZE_N_SPANS,
    SIZE_N_STACKS, SIZE_STACKS, SIZE_STACK_BYTES, SPAN, SPAN_REST, SPAN_TOO_BIG, STACK_ORDER_TOO_BIG, TYPE_CUT,
    TYPE_ID_ZERO, TYPE_NUMBER, WHAT_OBJECT, WHAT_SPAN, WIDE_PROC,
)
from gotrace._ahead cimport Ahead, Scout, load, store
from gotrace._idmap cimport IdMap, find, open_map, place
from gotrace._runs cimport DONE, enter_batch, refill, to_ns
from gotrace._varint cimport CUT, prefetch, read_uvarint, unlikely
from gotrace._walk cimport (
    Walk, blame, follow, keep_place, open_walk, place_of, plan_events, start_of, type_of, unplan, whole,
)

cdef enum:
    FIRST_EVENT = 128       # Span; wire type = FIRST_EVENT + 3 * what + op
    LAST_EVENT = 136
    FIRST_OBJECT = 131
    ALLOCATED_OBJECT = 132
    LAST_OBJECT = 133
    STRIDE = 32             # events that the look-ahead decodes at a time
    MANUAL = 254            # spanclass of rows: a manually managed span
    UNKNOWN = 255           # spanclass of rows: no span known
    TINY = 5                # spanclass whose slots tiny objects share
    UNTYPED = 0             # rows of the type table
    UNRESOLVED = 1
    OWED = 1 << 30          # in a cell or an order: the free of what lived here before is still to come
    LEAST_EVENT = 3         # bytes
    NEAR = 1024             # places of tables that are looked into before a map
    NEAR_KEY_BITS = 12

# FORMAT 9.9: a thread that writes faster than one event per clock unit runs ahead of the clock, at most by one
# unit for each event since its buffer began. So the free that made room may come after the next allocation on
# another thread, by no more than that; any other free means what lives there now.

# Ids of types and pages of the heap are dense: small tables, indexed by their low bits, spare most look-ups in maps.


cdef struct NearLeaf:
    uint64_t high           # page / LEAF
    int64_t at              # place of its first page in leaves


cdef struct NearType:
    uint64_t number
    int32_t row
    int32_t typed           # as in Live; 0 a place not used yet


cdef struct Finder:
    # What finds pages and types; each thread has its own.
    const GEN *gens
    const GEN *gen          # the generation whose types these are, and
    int32_t typed           # its number, counted from 1
    uint64_t *type_keys
    int32_t *type_vals
    IdMap types             # type id -> row, of the generation
    IdMap pages             # page / LEAF -> leaf + 1
    NearLeaf[NEAR] near_leaves
    NearType[NEAR] near_types
    # What shall be in the cache when an event's turn comes; NULL where that is another core's cache.
    const int32_t *leaves
    const SPAN *spans
    const SPAN_REST *rests


cdef struct Live:
    SPAN *spans
    SPAN_REST *rests
    IdMap pages             # page / LEAF -> leaf + 1
    int32_t *leaves         # span by page, 0 none; leaf 0 and span 0 stay unused
    IdMap stacks            # address -> order, -1 freed
    IdMap loose             # address of an object outside all spans -> key + 1, -1 freed
    int32_t *cells          # by slot: key + 1, 0 free
    IdMap keys              # type and spanclass -> key + 1
    COUNTS *counts          # by key
    int64_t *sizes
    int64_t *anomalies
    const int64_t *class_bytes
    int64_t room_spans, room_pages, room_leaves, room_stacks, room_loose, room_groups, room_keys, room_counts
    const Walk *walk
    const DECODED *event    # the current one
    const RUN *run          # and its run
    Finder *finder
    int flags
    int step                # 1 if objects make rows
    int64_t latest          # ns: latest time so far
    int64_t n_rows, n_events
    bint replay
    uint64_t[1 << NEAR_KEY_BITS] near_keys      # type and spanclass << 24 | key + 1


cdef inline int64_t leaf_at(const IdMap *pages, uint64_t page) noexcept nogil:
    """Where the span of page is noted in leaves, for good; 0: in no leaf, and leaf 0 is never used.

    Another thread may enter pages meanwhile; what it has entered is found or not.
    """
    cdef uint64_t high = page // LEAF, i = (high * pages.multiplier) >> pages.shift
    cdef int32_t leaf = load(&pages.vals[i])
    while leaf and pages.keys[i] != high:
        i = (i + 1) & pages.mask
        leaf = load(&pages.vals[i])
    return <int64_t> leaf * LEAF + (page % LEAF) if leaf else 0


cdef inline int64_t near_leaf_at(Finder *finder, uint64_t page) noexcept nogil:
    """As :func:`leaf_at`, and faster for pages of objects; what lies in leaf 0 is in no leaf, too."""
    cdef NearLeaf *near = &finder.near_leaves[(page // LEAF) % NEAR]
    cdef int64_t at
    if unlikely(near.high != page // LEAF):
        at = leaf_at(&finder.pages, page)
        if at == 0:
            return 0
        near.high = page // LEAF
        near.at = at - <int64_t> (page % LEAF)
    return near.at + <int64_t> (page % LEAF)


cdef inline SPAN *span_at(Live *live, uint64_t page) noexcept nogil:
    """The live span that owns page, NULL if none; of large and manual spans only the first page is known."""
    cdef int32_t row = live.leaves[leaf_at(&live.pages, page)]
    return &live.spans[row] if row else NULL


cdef inline SPAN_REST *rest_of(Live *live, const SPAN *span) noexcept nogil:
    """What few events need to know of a span."""
    return &live.rests[span - live.spans]


cdef inline int32_t *leaf_cell(Live *live, uint64_t page) noexcept nogil:
    """Where the span of page is noted; makes the leaf, for which there must be room."""
    cdef uint64_t high = page // LEAF
    cdef int64_t at = place(&live.pages, high)
    cdef int i
    if live.pages.vals[at] == 0:
        live.pages.keys[at] = high
        live.sizes[SIZE_N_LEAVES] += 1
        store(&live.pages.vals[at], <int32_t> live.sizes[SIZE_N_LEAVES])
        for i in range(LEAF):
            live.leaves[live.sizes[SIZE_N_LEAVES] * LEAF + i] = 0
    return &live.leaves[<int64_t> live.pages.vals[at] * LEAF + (page % LEAF)]


cdef inline void count_free(Live *live, int32_t key, int64_t size) noexcept nogil:
    live.counts[key].free_objects += 1
    live.counts[key].free_bytes += size


cdef void drop_span(Live *live, SPAN *span) noexcept nogil:
    """Forget a span; what lives in it goes with it."""
    cdef int32_t me = <int32_t> (span - live.spans)
    cdef SPAN_REST *rest = rest_of(live, span)
    cdef int32_t *noted
    cdef int64_t first
    cdef int i, j
    for i in range(rest.n_pages):
        noted = leaf_cell(live, rest.page + <uint64_t> i)
        if noted[0] == me:
            noted[0] = 0
    for i in range(GROUPS):
        if rest.groups[i] == 0:
            continue
        first = <int64_t> (rest.groups[i] - 1) * GROUP
        for j in range(GROUP):
            if live.cells[first + j]:
                count_free(live, (live.cells[first + j] & ~OWED) - 1, span.elem)
                live.anomalies[ODD_OBJECT_IN_FREED_SPAN] += 1
                live.cells[first + j] = 0
        live.cells[first] = <int32_t> live.sizes[SIZE_FREE_GROUP]
        live.sizes[SIZE_FREE_GROUP] = rest.groups[i]
        rest.groups[i] = 0
    if span.spanclass == MANUAL:
        live.sizes[SIZE_MANUAL_SPANS] -= 1
        live.sizes[SIZE_MANUAL_SPAN_BYTES] -= rest.bytes
    else:
        live.sizes[SIZE_HEAP_SPANS] -= 1
        live.sizes[SIZE_HEAP_SPAN_BYTES] -= rest.bytes
    rest.next_free = <int32_t> live.sizes[SIZE_FREE_SPAN]
    live.sizes[SIZE_FREE_SPAN] = me


cdef inline uint8_t spanclass_of(uint64_t kindclass) noexcept nogil:
    return MANUAL if kindclass & 1 else <uint8_t> (kindclass >> 1)


cdef inline uint64_t page_of(const GEN *gen, uint64_t number) noexcept nogil:
    """The page of a span id, also of one that wrapped because it lies below the heap's base."""
    return (gen.heap_base + (number << gen.page_shift)) >> gen.page_shift


cdef int make_span(Live *live, const GEN *gen, const uint64_t *args, uint8_t op) noexcept nogil:
    """Enter the span of a Span or SpanAlloc event."""
    cdef uint64_t page = page_of(gen, args[0])
    cdef uint64_t n_pages = args[1]
    cdef int i
    cdef uint8_t spanclass = spanclass_of(args[2])
    cdef SPAN *span
    cdef SPAN *old
    cdef SPAN_REST *rest
    cdef int32_t *noted
    cdef int32_t row
    if n_pages == 0 or n_pages >> (HEAP_ADDRESS_BITS - gen.page_shift):
        return SPAN_TOO_BIG
    if args[2] > 270 or (args[2] & 1 and args[2] != 1):
        return BAD_KINDCLASS
    old = span_at(live, page)
    if op == OP_EXISTS and old != NULL and rest_of(live, old).page == page and old.spanclass == spanclass:
        return OK
    if live.sizes[SIZE_FREE_SPAN] == 0 and live.sizes[SIZE_N_SPANS] + 1 == live.room_spans:
        return GROW_SPANS
    if live.sizes[SIZE_N_LEAVES] + 3 > live.room_leaves or live.sizes[SIZE_N_LEAVES] + 2 > live.room_pages // 2:
        return GROW_PAGES
    if live.sizes[SIZE_FREE_SPAN]:
        row = <int32_t> live.sizes[SIZE_FREE_SPAN]
        live.sizes[SIZE_FREE_SPAN] = live.rests[row].next_free
    else:
        live.sizes[SIZE_N_SPANS] += 1
        row = <int32_t> live.sizes[SIZE_N_SPANS]
    span = &live.spans[row]
    rest = &live.rests[row]
    rest.page = page
    span.base = page << gen.page_shift
    rest.bytes = <int64_t> (n_pages << gen.page_shift)
    span.spanclass = spanclass
    span.over = False
    rest.late = INT64_MIN
    rest.n_pages = 1
    span.elem = rest.bytes
    span.reciprocal = 0
    span.n_slots = spanclass != MANUAL
    for i in range(GROUPS):
        rest.groups[i] = 0
    if spanclass == MANUAL:
        live.sizes[SIZE_MANUAL_SPANS] += 1
        live.sizes[SIZE_MANUAL_SPAN_BYTES] += rest.bytes
    else:
        live.sizes[SIZE_HEAP_SPANS] += 1
        live.sizes[SIZE_HEAP_SPAN_BYTES] += rest.bytes
        if spanclass > 1:
            span.elem = live.class_bytes[spanclass >> 1]
            span.reciprocal = <uint32_t> ((((<uint64_t> 1) << 32) + <uint64_t> span.elem - 1) // <uint64_t> span.elem)
            span.n_slots = <uint32_t> min(rest.bytes // span.elem, <int64_t> (GROUP * GROUPS))
            rest.n_pages = <int32_t> min(n_pages, <uint64_t> 10)
    for i in range(rest.n_pages):
        noted = leaf_cell(live, page + <uint64_t> i)
        if noted[0]:
            live.anomalies[ODD_OVERLAPPING_SPAN] += 1
            old = &live.spans[noted[0]]
            if op == OP_ALLOC:
                span.over = True
                rest.born = live.event.time
                rest.born_m = live.run.m
                rest.old_bytes = rest_of(live, old).bytes
                rest.old_spanclass = old.spanclass
            drop_span(live, old)
        noted[0] = row
    return OK


cdef inline int32_t key_of(Live *live, int32_t kind, uint8_t spanclass) noexcept nogil:
    """The key of a type and spanclass, -1 if there is no room for another one."""
    cdef uint64_t pair = <uint64_t> kind << 8 | spanclass
    cdef int64_t at
    cdef COUNTS *new
    at = place(&live.keys, pair)
    if live.keys.vals[at] == 0:
        if live.sizes[SIZE_N_KEYS] == live.room_counts or live.sizes[SIZE_N_KEYS] >= live.room_keys // 2:
            return -1
        new = &live.counts[live.sizes[SIZE_N_KEYS]]
        new.type = kind
        new.spanclass = spanclass
        new.alloc_objects = new.alloc_bytes = new.free_objects = new.free_bytes = 0
        new.start_objects = new.start_bytes = 0
        live.sizes[SIZE_N_KEYS] += 1
        live.keys.keys[at] = pair
        live.keys.vals[at] = <int32_t> live.sizes[SIZE_N_KEYS]
    return live.keys.vals[at] - 1


cdef inline int32_t near_key_of(Live *live, int32_t kind, uint8_t spanclass) noexcept nogil:
    """As :func:`key_of`, and faster where few pairs come often."""
    cdef uint64_t pair = <uint64_t> kind << 8 | spanclass
    cdef uint64_t *near = &live.near_keys[(pair * live.keys.multiplier) >> (64 - NEAR_KEY_BITS)]
    cdef int32_t key
    if near[0] >> 24 == pair and near[0] & 0xFFFFFF:
        return <int32_t> (near[0] & 0xFFFFFF) - 1
    key = key_of(live, kind, spanclass)
    if 0 <= key < 0xFFFFFF:
        near[0] = pair << 24 | <uint64_t> (key + 1)
    return key


cdef inline int32_t *cell_at(Live *live, int32_t group, uint32_t slot) noexcept nogil:
    """The cell of a slot in its group."""
    return &live.cells[<int64_t> (group - 1) * GROUP + slot % GROUP]


cdef int32_t new_group(Live *live, SPAN *span, uint32_t slot) noexcept nogil:
    """Make the group of a slot; 0 if there is no room."""
    cdef int32_t group
    cdef int i
    if live.sizes[SIZE_FREE_GROUP]:
        group = <int32_t> live.sizes[SIZE_FREE_GROUP]
        live.sizes[SIZE_FREE_GROUP] = live.cells[<int64_t> (group - 1) * GROUP]
    elif live.sizes[SIZE_N_GROUPS] < live.room_groups:
        live.sizes[SIZE_N_GROUPS] += 1
        group = <int32_t> live.sizes[SIZE_N_GROUPS]
    else:
        return 0
    for i in range(GROUP):
        live.cells[<int64_t> (group - 1) * GROUP + i] = 0
    rest_of(live, span).groups[slot // GROUP] = group
    return group


cdef bint late(const Live *live, int64_t time, int64_t m) noexcept nogil:
    """Whether the current event may have happened before one of thread m that bears this earlier time."""
    cdef const Walk *w = live.walk
    cdef const BATCH *batch = &w.s.batches[w.s.order[live.run.batch]]
    cdef int64_t written = live.event.start - (batch.offset - w.s.base + batch.head)
    return m != live.run.m and live.event.time - time <= to_ns(<uint64_t> (written // LEAST_EVENT + 1), w.s.factor)


cdef inline int be_born(Live *live, SPAN *span, uint32_t slot, uint64_t named, int32_t kind, uint8_t op) noexcept nogil:
    """Let an object live from now on; span is NULL for one outside all spans."""
    cdef int64_t at = 0, size = 0
    cdef int32_t group
    cdef int32_t key = key_of(live, kind, span.spanclass if span != NULL else UNKNOWN)
    cdef int32_t *cell
    if key < 0:
        return GROW_KEYS
    if span != NULL:
        size = span.elem
        group = rest_of(live, span).groups[slot // GROUP]
        if group == 0:
            group = new_group(live, span, slot)
            if group == 0:
                return GROW_CELLS
        cell = cell_at(live, group, slot)
    else:
        if live.sizes[SIZE_N_LOOSE] >= live.room_loose // 2:
            return GROW_LOOSE
        at = place(&live.loose, named)
        if live.loose.vals[at] == 0:
            live.loose.keys[at] = named
            live.loose.vals[at] = -1
            live.sizes[SIZE_N_LOOSE] += 1
        cell = &live.loose.vals[at]
    if cell[0] > 0:
        if op == OP_EXISTS:
            return OK
        if span != NULL and span.spanclass == TINY:
            live.anomalies[ODD_TINY_SHARED] += 1
            return OK
        live.anomalies[ODD_LIVE_SLOT_ALLOCATED] += 1
        count_free(live, (cell[0] & ~OWED) - 1, size)
        if span != NULL:
            rest_of(live, span).late = live.event.time
            rest_of(live, span).late_m = live.run.m
            key |= OWED
    cell[0] = key + 1
    key &= ~OWED
    if op == OP_EXISTS:
        live.counts[key].start_objects += 1
        live.counts[key].start_bytes += size
    else:
        live.counts[key].alloc_objects += 1
        live.counts[key].alloc_bytes += size
    return OK


cdef inline void die(Live *live, SPAN *span, uint32_t slot, uint64_t named) noexcept nogil:
    """End the object in a slot."""
    cdef int32_t *cell = NULL
    cdef int32_t group
    cdef int64_t at
    cdef int i
    if span != NULL and span.over and late(live, rest_of(live, span).born, rest_of(live, span).born_m):
        live.anomalies[ODD_LATE_FREE] += 1      # of an object in the span that lay here before
        return
    if span != NULL:
        group = rest_of(live, span).groups[slot // GROUP]
        if group:
            cell = cell_at(live, group, slot)
    if cell != NULL and cell[0]:
        if cell[0] & OWED:
            cell[0] &= ~OWED
            if late(live, rest_of(live, span).late, rest_of(live, span).late_m):
                live.anomalies[ODD_LATE_FREE] += 1
                return
        count_free(live, cell[0] - 1, span.elem)
        cell[0] = 0
        return
    if live.sizes[SIZE_N_LOOSE]:
        for i in range(2):              # the slot, or the pointer behind its header
            at = place(&live.loose, named + <uint64_t> (8 * i))
            if live.loose.vals[at] > 0:
                count_free(live, live.loose.vals[at] - 1, 0)
                live.loose.vals[at] = -1
                return
    live.anomalies[ODD_UNKNOWN_OBJECT_FREED] += 1


cdef int make_stack(Live *live, uint64_t address, uint64_t order, uint8_t op) noexcept nogil:
    """Enter the stack of a GoroutineStack or GoroutineStackAlloc event."""
    cdef int64_t at
    cdef int32_t owed = 0
    if order > HEAP_ADDRESS_BITS:
        return STACK_ORDER_TOO_BIG
    if order == 0:
        return OK
    if live.sizes[SIZE_N_STACKS] >= live.room_stacks // 2:
        return GROW_STACKS
    at = place(&live.stacks, address)
    if live.stacks.vals[at] > 0:
        if op == OP_EXISTS:
            return OK
        live.anomalies[ODD_LIVE_STACK_ALLOCATED] += 1
        live.sizes[SIZE_STACKS] -= 1
        live.sizes[SIZE_STACK_BYTES] -= <int64_t> 1 << ((live.stacks.vals[at] & ~OWED) - 1)
        live.sizes[SIZE_LATE_STACK] = live.event.time
        live.sizes[SIZE_LATE_STACK_M] = live.run.m
        owed = OWED
    elif live.stacks.vals[at] == 0:
        live.stacks.keys[at] = address
        live.sizes[SIZE_N_STACKS] += 1
    live.stacks.vals[at] = <int32_t> order | owed
    live.sizes[SIZE_STACKS] += 1
    live.sizes[SIZE_STACK_BYTES] += <int64_t> 1 << (order - 1)
    return OK


cdef inline int32_t type_row(Finder *finder, uint64_t number) noexcept nogil:
    """Row of the type table for a type id of this generation."""
    cdef NearType *near = &finder.near_types[number % NEAR]
    cdef int32_t row
    if unlikely((near.number != number) | (near.typed != finder.typed)):
        row = UNTYPED
        if number:
            row = find(&finder.types, number) if finder.types.vals != NULL else 0
            row = row if row else UNRESOLVED
        near.row = row
        near.number = number
        near.typed = finder.typed
    return near.row


cdef inline uint64_t heap_address(const GEN *gen, const DECODED *event) noexcept nogil:
    """The address that an object's event names."""
    return gen.heap_base + event.args[0] * gen.object_align


cdef inline bint slot_in(const SPAN *span, uint64_t named, uint32_t *slot) noexcept nogil:
    """The slot of span that an object's address lies in; whether there is one."""
    slot[0] = <uint32_t> (((named - span.base) * span.reciprocal) >> 32)
    return slot[0] < span.n_slots


cdef inline void look_up(Finder *finder, const DECODED *events, BRIEF *briefs, int n) noexcept nogil:
    """Find what objects' events need before their turn comes."""
    cdef uint64_t base = finder.gen.heap_base, named = base, align = finder.gen.object_align, number = 0
    cdef uint8_t shift = finder.gen.page_shift
    cdef int32_t row
    cdef int i
    cdef bint is_object, is_free, is_plain
    for i in range(n):
        # Other events, and the type of a free, repeat what came before: guessing wrong would cost more.
        is_object = <uint8_t> (events[i].type - FIRST_OBJECT) < 3
        is_free = events[i].type == LAST_OBJECT
        named = base + events[i].args[0] * align if is_object else named
        number = events[i].args[1] if is_object and not is_free else number
        row = type_row(finder, number)
        row = UNTYPED if is_free else row
        is_plain = <uint8_t> (events[i].type - ALLOCATED_OBJECT) < 2 and row != UNRESOLVED
        briefs[i].time = events[i].time
        briefs[i].arg = named if is_object else events[i].args[0]
        briefs[i].place = place_of(&events[i])
        briefs[i].hint = <int32_t> near_leaf_at(finder, named >> shift) if is_plain else 0
        briefs[i].type_row = row
        if finder.leaves != NULL:
            row = finder.leaves[briefs[i].hint]
            prefetch(&finder.spans[row])
            if finder.rests != NULL:
                prefetch(&finder.rests[row])


cdef void enter_types(void *finder, int64_t gen) noexcept nogil:
    """Let a finder find the types of a generation."""
    cdef Finder *f = <Finder *> finder
    f.gen = &f.gens[gen]
    f.typed = <int32_t> gen + 1
    open_map(&f.types, NULL, NULL, 1, f.pages.multiplier)
    if f.gen.type_bits:
        open_map(&f.types, f.type_keys + f.gen.type_at, f.type_vals + f.gen.type_at, f.gen.type_bits,
                 f.pages.multiplier)


cdef void find_nearby(void *finder, DECODED *events, BRIEF *briefs, int n, bint helping) noexcept nogil:
    look_up(<Finder *> finder, events, briefs, n)


cdef void enter_both(void *finders, int64_t gen) noexcept nogil:
    enter_types(&(<Finder *> finders)[0], gen)
    enter_types(&(<Finder *> finders)[1], gen)


cdef void find_objects(void *finders, DECODED *events, BRIEF *briefs, int n, bint helping) noexcept nogil:
    look_up(&(<Finder *> finders)[helping], events, briefs, n)


@cython.final
cdef class ObjectsAhead(Ahead):
    """Events ahead; those of objects with what :func:`look_up` finds."""
    cdef Finder[2] finders


cdef int look_ahead(Live *live, const GEN *gen, RUN *run) noexcept nogil:
    """Apply the whole run of snapshot events that begins at the current one, before any other thread's events.

    The world stood still while they were written, but their times run ahead of the clock (FORMAT 9.9).
    Applying one twice changes nothing, so this may stop for room and begin anew.
    """
    cdef RUN ahead = run[0]
    cdef DECODED[STRIDE] events
    cdef FAULT ignored
    cdef SPAN *span
    cdef uint64_t named
    cdef uint32_t slot = 0
    cdef int status = OK, n, i
    enter_batch(&live.walk.s, &ahead)
    ahead.next = live.event.start
    while True:
        n = refill(&live.walk.s, &ahead, events, STRIDE, &ignored)
        if n == 0:
            return OK
        for i in range(n):
            named = heap_address(gen, &events[i])
            if events[i].type == 128:
                status = make_span(live, gen, events[i].args, OP_EXISTS)
            elif events[i].type == 134:
                status = make_stack(
                    live, gen.heap_base + events[i].args[0] * gen.stack_align, events[i].args[1], OP_EXISTS
                )
            elif events[i].type != FIRST_OBJECT:
                return OK
            elif live.replay:
                span = span_at(live, named >> gen.page_shift)
                if span != NULL and not slot_in(span, named, &slot):
                    span = NULL
                status = be_born(live, span, slot, named, type_row(live.finder, events[i].args[1]), OP_EXISTS)
            if status != OK:
                return status if status > 0 else OK     # a fault is raised when its event's turn comes
            run.snapshot = events[i].start + 1


cdef int stack_event(Live *live, const GEN *gen, uint8_t op, ALLOC *row) noexcept nogil:
    cdef const DECODED *event = live.event
    cdef uint64_t address = gen.heap_base + event.args[0] * gen.stack_align
    cdef int64_t at
    cdef int32_t order
    cdef int status = OK
    row.address = address
    row.spanclass = UNKNOWN
    row.size = 0
    if op == OP_FREE:
        at = place(&live.stacks, address)
        if live.stacks.vals[at] > 0:
            order = live.stacks.vals[at] & ~OWED
            row.size = <int64_t> 1 << (order - 1)
            if live.stacks.vals[at] & OWED:
                live.stacks.vals[at] = order
                if late(live, live.sizes[SIZE_LATE_STACK], live.sizes[SIZE_LATE_STACK_M]):
                    live.anomalies[ODD_LATE_FREE] += 1
                    return OK
            live.stacks.vals[at] = -1
            live.sizes[SIZE_STACKS] -= 1
            live.sizes[SIZE_STACK_BYTES] -= row.size
        else:
            live.anomalies[ODD_UNKNOWN_STACK_FREED] += 1
        return OK
    if op == OP_ALLOC or event.start >= live.run.snapshot:
        status = make_stack(live, address, event.args[1], op)
        if status != OK:
            return status
    if event.args[1]:
        row.size = <int64_t> 1 << (event.args[1] - 1)
    else:
        live.anomalies[ODD_STACK_OF_ORDER_0] += 1
    return OK


cdef int span_event(Live *live, const GEN *gen, uint8_t op, ALLOC *row) noexcept nogil:
    cdef const DECODED *event = live.event
    cdef uint64_t page = page_of(gen, event.args[0])
    cdef int status
    cdef SPAN *span
    cdef SPAN_REST *rest
    row.address = page << gen.page_shift
    if op == OP_FREE:
        span = span_at(live, page)
        if span == NULL or rest_of(live, span).page != page:
            live.anomalies[ODD_UNKNOWN_SPAN_FREED] += 1
            row.size = 0
            row.spanclass = UNKNOWN
            return OK
        rest = rest_of(live, span)
        if span.over:
            span.over = False
            if late(live, rest.born, rest.born_m):
                live.anomalies[ODD_LATE_FREE] += 1
                row.size = rest.old_bytes
                row.spanclass = rest.old_spanclass
                return OK
        row.size = rest.bytes
        row.spanclass = span.spanclass
        drop_span(live, span)
        return OK
    if op == OP_ALLOC or event.start >= live.run.snapshot:
        status = make_span(live, gen, event.args, op)
        if status != OK:
            return status
    row.size = <int64_t> (event.args[1] << gen.page_shift)
    row.spanclass = spanclass_of(event.args[2])
    return OK


def extract(const uint8_t[::1] data, int64_t base, const BATCH[::1] batches, const int32_t[::1] order,
            const uint8_t[::1] n_args, const GEN[::1] gens, RUN[::1] runs, int32_t[::1] heap, DECODED[::1] pool,
            BRIEF[::1] briefs, int64_t[::1] state, ObjectsAhead ahead, CTX[::1] ctxs, uint64_t[::1] type_keys,
            int32_t[::1] type_vals, uint64_t multiplier, const int64_t[::1] class_bytes, int flags, ALLOC[::1] rows,
            FAULT[::1] faults, SPAN[::1] spans, SPAN_REST[::1] rests, uint64_t[::1] page_keys, int32_t[::1] page_vals,
            int32_t[::1] leaves, uint64_t[::1] stack_keys, int32_t[::1] stack_vals, uint64_t[::1] loose_keys,
            int32_t[::1] loose_vals, int32_t[::1] cells, uint64_t[::1] key_keys, int32_t[::1] key_vals, COUNTS[::1]
            counts, int64_t[::1] sizes, int64_t[::1] anomalies):
    """Merge the runs of a slab by time and resolve their alloc/free events; the number of rows made.

    ``flags`` has 1 << what for each kind of row wanted, and 8 to replay objects into ``counts``. ``rows`` has at
    least one. ``state``, with ``runs``, ``heap``, ``pool``, ``briefs``, ``ctxs`` and the tables, holds the place where
    a call went on to. faults[0].status is FULL when rows are used up, GROW_... when that table must grow before the
    next call, 0 at the end of the slab, below 0 for a fault.
    """
    cdef int status = OK
    cdef Live live
    cdef Walk w
    cdef FAULT *fault = &faults[0]
    cdef Finder own
    cdef int i
    cdef Scout scout
    live.walk = &w
    live.spans = &spans[0]
    live.rests = &rests[0]
    live.spans[0].base = live.spans[0].reciprocal = live.spans[0].n_slots = 0       # no slot lies in it
    live.room_spans = spans.shape[0]
    open_map(&live.pages, &page_keys[0], &page_vals[0], log2(page_keys.shape[0]), multiplier)
    live.room_pages = page_keys.shape[0]
    live.leaves = &leaves[0]
    live.room_leaves = leaves.shape[0] // LEAF
    open_map(&live.stacks, &stack_keys[0], &stack_vals[0], log2(stack_keys.shape[0]), multiplier)
    live.room_stacks = stack_keys.shape[0]
    open_map(&live.loose, &loose_keys[0], &loose_vals[0], log2(loose_keys.shape[0]), multiplier)
    live.room_loose = loose_keys.shape[0]
    live.cells = &cells[0]
    live.room_groups = cells.shape[0] // GROUP
    open_map(&live.keys, &key_keys[0], &key_vals[0], log2(key_keys.shape[0]), multiplier)
    live.room_keys = key_keys.shape[0]
    live.counts = &counts[0]
    live.room_counts = counts.shape[0]
    live.sizes = &sizes[0]
    live.anomalies = &anomalies[0]
    live.class_bytes = &class_bytes[0]
    live.replay = (flags & REPLAY) != 0
    live.flags = flags
    live.step = (flags >> WHAT_OBJECT) & 1
    live.latest = sizes[SIZE_LATEST]
    live.n_rows = live.n_events = 0
    if live.replay:
        memset(live.near_keys, 0, sizeof(live.near_keys))
    live.finder = &own if ahead is None else ahead.finders
    scout.own = live.finder
    scout.enter = enter_types if ahead is None else enter_both
    scout.find = find_nearby if ahead is None else find_objects
    if ahead is None:
        memset(&own, 0, sizeof(own))
    live.finder.leaves = live.leaves
    live.finder.spans = live.spans
    live.finder.rests = live.rests if live.replay else NULL
    for i in range(1 if ahead is None else 2):
        live.finder[i].gens = &gens[0]
        live.finder[i].type_keys = &type_keys[0]
        live.finder[i].type_vals = &type_vals[0]
        live.finder[i].pages = live.pages
    open_walk(&w, data, base, batches, order, n_args, gens, runs, heap, pool, briefs, state, ahead, &scout)
    with nogil:
        while status == OK:
            status = plan_events(&w, fault)
            if status == OK:
                status = take_plan(&live, &w, &ctxs[0], &rows[0], rows.shape[0], fault)
    keep_place(&w)
    sizes[SIZE_LATEST] = live.latest
    sizes[SIZE_EVENTS] += live.n_events
    fault.status = OK if status == DONE else status
    return live.n_rows


cdef struct Spot:
    SPAN *span              # NULL: the event is not about an object
    int32_t *cell
    uint32_t slot


cdef inline SPAN *plain_span(const Live *live, const BRIEF *event, uint32_t *slot) noexcept nogil:
    """The span of a plain event, else NULL: nearly all are allocations and frees of objects in known spans."""
    cdef SPAN *span = &live.spans[live.leaves[event.hint]]
    return span if slot_in(span, event.arg, slot) else NULL


cdef inline void fill(
    ALLOC *row, const BRIEF *event, const CTX *ctx, uint32_t generation, int64_t base, const SPAN *span, uint32_t slot
) noexcept nogil:
    """Make the row of a plain event."""
    cdef uint64_t address = span.base + slot * <uint64_t> span.elem
    cdef uint64_t inset = event.arg - address
    row.time = event.time
    row.address = address
    row.size = span.elem
    row.offset = base + start_of(event)
    row.g = ctx.g
    row.m = ctx.m
    row.type = event.type_row
    row.p = ctx.p
    row.generation = generation
    row.what = WHAT_OBJECT
    row.op = type_of(event) - FIRST_OBJECT
    row.spanclass = span.spanclass
    row.inset = <uint8_t> (inset if inset < 255 else 255)


cdef inline int take_plain(Live *live, const Walk *w, CTX *ctxs, int k, ALLOC *row, int64_t room) noexcept nogil:
    """Make rows of the plan's events from place k on while they are plain: how many events."""
    cdef uint32_t generation = <uint32_t> w.gens[w.g].number
    cdef const SPAN *span
    cdef const BRIEF *event
    cdef int64_t base = w.s.base, latest = live.latest
    cdef uint32_t slot = 0
    cdef int first = k, step = live.step, others = 0
    cdef int last = <int> min(<int64_t> w.n_plan, k + room) if step else w.n_plan
    while k < last:
        event = w.plan[k].event
        span = plain_span(live, event, &slot)
        if span != NULL:
            if step:
                fill(row, event, &ctxs[w.plan[k].ctx], generation, base, span, slot)
                row += 1
        else:
            if unlikely(type_of(event) >= FIRST_EVENT or follow(w, &ctxs[w.plan[k].ctx], event) != OK):
                break
            others += 1
        latest = max(latest, event.time)
        k += 1
    live.latest = latest
    live.n_events += k - first - others
    live.n_rows += (k - first - others) * step
    return k - first


cdef inline int locate(Live *live, const Walk *w, int k, int n, Spot *spots) noexcept nogil:
    """Find where the plan's events from place k on happen, and ask for their cells, while they are plain: how many."""
    cdef const BRIEF *event
    cdef SPAN *span
    cdef uint32_t slot = 0
    cdef int32_t group
    cdef int i
    for i in range(n):
        event = w.plan[k + i].event
        span = plain_span(live, event, &slot)
        spots[i].span = span
        if span == NULL:
            if unlikely(type_of(event) >= FIRST_EVENT):
                return i
            continue
        group = rest_of(live, span).groups[slot // GROUP]
        if unlikely(group == 0):
            if type_of(event) == ALLOCATED_OBJECT:
                group = new_group(live, span, slot)
            if group == 0:
                return i
        spots[i].slot = slot
        spots[i].cell = cell_at(live, group, slot)
        prefetch(spots[i].cell)
    return n


cdef inline int replay_plain(Live *live, const Walk *w, CTX *ctxs, int k, ALLOC *row, int64_t room) noexcept nogil:
    """As :func:`take_plain`, and replay what happens to slots while these are in a known state."""
    cdef uint32_t generation = <uint32_t> w.gens[w.g].number
    cdef const SPAN *span
    cdef const BRIEF *event
    cdef Spot[STRIDE] spots
    cdef int64_t base = w.s.base, latest = live.latest
    cdef int first = k, step = live.step, others = 0, i = 0, n = 0
    cdef int last = <int> min(<int64_t> w.n_plan, k + room) if step else w.n_plan
    while k < last:
        if i == n:
            i = 0
            n = locate(live, w, k, min(last - k, <int> STRIDE), spots)
            if n == 0:
                break
        event = w.plan[k].event
        span = spots[i].span
        if span == NULL:
            if unlikely(follow(w, &ctxs[w.plan[k].ctx], event) != OK):
                break
            others += 1
        else:
            if unlikely(not in_known_state(live, span, spots[i].cell, event)):
                break
            if step:
                fill(row, event, &ctxs[w.plan[k].ctx], generation, base, span, spots[i].slot)
                row += 1
        latest = max(latest, event.time)
        k += 1
        i += 1
    live.latest = latest
    live.n_events += k - first - others
    live.n_rows += (k - first - others) * step
    return k - first


cdef inline bint in_known_state(Live *live, const SPAN *span, int32_t *cell, const BRIEF *event) noexcept nogil:
    """Replay an allocation in a free slot or a free of a live one; False if it is anything else."""
    cdef int32_t key
    cdef COUNTS *counts
    if type_of(event) == LAST_OBJECT:
        if unlikely(cell[0] <= 0 or cell[0] & OWED or span.over):
            return False
        counts = &live.counts[cell[0] - 1]
        counts.free_objects += 1
        counts.free_bytes += span.elem
        cell[0] = 0
    elif cell[0] == 0:
        key = near_key_of(live, event.type_row, span.spanclass)
        if unlikely(key < 0):
            return False
        cell[0] = key + 1
        counts = &live.counts[key]
        counts.alloc_objects += 1
        counts.alloc_bytes += span.elem
    elif span.spanclass == TINY:
        live.anomalies[ODD_TINY_SHARED] += 1
    else:
        return False
    return True


cdef int take_one(Live *live, CTX *ctx, RUN *run, const BRIEF *event, ALLOC *row, FAULT *fault) noexcept nogil:
    """Take any event, and fill row if it is one of alloc/free: OK, GROW_... or a fault."""
    cdef const Walk *w = live.walk
    cdef const GEN *gen = &w.gens[w.g]
    cdef uint64_t named, inset
    cdef uint32_t slot = 0
    cdef uint8_t kind = type_of(event), what = (kind - FIRST_EVENT) // 3, op = (kind - FIRST_EVENT) % 3
    cdef int status = OK
    cdef SPAN *span = NULL
    if kind < FIRST_EVENT or kind > LAST_EVENT:
        live.latest = max(live.latest, event.time)
        return OK if follow(w, ctx, event) == OK else blame(w, run, event, fault, WIDE_PROC, event.arg)
    live.event = whole(w, event)
    live.run = run
    if op == OP_EXISTS and start_of(event) >= run.snapshot:
        status = look_ahead(live, gen, run)
        if status != OK:
            return status
    row.inset = 0
    row.type = 0
    if what == WHAT_OBJECT:
        named = event.arg
        span = span_at(live, named >> gen.page_shift)
        if span != NULL and not slot_in(span, named, &slot):
            span = NULL
        row.type = event.type_row
        if live.replay:
            if op == OP_FREE:
                die(live, span, slot, named)
            elif op == OP_ALLOC:
                status = be_born(live, span, slot, named, row.type, op)
                if status != OK:
                    return status
        live.anomalies[ODD_UNRESOLVED_TYPE] += row.type == UNRESOLVED
        if span != NULL:
            row.address = span.base + slot * <uint64_t> span.elem
            row.size = span.elem
            row.spanclass = span.spanclass
            inset = named - row.address
            row.inset = <uint8_t> (inset if inset < 255 else 255)
        else:
            row.address = named
            row.size = 0
            row.spanclass = UNKNOWN
            live.anomalies[ODD_OBJECT_OUTSIDE] += op == OP_ALLOC
    else:
        status = span_event(live, gen, op, row) if what == WHAT_SPAN else stack_event(live, gen, op, row)
        if status != OK:
            return status if status > 0 else blame(
                w, run, event, fault, status, live.event.args[2 if status == BAD_KINDCLASS else 1])
    live.latest = max(live.latest, event.time)
    live.n_events += 1
    row.time = event.time
    row.offset = w.s.base + start_of(event)
    row.g = ctx.g
    row.m = ctx.m
    row.p = ctx.p
    row.generation = <uint32_t> gen.number
    row.what = what
    row.op = op
    return OK


cdef inline int take_plan(Live *live, Walk *w, CTX *ctxs, ALLOC *rows, int64_t room, FAULT *fault) noexcept nogil:
    """Take the events of the plan: OK, FULL, GROW_... or a fault."""
    cdef RUN *run
    cdef const BRIEF *event
    cdef int status = OK, k = 0
    cdef int64_t before, at_first = live.n_events
    cdef ALLOC scratch
    while k < w.n_plan:
        if live.replay:
            k += replay_plain(live, w, ctxs, k, &rows[live.n_rows], room - live.n_rows)
        else:
            k += take_plain(live, w, ctxs, k, &rows[live.n_rows], room - live.n_rows)
        if k == w.n_plan:
            break
        event = w.plan[k].event
        run = &w.runs[w.plan[k].run]
        before = live.n_events
        if live.n_rows == room and FIRST_EVENT <= type_of(event) <= LAST_EVENT and wanted(live, event):
            status = FULL
            break
        status = take_one(live, &ctxs[run.ctx], run, event, &scratch, fault)
        if status != OK:
            break
        if live.n_events > before and wanted(live, event):
            rows[live.n_rows] = scratch
            live.n_rows += 1
        k += 1
    unplan(w, k)
    if w.gens[w.g].relative:
        live.anomalies[ODD_RELATIVE] += live.n_events - at_first
    return status


cdef inline bint wanted(const Live *live, const BRIEF *event) noexcept nogil:
    return (live.flags >> ((type_of(event) - FIRST_EVENT) // 3)) & 1


cdef int log2(Py_ssize_t places) noexcept nogil:
    cdef int bits = 0
    while (<Py_ssize_t> 1 << bits) < places:
        bits += 1
    return bits


def rehash(const uint64_t[::1] keys, const int32_t[::1] vals, uint64_t[::1] new_keys, int32_t[::1] new_vals,
           uint64_t multiplier):
    """Enter all keys of one map into a larger, empty one."""
    cdef Py_ssize_t i
    cdef int64_t at
    cdef IdMap table
    with nogil:
        open_map(&table, &new_keys[0], &new_vals[0], log2(new_keys.shape[0]), multiplier)
        for i in range(keys.shape[0]):
            if vals[i]:
                at = place(&table, keys[i])
                table.keys[at] = keys[i]
                table.vals[at] = vals[i]


def parse_types(const uint8_t[::1] data, Py_ssize_t at, RAW_TYPE[::1] rows, FAULT[::1] faults):
    """Read type records from data[at] to its end; the number of rows. faults[0].offset counts from data[0]."""
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
    with nogil:
        start = &data[0]
        end = start + data.shape[0]
        p = start + at
        while p < end:
            fault.offset = p - start
            for i in range(5):
                got = read_uvarint(p, end, &field[i])
                if got < 0:
                    fault.offset = p - start
                    fault.status = TYPE_CUT if got == CUT else got
                    break
                p += got
            if fault.status != OK:
                break
            if field[4] > <uint64_t> (end - p):
                fault.status = TYPE_CUT
                break
            if field[0] == 0:
                fault.status = TYPE_ID_ZERO
                break
            fault.detail = max(field[2], field[3])
            if fault.detail >> 62:
                fault.status = TYPE_NUMBER
                break
            rows[n].id = field[0]
            rows[n].address = field[1]
            rows[n].size = field[2]
            rows[n].ptr_bytes = field[3]
            rows[n].at = p - start
            rows[n].length = <int64_t> field[4]
            n += 1
            p += field[4]
    return n
