"""The alloc/free experiment: events become ALLOC rows, and a heap is replayed from them.

In: a merge of events. Out: rows, and counts of objects by type and size class (FORMAT 9). Never here: the order of the
scheduler, growth of tables (a status requests it), names of types.
"""
cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from gotrace._generated cimport (
    ALLOC, ANOMALY_LATE_FREE, ANOMALY_LIVE_SLOT_ALLOCATED, ANOMALY_LIVE_STACK_ALLOCATED, ANOMALY_OBJECT_IN_FREED_SPAN,
    ANOMALY_OBJECT_OUTSIDE, ANOMALY_OVERLAPPING_SPAN, ANOMALY_RELATIVE, ANOMALY_STACK_OF_ORDER_0, ANOMALY_TINY_SHARED,
    ANOMALY_UNKNOWN_OBJECT_FREED, ANOMALY_UNKNOWN_SPAN_FREED, ANOMALY_UNKNOWN_STACK_FREED, ANOMALY_UNRESOLVED_TYPE,
    BAD_KINDCLASS, BATCH, COMPACT, CONTEXT, COUNTS, CURSOR, DECODED, EV_GOROUTINE_STACK, EV_GOROUTINE_STACK_FREE,
    EV_SPAN, FAULT, FULL, GENERATION_ROW, GROUP, GROUPS, GROW_CELLS, GROW_KEYS, GROW_LOOSE, GROW_PAGES, GROW_SPANS,
    GROW_STACKS, HEAP_ADDRESS_BITS, HEAP_EVENTS, HEAP_LATEST, LEAF, MANUAL, OK, OP_ALLOC, OP_EXISTS, OP_FREE, PAGE,
    REPLAY, SPACE_FREE_GROUP, SPACE_FREE_SPAN, SPACE_LATE_STACK, SPACE_LATE_STACK_M, SPACE_N_GROUPS, SPACE_N_KEYS,
    SPACE_N_LEAVES, SPACE_N_LOOSE, SPACE_N_SPANS, SPAN, SPAN_TOO_BIG, STACK_ORDER_TOO_BIG, TINY_CLASS, UNKNOWN_CLASS,
    WHAT_OBJECT, WHAT_SPAN, WIDE_PROC,
)
from gotrace._hashmap cimport HashMap, IdMap, place
from gotrace._varint cimport prefetch, unlikely
from gotrace.heap._space cimport (
    FREE_PENDING, Space, SpanShape, cell_place, count_span, end_stack, enter_stack, has_stack_room, may_precede,
    reciprocal_of, shape_of, slot_at, stack_order,
)
from gotrace.wire._atomic cimport store
from gotrace.wire._cursor cimport END_OF_CURSOR, args_at, refill
from gotrace.wire._merge cimport (
    Merge, MergeState, Turn, batch_at, blame, cursor_from, follow, in_turn, next_turn, pause, resume, start_of,
    switch_turn, turn_of, type_of,
)
from gotrace.wire._resolve cimport (
    ALLOCATED_OBJECT, FIRST_OBJECT, LAST_OBJECT, Resolver, UNRESOLVED, leaf_at, open_types, type_in,
)
from gotrace.wire._stream cimport Stream

cdef enum:
    FIRST_EVENT = EV_SPAN   # wire type = FIRST_EVENT + 3 * what + op
    LAST_EVENT = EV_GOROUTINE_STACK_FREE
    STRIDE = 32             # events that the look-ahead decodes at a time
    NEAR_KEY_BITS = 12

cdef struct Class:
    int64_t elem            # bytes of a slot
    uint32_t reciprocal     # ceil(2**32 / elem)


cdef struct Live:
    SPAN *spans
    IdMap pages             # page / LEAF -> leaf + 1
    PAGE *leaves            # by page; leaf 0 and span 0 stay unused
    Class[256] classes      # by spanclass
    Space space             # stacks and counts of memory
    IdMap loose             # address of an object outside all spans -> key + 1, -1 freed
    int32_t *cells          # by slot: key + 1, 0 free
    IdMap keys              # type and spanclass -> key + 1
    COUNTS *counts          # by key
    const int64_t *type_slots   # bytes of the slot of an object, by row of the type table
    int64_t *sizes
    int64_t *anomalies
    int64_t room_spans, room_pages, room_leaves, room_loose, room_groups, room_keys, room_counts
    const Stream *s
    const COMPACT *event      # the current one, and
    uint64_t[4] args        # its numbers, if it is not about an object
    CURSOR *cursor
    CURSOR *cursors
    Resolver *resolver
    uint64_t multiplier
    int flags
    int64_t latest          # ns: latest time so far
    int64_t n_rows, n_events
    uint64_t[1 << NEAR_KEY_BITS] near_keys      # type and spanclass << 24 | key + 1


cdef inline SPAN *span_at(Live *live, uint64_t page) noexcept nogil:
    """The live span that owns page, NULL if none; large and manual spans are known by their first page only."""
    cdef int32_t row = live.leaves[leaf_at(&live.pages, page)].span
    return &live.spans[row] if row else NULL


cdef inline PAGE *page_at(Live *live, uint64_t page) noexcept nogil:
    """The row of PAGE of a page; makes its leaf, for which there must be room."""
    cdef uint64_t high = page // LEAF
    cdef int64_t at = place(&live.pages, high)
    if live.pages.vals[at] == 0:
        live.pages.keys[at] = high
        live.sizes[SPACE_N_LEAVES] += 1
        store(&live.pages.vals[at], <int32_t> live.sizes[SPACE_N_LEAVES])
        memset(&live.leaves[live.sizes[SPACE_N_LEAVES] * LEAF], 0, LEAF * sizeof(PAGE))
    return &live.leaves[<int64_t> live.pages.vals[at] * LEAF + (page % LEAF)]


cdef void note_pages(Live *live, const SPAN *span) noexcept nogil:
    """Enter the span on its pages; while the free of the span before it is pending, events must look at the span."""
    cdef PAGE *page
    cdef int i
    for i in range(span.n_pages):
        page = page_at(live, span.page + <uint64_t> i)
        page.span = <int32_t> (span - live.spans)
        page.n_slots = <uint16_t> (0 if span.over or span.spanclass < 2 else span.n_slots)
        page.spanclass = span.spanclass
        page.index = <uint8_t> i


cdef inline void count_free(Live *live, int32_t key, int64_t size) noexcept nogil:
    live.counts[key].free_objects += 1
    live.counts[key].free_bytes += size


cdef int drop_span(Live *live, SPAN *span) noexcept nogil:
    """Remove a span and the objects in it; return the number of these."""
    cdef int32_t me = <int32_t> (span - live.spans)
    cdef int n = 0
    cdef PAGE *page
    cdef int64_t first
    cdef int i, j
    for i in range(span.n_pages):
        page = page_at(live, span.page + <uint64_t> i)
        if page.span == me:
            page.span = page.n_slots = 0
    for i in range(GROUPS):
        if span.groups[i] == 0:
            continue
        first = <int64_t> (span.groups[i] - 1) * GROUP
        for j in range(GROUP):
            if live.cells[first + j]:
                count_free(live, (live.cells[first + j] & ~FREE_PENDING) - 1, span.elem)
                n += 1
                live.cells[first + j] = 0
        live.cells[first] = <int32_t> live.sizes[SPACE_FREE_GROUP]
        live.sizes[SPACE_FREE_GROUP] = span.groups[i]
        span.groups[i] = 0
    count_span(&live.space, span.spanclass, span.bytes, -1)
    span.next_free = <int32_t> live.sizes[SPACE_FREE_SPAN]
    live.sizes[SPACE_FREE_SPAN] = me
    live.anomalies[ANOMALY_OBJECT_IN_FREED_SPAN] += n
    return n


cdef inline uint8_t spanclass_of(uint64_t kindclass) noexcept nogil:
    return MANUAL if kindclass & 1 else <uint8_t> (kindclass >> 1)


cdef inline uint64_t page_of(const GENERATION_ROW *gen, uint64_t number) noexcept nogil:
    """The page of a span id; ids of pages below the heap's base wrap around."""
    return (gen.heap_base + (number << gen.page_shift)) >> gen.page_shift


cdef int make_span(Live *live, const GENERATION_ROW *gen, const uint64_t *args, uint8_t op) noexcept nogil:
    """Enter the span of a Span or SpanAlloc event."""
    cdef uint64_t page = page_of(gen, args[0])
    cdef uint64_t n_pages = args[1]
    cdef int i, ended
    cdef uint8_t spanclass = spanclass_of(args[2])
    cdef SPAN *span
    cdef SPAN *old
    cdef SpanShape shape
    cdef int32_t row
    if n_pages == 0 or n_pages >> (HEAP_ADDRESS_BITS - gen.page_shift):
        return SPAN_TOO_BIG
    if args[2] > 270 or (args[2] & 1 and args[2] != 1):
        return BAD_KINDCLASS
    old = span_at(live, page)
    if op == OP_EXISTS and old != NULL and old.page == page and old.spanclass == spanclass:
        return OK
    if live.sizes[SPACE_FREE_SPAN] == 0 and live.sizes[SPACE_N_SPANS] + 1 == live.room_spans:
        return GROW_SPANS
    if live.sizes[SPACE_N_LEAVES] + 3 > live.room_leaves or live.sizes[SPACE_N_LEAVES] + 2 > live.room_pages // 2:
        return GROW_PAGES
    if live.sizes[SPACE_FREE_SPAN]:
        row = <int32_t> live.sizes[SPACE_FREE_SPAN]
        live.sizes[SPACE_FREE_SPAN] = live.spans[row].next_free
    else:
        live.sizes[SPACE_N_SPANS] += 1
        row = <int32_t> live.sizes[SPACE_N_SPANS]
    span = &live.spans[row]
    memset(span, 0, sizeof(SPAN))
    span.page = page
    span.bytes = <int64_t> (n_pages << gen.page_shift)
    span.spanclass = spanclass
    span.late = INT64_MIN
    shape = shape_of(spanclass, span.bytes, n_pages, live.classes[spanclass].elem)
    span.elem, span.n_slots, span.n_pages = shape.elem, shape.n_slots, shape.n_pages
    count_span(&live.space, spanclass, span.bytes, 1)
    for i in range(span.n_pages):
        row = page_at(live, page + <uint64_t> i).span
        if row:
            live.anomalies[ANOMALY_OVERLAPPING_SPAN] += 1
            old = &live.spans[row]
            ended = drop_span(live, old)
            if op == OP_ALLOC:
                span.over = True
                span.owed += ended
                span.born = live.event.time
                span.born_m = live.cursor.m
                span.old_bytes = old.bytes
                span.old_spanclass = old.spanclass
    note_pages(live, span)
    return OK


cdef inline int32_t key_of(Live *live, int32_t kind, uint8_t spanclass) noexcept nogil:
    """The key of a type and spanclass, -1 if there is no room for another one."""
    cdef uint64_t pair = <uint64_t> kind << 8 | spanclass
    cdef int64_t at
    cdef COUNTS *new
    at = place(&live.keys, pair)
    if live.keys.vals[at] == 0:
        if live.sizes[SPACE_N_KEYS] == live.room_counts or live.sizes[SPACE_N_KEYS] >= live.room_keys // 2:
            return -1
        new = &live.counts[live.sizes[SPACE_N_KEYS]]
        new.type = kind
        new.spanclass = spanclass
        new.alloc_objects = new.alloc_bytes = new.free_objects = new.free_bytes = 0
        new.start_objects = new.start_bytes = 0
        live.sizes[SPACE_N_KEYS] += 1
        live.keys.keys[at] = pair
        live.keys.vals[at] = <int32_t> live.sizes[SPACE_N_KEYS]
    return live.keys.vals[at] - 1


cdef inline int32_t near_key_of(Live *live, int32_t kind, uint8_t spanclass) noexcept nogil:
    """As :func:`key_of`, faster where a few pairs are frequent."""
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
    return &live.cells[cell_place(group, slot)]


cdef int32_t new_group(Live *live, SPAN *span, uint32_t slot) noexcept nogil:
    """Make the group of a slot; 0 if there is no room."""
    cdef int32_t group
    if live.sizes[SPACE_FREE_GROUP]:
        group = <int32_t> live.sizes[SPACE_FREE_GROUP]
        live.sizes[SPACE_FREE_GROUP] = live.cells[<int64_t> (group - 1) * GROUP]
    elif live.sizes[SPACE_N_GROUPS] < live.room_groups:
        live.sizes[SPACE_N_GROUPS] += 1
        group = <int32_t> live.sizes[SPACE_N_GROUPS]
    else:
        return 0
    memset(&live.cells[<int64_t> (group - 1) * GROUP], 0, GROUP * sizeof(int32_t))
    span.groups[slot // GROUP] = group
    return group


cdef bint late(const Live *live, int64_t time, int64_t m) noexcept nogil:
    """True if the current event may have happened before one of thread m at this earlier time."""
    cdef const BATCH *batch = batch_at(live.s, start_of(live.event))
    cdef int64_t written = start_of(live.event) - (batch.offset - live.s.base + batch.head)
    return m != live.cursor.m and may_precede(live.event.time, time, written, live.s.factor)


cdef inline int64_t loose_size(const Live *live, int32_t key) noexcept nogil:
    """Bytes of an object of this key outside all spans."""
    return live.type_slots[live.counts[key].type]


cdef inline int be_born(Live *live, SPAN *span, uint32_t slot, uint64_t named, int32_t kind, uint8_t op) noexcept nogil:
    """Start an object's life; span is NULL for an object outside all spans, whose size is what its type needs."""
    cdef int64_t at = 0, size = span.elem if span != NULL else live.type_slots[kind]
    cdef int32_t group
    cdef int32_t key = key_of(live, kind, span.spanclass if span != NULL else UNKNOWN_CLASS)
    cdef int32_t *cell
    if key < 0:
        return GROW_KEYS
    if span != NULL:
        group = span.groups[slot // GROUP]
        if group == 0:
            group = new_group(live, span, slot)
            if group == 0:
                return GROW_CELLS
        cell = cell_at(live, group, slot)
    else:
        if live.sizes[SPACE_N_LOOSE] >= live.room_loose // 2:
            return GROW_LOOSE
        at = place(&live.loose, named)
        if live.loose.vals[at] == 0:
            live.loose.keys[at] = named
            live.loose.vals[at] = -1
            live.sizes[SPACE_N_LOOSE] += 1
        cell = &live.loose.vals[at]
    if cell[0] > 0:
        if op == OP_EXISTS:
            return OK
        if span != NULL and span.spanclass == TINY_CLASS:
            live.anomalies[ANOMALY_TINY_SHARED] += 1
            return OK
        live.anomalies[ANOMALY_LIVE_SLOT_ALLOCATED] += 1
        count_free(live, (cell[0] & ~FREE_PENDING) - 1, size if span != NULL else loose_size(live, cell[0] - 1))
        if span != NULL:
            span.late = live.event.time
            span.late_m = live.cursor.m
            key |= FREE_PENDING
    cell[0] = key + 1
    key &= ~FREE_PENDING
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
    if span != NULL and span.owed and late(live, span.born, span.born_m):
        span.owed -= 1
        live.anomalies[ANOMALY_LATE_FREE] += 1      # of an object in the span that was here before
        return
    if span != NULL:
        group = span.groups[slot // GROUP]
        if group:
            cell = cell_at(live, group, slot)
    if cell != NULL and cell[0]:
        if cell[0] & FREE_PENDING:
            cell[0] &= ~FREE_PENDING
            if late(live, span.late, span.late_m):
                live.anomalies[ANOMALY_LATE_FREE] += 1
                return
        count_free(live, cell[0] - 1, span.elem)
        cell[0] = 0
        return
    if live.sizes[SPACE_N_LOOSE]:
        for i in range(2):              # the slot, or the pointer after its header
            at = place(&live.loose, named + <uint64_t> (8 * i))
            if live.loose.vals[at] > 0:
                count_free(live, live.loose.vals[at] - 1, loose_size(live, live.loose.vals[at] - 1))
                live.loose.vals[at] = -1
                return
    live.anomalies[ANOMALY_UNKNOWN_OBJECT_FREED] += 1


cdef int make_stack(Live *live, uint64_t address, uint64_t order, uint8_t op) noexcept nogil:
    """Enter the stack of a GoroutineStack or GoroutineStackAlloc event."""
    if order > HEAP_ADDRESS_BITS:
        return STACK_ORDER_TOO_BIG
    if order == 0:
        return OK
    if not has_stack_room(&live.space):
        return GROW_STACKS
    if enter_stack(&live.space, address, <int32_t> order, op):
        live.anomalies[ANOMALY_LIVE_STACK_ALLOCATED] += 1
        live.sizes[SPACE_LATE_STACK] = live.event.time
        live.sizes[SPACE_LATE_STACK_M] = live.cursor.m
    return OK


cdef inline uint64_t heap_address(const GENERATION_ROW *gen, const DECODED *event) noexcept nogil:
    """The address in an object's event."""
    return gen.heap_base + event.args[0] * gen.object_align


cdef inline uint64_t base_of(const GENERATION_ROW *gen, const SPAN *span) noexcept nogil:
    """Address of a span."""
    return span.page << gen.page_shift


cdef inline SPAN *owner_of(Live *live, const GENERATION_ROW *gen, uint64_t named, uint32_t *slot) noexcept nogil:
    """The span of an object's address, and its slot; NULL if there is none."""
    cdef SPAN *span = span_at(live, named >> gen.page_shift)
    if span == NULL:
        return NULL
    slot[0] = slot_at(live.classes[span.spanclass].reciprocal, named - base_of(gen, span))
    return span if slot[0] < span.n_slots else NULL


cdef int look_ahead(Live *live, const GENERATION_ROW *gen) noexcept nogil:
    """Apply all consecutive snapshot events from the current one on, before any other thread's events.

    The world stood still while they were written, but their times run ahead of the clock (FORMAT 9.9).
    Applying one twice changes nothing, so this may stop for room and start again.
    """
    cdef CURSOR ahead = cursor_from(live.s, live.cursors, <int32_t> (live.cursor - live.cursors), start_of(live.event))
    cdef DECODED[STRIDE] events
    cdef FAULT ignored
    cdef IdMap types
    cdef SPAN *span
    cdef uint64_t named
    cdef uint32_t slot = 0
    cdef int status = OK, n, i
    open_types(live.resolver, &types, gen)
    while True:
        n = refill(live.s, &ahead, events, STRIDE, &ignored)
        if n == 0:
            return OK
        for i in range(n):
            named = heap_address(gen, &events[i])
            if events[i].type == EV_SPAN:
                status = make_span(live, gen, events[i].args, OP_EXISTS)
            elif events[i].type == EV_GOROUTINE_STACK:
                status = make_stack(
                    live, gen.heap_base + events[i].args[0] * gen.stack_align, events[i].args[1], OP_EXISTS
                )
            elif events[i].type != FIRST_OBJECT:
                return OK
            elif live.flags & REPLAY:
                span = owner_of(live, gen, named, &slot)
                status = be_born(live, span, slot, named, type_in(&types, events[i].args[1]), OP_EXISTS)
            if status != OK:
                return status if status > 0 else OK     # a fault is raised at its event
            live.cursor.snapshot = events[i].start + 1


cdef int stack_event(Live *live, const GENERATION_ROW *gen, uint8_t op, ALLOC *row) noexcept nogil:
    cdef uint64_t address = gen.heap_base + live.args[0] * gen.stack_align
    cdef int32_t order
    cdef bint pending
    cdef int status = OK
    row.address = address
    row.spanclass = UNKNOWN_CLASS
    row.size = 0
    if op == OP_FREE:
        order = stack_order(&live.space, address, &pending)
        if order == 0:
            live.anomalies[ANOMALY_UNKNOWN_STACK_FREED] += 1
            return OK
        row.size = <int64_t> 1 << (order - 1)
        if pending and late(live, live.sizes[SPACE_LATE_STACK], live.sizes[SPACE_LATE_STACK_M]):
            live.anomalies[ANOMALY_LATE_FREE] += 1
        else:
            end_stack(&live.space, address)
        return OK
    if op == OP_ALLOC or start_of(live.event) >= live.cursor.snapshot:
        status = make_stack(live, address, live.args[1], op)
        if status != OK:
            return status
    if live.args[1]:
        row.size = <int64_t> 1 << (live.args[1] - 1)
    else:
        live.anomalies[ANOMALY_STACK_OF_ORDER_0] += 1
    return OK


cdef int span_event(Live *live, const GENERATION_ROW *gen, uint8_t op, ALLOC *row) noexcept nogil:
    cdef uint64_t page = page_of(gen, live.args[0])
    cdef int status
    cdef SPAN *span
    row.address = page << gen.page_shift
    if op == OP_FREE:
        span = span_at(live, page)
        if span == NULL or span.page != page:
            live.anomalies[ANOMALY_UNKNOWN_SPAN_FREED] += 1
            row.size = 0
            row.spanclass = UNKNOWN_CLASS
            return OK
        if span.over:
            span.over = False
            span.owed = 0
            if late(live, span.born, span.born_m):
                live.anomalies[ANOMALY_LATE_FREE] += 1
                row.size = span.old_bytes
                row.spanclass = span.old_spanclass
                note_pages(live, span)
                return OK
        row.size = span.bytes
        row.spanclass = span.spanclass
        drop_span(live, span)
        return OK
    if op == OP_ALLOC or start_of(live.event) >= live.cursor.snapshot:
        status = make_span(live, gen, live.args, op)
        if status != OK:
            return status
    row.size = <int64_t> (live.args[1] << gen.page_shift)
    row.spanclass = spanclass_of(live.args[2])
    return OK


@cython.final
cdef class HeapTables:
    """The tables of the replay. The caller makes one larger when a GROW_ status requests it."""
    cdef SPAN[::1] spans
    cdef HashMap pages, stacks, loose, keys
    cdef PAGE[::1] leaves
    cdef int32_t[::1] cells
    cdef COUNTS[::1] counts
    cdef int64_t[::1] sizes, anomalies

    def __init__(self, SPAN[::1] spans, HashMap pages, PAGE[::1] leaves, HashMap stacks, HashMap loose,
                 int32_t[::1] cells, HashMap keys, COUNTS[::1] counts, int64_t[::1] sizes, int64_t[::1] anomalies):
        self.spans, self.pages, self.leaves, self.stacks, self.loose = spans, pages, leaves, stacks, loose
        self.cells, self.keys, self.counts, self.sizes, self.anomalies = cells, keys, counts, sizes, anomalies


@cython.final
cdef class Extractor:
    """Makes rows of a merge's alloc/free events, and replays the heap if requested.

    ``flags`` has 1 << what for each kind of row wanted, and 8 to replay objects into ``counts``.
    """
    cdef Merge merge
    cdef object kept
    cdef HeapTables tables
    cdef Live live
    cdef Resolver[2] resolvers      # of this thread, and of the background thread
    cdef FAULT *fault

    def __init__(self, Merge merge, uint64_t[::1] type_keys, int32_t[::1] type_vals, uint64_t multiplier,
                 const int64_t[::1] class_bytes, const int64_t[::1] type_slots, int flags, FAULT[::1] faults):
        cdef Live *live = &self.live
        cdef Py_ssize_t i
        self.merge = merge
        live.s, live.cursors = &merge.state.s, merge.state.cursors
        for i in range(2, 2 * class_bytes.shape[0]):
            live.classes[i].elem = class_bytes[i >> 1]
            live.classes[i].reciprocal = reciprocal_of(class_bytes[i >> 1])
        live.type_slots = &type_slots[0]
        live.flags = flags
        live.multiplier = multiplier
        for i in range(2):
            self.resolvers[i].multiplier = multiplier
            self.resolvers[i].type_keys, self.resolvers[i].type_vals = &type_keys[0], &type_vals[0]
            self.resolvers[i].n_kinds = LAST_OBJECT - FIRST_OBJECT + 1
        merge.state.decoder.resolvers = live.resolver = &self.resolvers[0]
        self.fault = &faults[0]
        self.kept = (type_keys, type_vals, class_bytes, type_slots, faults)

    def bind(self, HeapTables tables):
        """Use these tables."""
        cdef Live *live = &self.live
        self.tables = tables
        live.spans, live.room_spans = &tables.spans[0], tables.spans.shape[0]
        live.pages, live.room_pages = tables.pages.map, tables.pages.room
        live.leaves, live.room_leaves = &tables.leaves[0], tables.leaves.shape[0] // LEAF
        live.space.stacks, live.space.room_stacks = tables.stacks.map, tables.stacks.room
        live.loose, live.room_loose = tables.loose.map, tables.loose.room
        live.cells, live.room_groups = &tables.cells[0], tables.cells.shape[0] // GROUP
        live.keys, live.room_keys = tables.keys.map, tables.keys.room
        live.counts, live.room_counts = &tables.counts[0], tables.counts.shape[0]
        live.sizes, live.anomalies = &tables.sizes[0], &tables.anomalies[0]
        live.space.counts = live.sizes
        self.resolvers[0].pages = self.resolvers[1].pages = live.pages

    def take(self, ALLOC[::1] rows) -> int:
        """Fill rows (at least one) with the next events; returns the number of rows.

        faults[0].status is FULL when rows are used up, GROW_... when that table must grow before the next call, 0 at
        the end of the slab, below 0 for a fault.
        """
        cdef int status = OK
        cdef Live *live = &self.live
        cdef MergeState *merge = &self.merge.state
        live.latest = live.sizes[HEAP_LATEST]
        live.n_rows = live.n_events = 0
        with nogil:
            resume(merge)
            while status == OK:
                status = take_events(live, merge, &rows[0], rows.shape[0], self.fault)
            pause(merge, status)
        live.sizes[HEAP_LATEST] = live.latest
        live.sizes[HEAP_EVENTS] += live.n_events
        self.fault.status = OK if status == END_OF_CURSOR else status
        return live.n_rows


cdef struct Spot:
    const COMPACT *event
    int32_t *cell           # NULL: the event is not about an object
    uint32_t inset          # bytes from the slot's start to the address
    uint8_t spanclass
    uint8_t mine            # number of its turn in MergeState


cdef inline uint32_t place_in(uint8_t shift, const COMPACT *event, uint8_t index) noexcept nogil:
    """Bytes from the start of a plain event's span to its address, which is on the span's page with that index."""
    return <uint32_t> (event.arg & ((<uint64_t> 1 << shift) - 1)) + (<uint32_t> index << shift)


cdef inline void fill(
    ALLOC *row, const COMPACT *event, const CONTEXT *thread, uint32_t generation, int64_t base, uint8_t spanclass,
    int64_t elem, uint32_t inset
) noexcept nogil:
    """Make the row of a plain event, whose address is ``inset`` bytes after the start of its slot."""
    cdef int32_t p = thread.p
    row.time = event.time
    row.address = event.arg - inset
    row.size = elem
    row.offset = base + start_of(event)
    memcpy(&row.g, &thread.g, 2 * sizeof(int64_t))     # g and m
    row.type = event.type_row
    row.p = p
    row.generation = generation
    row.what = WHAT_OBJECT
    row.op = type_of(event) - FIRST_OBJECT
    row.spanclass = spanclass
    row.inset = <uint8_t> min(inset, <uint32_t> 255)


cdef inline int take_plain(Live *live, MergeState *merge, ALLOC *rows, int64_t room, bint writes,
                           FAULT *fault) noexcept nogil:
    """Make rows of the next events, if requested, while they are plain, as nearly all are.

    That is an allocation or a free of a small object in a known span. OK if the next event is none, or of another
    generation, or if there is no room; else DONE or a fault.
    """
    cdef const GENERATION_ROW *gen = merge.gen
    cdef Turn *turn
    cdef const COMPACT *event
    cdef const COMPACT *first
    cdef const COMPACT *end
    cdef CONTEXT *thread
    cdef ALLOC unwanted
    cdef ALLOC *row = rows + live.n_rows if writes else &unwanted
    cdef const ALLOC *last_row = rows + room
    cdef const PAGE *page
    cdef const PAGE *leaves = live.leaves
    cdef const Class *size_class
    cdef const Class *classes = live.classes
    cdef int64_t latest = live.latest, base = merge.s.base, limit, n = 0
    cdef uint32_t generation = <uint32_t> gen.number, inset, slot
    cdef uint8_t shift = gen.page_shift
    cdef int status = OK
    while status == OK and merge.gen == gen:
        turn = turn_of(merge)
        event = first = turn.event
        end = turn.end
        if writes:
            end = min(end, event + (last_row - row))
        limit = merge.limit
        thread = turn.thread
        while event < end and event.time <= limit:
            page = &leaves[event.page_slot]
            size_class = &classes[page.spanclass]
            inset = place_in(shift, event, page.index)
            slot = slot_at(size_class.reciprocal, inset)
            if slot < page.n_slots:
                fill(row, event, thread, generation, base, page.spanclass, size_class.elem,
                     inset - slot * <uint32_t> size_class.elem)
                row += writes
            else:
                if unlikely(type_of(event) >= FIRST_EVENT or follow(live.s, thread, event) != OK):
                    break
                n -= 1
            latest = max(latest, event.time)
            event += 1
        n += event - first
        turn.event = event
        if in_turn(merge):
            break
        status = next_turn(merge, fault)
    live.latest = latest
    live.n_events += n
    live.n_rows = row - rows if writes else live.n_rows
    return status


cdef inline int locate(Live *live, MergeState *merge, Spot *spots, int most) noexcept nogil:
    """Step over the next events while they are plain, locate and prefetch their cells; returns their number.

    They stay where they were decoded: it ends before more are decoded.
    """
    cdef Turn *turn
    cdef const COMPACT *event
    cdef const PAGE *page
    cdef const PAGE *leaves = live.leaves
    cdef const Class *size_class
    cdef SPAN *span
    cdef Spot *spot
    cdef uint32_t inset, slot
    cdef int32_t group
    cdef int64_t limit
    cdef int n = 0
    cdef uint8_t shift = merge.gen.page_shift
    while True:
        turn = turn_of(merge)
        event = turn.event
        limit = merge.limit
        while n < most and event < turn.end and event.time <= limit:
            spot = &spots[n]
            page = &leaves[event.page_slot]
            size_class = &live.classes[page.spanclass]
            inset = place_in(shift, event, page.index)
            slot = slot_at(size_class.reciprocal, inset)
            if slot < page.n_slots:
                span = &live.spans[page.span]
                group = span.groups[slot // GROUP]
                if unlikely(group == 0):
                    if type_of(event) == ALLOCATED_OBJECT:
                        group = new_group(live, span, slot)
                    if group == 0:
                        most = n
                        break
                spot.spanclass = page.spanclass
                spot.inset = inset - slot * <uint32_t> size_class.elem
                spot.cell = cell_at(live, group, slot)
                prefetch(spot.cell)
            else:
                if unlikely(type_of(event) >= FIRST_EVENT):
                    most = n
                    break
                spot.cell = NULL
            spot.event = event
            spot.mine = merge.mine
            event += 1
            n += 1
        turn.event = event
        if n == most or not switch_turn(merge):
            return n


cdef inline void step_back(MergeState *merge, const Spot *spots, int first, int n) noexcept nogil:
    """Step back, so that the first of these events is next again."""
    while n > first:
        n -= 1
        merge.mine = spots[n].mine
        turn_of(merge).event = spots[n].event
    if merge.size > 1:
        merge.limit = merge.turns[1 - merge.mine].event.time - merge.turns[1 - merge.mine].first


cdef inline int replay_plain(Live *live, MergeState *merge, ALLOC *rows, int64_t room, bint writes,
                             FAULT *fault) noexcept nogil:
    """As :func:`take_plain`, and replay the events of slots in a known state."""
    cdef const GENERATION_ROW *gen = merge.gen
    cdef Spot[STRIDE] spots
    cdef const Spot *spot
    cdef const COMPACT *event
    cdef CONTEXT *thread
    cdef ALLOC *row = rows + live.n_rows
    cdef ALLOC *last_row = rows + room
    cdef int64_t latest = live.latest, base = merge.s.base, n_events = 0
    cdef uint32_t generation = <uint32_t> gen.number
    cdef int status = OK, i, n
    while status == OK and merge.gen == gen:
        n = locate(live, merge, spots, <int> min(last_row - row, <int64_t> STRIDE) if writes else STRIDE)
        i = 0
        while i < n:
            spot = &spots[i]
            event = spot.event
            thread = merge.turns[spot.mine].thread
            if spot.cell == NULL:
                if unlikely(follow(live.s, thread, event) != OK):
                    break
                n_events -= 1
            else:
                if unlikely(not in_known_state(live, spot, event)):
                    break
                if writes:
                    fill(row, event, thread, generation, base, spot.spanclass, live.classes[spot.spanclass].elem,
                         spot.inset)
                    row += 1
            latest = max(latest, event.time)
            i += 1
        n_events += i
        if i < n:
            step_back(merge, spots, i, n)
            break
        if not in_turn(merge):
            status = next_turn(merge, fault)
        elif n == 0:
            break
    live.latest = latest
    live.n_events += n_events
    live.n_rows = row - rows if writes else live.n_rows
    return status


cdef inline int take_plainly(Live *live, MergeState *merge, ALLOC *rows, int64_t room, FAULT *fault) noexcept nogil:
    """Take the next events while they are plain."""
    cdef bint writes = (live.flags >> WHAT_OBJECT) & 1
    if live.flags & REPLAY:
        return replay_plain(live, merge, rows, room, writes, fault)
    return take_plain(live, merge, rows, room, writes, fault)


cdef inline bint in_known_state(Live *live, const Spot *spot, const COMPACT *event) noexcept nogil:
    """Replay an allocation in a free slot or a free of a live one; False if it is anything else."""
    cdef int32_t *cell = spot.cell
    cdef int32_t key
    cdef COUNTS *counts
    if type_of(event) == LAST_OBJECT:
        if unlikely(cell[0] <= 0 or cell[0] & FREE_PENDING):
            return False
        counts = &live.counts[cell[0] - 1]
        counts.free_objects += 1
        counts.free_bytes += live.classes[spot.spanclass].elem
        cell[0] = 0
    elif cell[0] == 0:
        key = near_key_of(live, event.type_row, spot.spanclass)
        if unlikely(key < 0):
            return False
        cell[0] = key + 1
        counts = &live.counts[key]
        counts.alloc_objects += 1
        counts.alloc_bytes += live.classes[spot.spanclass].elem
    elif spot.spanclass == TINY_CLASS:
        live.anomalies[ANOMALY_TINY_SHARED] += 1
    else:
        return False
    return True


cdef int take_one(Live *live, MergeState *merge, ALLOC *row, FAULT *fault) noexcept nogil:
    """Take the next event, and fill row if it is an alloc/free event: OK, GROW_... or a fault."""
    cdef const GENERATION_ROW *gen = merge.gen
    cdef const COMPACT *event = turn_of(merge).event
    cdef CONTEXT *thread = turn_of(merge).thread
    cdef uint64_t named, inset
    cdef uint32_t slot = 0
    cdef uint8_t kind = type_of(event), what = (kind - FIRST_EVENT) // 3, op = (kind - FIRST_EVENT) % 3
    cdef int status = OK
    cdef SPAN *span = NULL
    if kind < FIRST_EVENT or kind > LAST_EVENT:
        live.latest = max(live.latest, event.time)
        return OK if follow(live.s, thread, event) == OK else blame(live.s, event, fault, WIDE_PROC, event.arg)
    live.event = event
    live.cursor = &live.cursors[merge.pair[merge.mine]]
    if op == OP_EXISTS and start_of(event) >= live.cursor.snapshot:
        status = look_ahead(live, gen)
        if status != OK:
            return status
    row.inset = 0
    row.type = 0
    if what == WHAT_OBJECT:
        named = event.arg
        span = owner_of(live, gen, named, &slot)
        row.type = event.type_row
        if live.flags & REPLAY:
            if op == OP_FREE:
                die(live, span, slot, named)
            elif op == OP_ALLOC:
                status = be_born(live, span, slot, named, row.type, op)
                if status != OK:
                    return status
        live.anomalies[ANOMALY_UNRESOLVED_TYPE] += row.type == UNRESOLVED
        if span != NULL:
            row.address = base_of(gen, span) + slot * <uint64_t> span.elem
            row.size = span.elem
            row.spanclass = span.spanclass
            inset = named - row.address
            row.inset = <uint8_t> (inset if inset < 255 else 255)
        else:
            row.address = named
            row.size = live.type_slots[row.type] if op != OP_FREE else 0
            row.spanclass = UNKNOWN_CLASS
            live.anomalies[ANOMALY_OBJECT_OUTSIDE] += op != OP_FREE
    else:
        args_at(live.s, start_of(event), live.args)
        status = span_event(live, gen, op, row) if what == WHAT_SPAN else stack_event(live, gen, op, row)
        if status != OK:
            return status if status > 0 else blame(
                live.s, event, fault, status, live.args[2 if status == BAD_KINDCLASS else 1])
    live.latest = max(live.latest, event.time)
    live.n_events += 1
    row.time = event.time
    row.offset = live.s.base + start_of(event)
    row.g = thread.g
    row.m = thread.m
    row.p = thread.p
    row.generation = <uint32_t> gen.number
    row.what = what
    row.op = op
    return OK


cdef inline int take_events(Live *live, MergeState *merge, ALLOC *rows, int64_t room, FAULT *fault) noexcept nogil:
    """Take the events of a generation: OK at its end, END_OF_CURSOR, FULL, GROW_... or a fault."""
    cdef const GENERATION_ROW *gen = merge.gen
    cdef const COMPACT *event
    cdef int status = OK
    cdef int64_t before, at_first = live.n_events
    cdef ALLOC scratch
    while True:
        status = take_plainly(live, merge, rows, room, fault)
        if status != OK or merge.gen != gen:
            break
        event = turn_of(merge).event
        before = live.n_events
        if live.n_rows == room and FIRST_EVENT <= type_of(event) <= LAST_EVENT and wanted(live, event):
            status = FULL
            break
        status = take_one(live, merge, &scratch, fault)
        if status != OK:
            break
        if live.n_events > before and wanted(live, event):
            rows[live.n_rows] = scratch
            live.n_rows += 1
        turn_of(merge).event += 1
    if gen.relative:
        live.anomalies[ANOMALY_RELATIVE] += live.n_events - at_first
    return status


cdef inline bint wanted(const Live *live, const COMPACT *event) noexcept nogil:
    return (live.flags >> ((type_of(event) - FIRST_EVENT) // 3)) & 1
