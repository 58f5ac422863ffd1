"""Rows of ALLOC replayed object by object: births, groups, garbage collection cycles, the peak.

In: rows of ALLOC. Out: rows of LIFETIME, and sums by group at any instant; FORMAT 9.9 rules which free belongs to which
object. Never here: decoding, names, growth of tables (a status requests it).
"""
cimport cython
from libc.stdint cimport INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport (
    AGES, ALLOC, ANOMALY_LATE_FREE, ANOMALY_LIVE_SLOT_ALLOCATED, ANOMALY_OBJECT_IN_FREED_SPAN, ANOMALY_TINY_SHARED,
    ANOMALY_UNKNOWN_OBJECT_FREED, BATCH, CELL, END_ALIVE, END_FREED, END_REUSED, END_SPAN, FULL, GRID, GROUP, GROUPS,
    GROW_CELLS, GROW_KEYS, GROW_LOOSE, GROW_PAGES, GROW_SPANS, GROW_STACKS, HEAP_CYCLE, HELD_SPAN, LEAF, LIFETIME,
    MANUAL, OK, OP_ALLOC, OP_EXISTS, OP_FREE, REPLAY_CYCLE, REPLAY_INUSE_BYTES, REPLAY_INUSE_OBJECTS, REPLAY_MOST_BYTES,
    REPLAY_PEAK_BYTES, REPLAY_PEAK_CYCLE, REPLAY_PEAK_ID, REPLAY_PEAK_MEMORY, REPLAY_PEAK_ROWS, REPLAY_PEAK_TIME,
    REPLAY_RISING, REPLAY_ROWS, REPLAY_STOPPED, REPLAY_TIME, SPACE_FREE_GROUP, SPACE_FREE_SPAN, SPACE_HEAP_SPANS,
    SPACE_LATE_STACK, SPACE_LATE_STACK_M, SPACE_N_GROUPS, SPACE_N_KEYS, SPACE_N_LEAVES, SPACE_N_LOOSE, SPACE_N_SPANS,
    TALLY, TINY_CLASS, UNKNOWN_CLASS, WHAT_OBJECT, WHAT_SPAN,
)
from gotrace._hashmap cimport HashMap, IdMap, place, value_of
from gotrace._varint cimport prefetch, unlikely
from gotrace.heap._space cimport (
    FREE_PENDING, MOST_PAGES, Space, SpanShape, cell_place, count_span, end_stack, enter_stack, has_stack_room,
    may_precede, reciprocal_of, shape_of, slot_at, stack_order,
)

cdef enum:
    FAR = 255               # inset of rows: this or more
    MOST_ENDS = MOST_PAGES * GROUP * GROUPS     # objects that one row can end
    ALLOCS = 0              # places in TALLY.counts: objects, then bytes
    FREES = 2
    STARTS = 4
    LOOK = 12               # rows to prefetch for


cdef struct ReplayState:
    HELD_SPAN *spans        # span 0 stays unused
    IdMap pages             # page / LEAF -> leaf + 1
    int32_t *leaves         # span by page, 0 none; leaf 0 stays unused
    CELL *cells
    IdMap loose             # address of an object outside all spans -> row of loose_cells + 1
    CELL *loose_cells
    int64_t *loose_bytes    # sizes of these objects
    Space space             # stacks and counts of memory
    IdMap keys              # type and spanclass, or label -> row of TALLY + 1
    TALLY *tallies
    int64_t *ages           # at death: (AGES, 2), objects and bytes; NULL if not requested
    HEAP_CYCLE *cycles      # NULL if not requested
    int64_t *life
    int64_t *anomalies
    const int64_t *class_bytes
    int64_t room_spans, room_pages, room_leaves, room_cells, room_loose, room_keys
    LIFETIME *out           # NULL if not requested
    int32_t *groups         # rows of TALLY of the rows of ``out``
    int64_t n_out, room_out
    const BATCH *batches    # of the segment, with the clocks of its generations
    int64_t n_batches
    const double *factors
    const int64_t *type_slots
    const int64_t *labels   # by row, NULL: objects count by type and size class
    int64_t youngest, oldest    # ages that are counted by group
    uint64_t last_pair
    int32_t last_key
    int shift               # log2 of a page's bytes
    const ALLOC *row        # the current one
    int64_t at              # and its number


cdef inline int32_t span_at(const ReplayState *r, uint64_t address) noexcept nogil:
    """The live span of an address, 0 if none is known."""
    cdef uint64_t page = address >> r.shift
    cdef int32_t leaf = value_of(&r.pages, page // LEAF)
    return r.leaves[<int64_t> leaf * LEAF + (page % LEAF)] if leaf else 0


cdef inline int32_t *noted_at(ReplayState *r, uint64_t page) noexcept nogil:
    """Entry of a page in its leaf; makes the leaf, for which there must be room."""
    cdef uint64_t high = page // LEAF
    cdef int64_t at = place(&r.pages, high)
    cdef int i
    if r.pages.vals[at] == 0:
        r.pages.keys[at] = high
        r.life[SPACE_N_LEAVES] += 1
        r.pages.vals[at] = <int32_t> r.life[SPACE_N_LEAVES]
        for i in range(LEAF):
            r.leaves[r.life[SPACE_N_LEAVES] * LEAF + i] = 0
    return &r.leaves[<int64_t> r.pages.vals[at] * LEAF + (page % LEAF)]


cdef inline uint32_t slot_of(const HELD_SPAN *span, uint64_t address) noexcept nogil:
    return slot_at(span.reciprocal, address - span.base)


cdef bint late(const ReplayState *r, int64_t time, int64_t m) noexcept nogil:
    """True if the current event may have happened before one of thread m at this earlier time."""
    cdef int64_t low = 0, high = r.n_batches, middle, written
    if m == r.row.m:
        return False
    while high - low > 1:
        middle = (low + high) // 2
        if r.batches[middle].offset <= r.row.offset:
            low = middle
        else:
            high = middle
    written = r.row.offset - r.batches[low].offset - r.batches[low].head
    return may_precede(r.row.time, time, written, r.factors[r.batches[low].gen])


cdef inline void before_change(ReplayState *r, TALLY *tally) noexcept nogil:
    """Keep a group's counts at the peak before they change."""
    cdef int i
    if tally.peak_id != r.life[REPLAY_PEAK_ID] and not r.life[REPLAY_RISING]:
        tally.peak_id = r.life[REPLAY_PEAK_ID]
        for i in range(6):
            tally.peak[i] = tally.counts[i]


cdef inline void end_rise(ReplayState *r) noexcept nogil:
    """End a rise of the heap: the peak is now in the past."""
    cdef int i
    if r.life[REPLAY_RISING]:
        r.life[REPLAY_RISING] = 0
        r.life[REPLAY_PEAK_ID] += 1
        for i in range(6):
            r.life[REPLAY_PEAK_MEMORY + i] = r.life[SPACE_HEAP_SPANS + i]


cdef inline void grow_heap(ReplayState *r, TALLY *tally, int what, int64_t size) noexcept nogil:
    cdef int64_t inuse = r.life[REPLAY_INUSE_BYTES] + size
    if inuse <= r.life[REPLAY_PEAK_BYTES]:
        end_rise(r)
    before_change(r, tally)
    tally.counts[what] += 1
    tally.counts[what + 1] += size
    r.life[REPLAY_INUSE_BYTES] = inuse
    r.life[REPLAY_INUSE_OBJECTS] += 1
    if inuse > r.life[REPLAY_MOST_BYTES]:
        r.life[REPLAY_MOST_BYTES] = inuse
    if inuse > r.life[REPLAY_PEAK_BYTES]:
        r.life[REPLAY_RISING] = 1
        r.life[REPLAY_PEAK_BYTES] = inuse
        r.life[REPLAY_PEAK_TIME] = r.row.time
        r.life[REPLAY_PEAK_CYCLE] = r.life[REPLAY_CYCLE]
        r.life[REPLAY_PEAK_ROWS] = r.life[REPLAY_ROWS] + 1


cdef inline void fill(const CELL *cell, LIFETIME *out, uint64_t address, int64_t size, uint8_t spanclass,
                      int32_t kind, int64_t now) noexcept nogil:
    """Write the row of a live object."""
    out.born = cell.born
    out.died = -1
    out.address = address
    out.size = size
    out.offset = cell.offset
    out.g = cell.g
    out.type = kind
    out.born_cycle = cell.cycle
    out.died_cycle = -1
    out.age = <int32_t> (now - cell.cycle) if cell.cycle >= 0 else -1
    out.spanclass = spanclass
    out.end = END_ALIVE


cdef void end_object(
    ReplayState *r, CELL *cell, uint64_t address, int64_t size, uint8_t spanclass, uint8_t how
) noexcept nogil:
    """End the object in a cell."""
    cdef int32_t key = (cell.key & ~FREE_PENDING) - 1
    cdef TALLY *tally = &r.tallies[key]
    cdef int64_t cycle = r.life[REPLAY_CYCLE], age = cycle - cell.cycle if cell.cycle >= 0 else -1
    cdef LIFETIME *out
    end_rise(r)
    before_change(r, tally)
    tally.counts[FREES] += 1
    tally.counts[FREES + 1] += size
    r.life[REPLAY_INUSE_OBJECTS] -= 1
    r.life[REPLAY_INUSE_BYTES] -= size
    if age < 0 or age > 1:
        tally.old_frees += 1
    if age >= 0:
        if r.youngest <= age <= r.oldest:
            tally.aged[0] += 1
            tally.aged[1] += size
        if r.ages != NULL:
            age = min(age, <int64_t> (AGES - 1))
            r.ages[2 * age] += 1
            r.ages[2 * age + 1] += size
    if r.cycles != NULL:
        r.cycles[cycle].free_objects += 1
        r.cycles[cycle].free_bytes += size
    if r.out != NULL:
        out = &r.out[r.n_out]
        fill(cell, out, address, size, spanclass, tally.type, cycle)
        out.died = r.row.time
        out.died_cycle = <int32_t> cycle
        out.end = how
        r.groups[r.n_out] = key
        r.n_out += 1
    cell.key = 0


cdef int drop_span(ReplayState *r, int32_t me) noexcept nogil:
    """Remove a span and the objects in it; return the number of these."""
    cdef HELD_SPAN *span = &r.spans[me]
    cdef CELL *cells
    cdef int32_t *noted
    cdef int i, j, n = 0
    end_rise(r)
    for i in range(span.n_pages):
        noted = noted_at(r, (span.base >> r.shift) + <uint64_t> i)
        if noted[0] == me:
            noted[0] = 0
    span.n_pages = 0
    for i in range(GROUPS):
        if span.groups[i] == 0:
            continue
        cells = &r.cells[<int64_t> (span.groups[i] - 1) * GROUP]
        for j in range(GROUP):
            if cells[j].key:
                n += 1
                end_object(r, &cells[j], span.base + <uint64_t> ((i * GROUP + j) * span.elem), span.elem,
                           span.spanclass, END_SPAN)
        cells[0].key = <int32_t> r.life[SPACE_FREE_GROUP]
        r.life[SPACE_FREE_GROUP] = span.groups[i]
        span.groups[i] = 0
    count_span(&r.space, span.spanclass, span.bytes, -1)
    span.next_free = <int32_t> r.life[SPACE_FREE_SPAN]
    r.life[SPACE_FREE_SPAN] = me
    r.anomalies[ANOMALY_OBJECT_IN_FREED_SPAN] += n
    return n


cdef int make_span(ReplayState *r) noexcept nogil:
    """Enter the span of the current row."""
    cdef const ALLOC *row = r.row
    cdef uint64_t page = row.address >> r.shift
    cdef int32_t me = span_at(r, row.address)
    cdef int32_t *noted
    cdef HELD_SPAN *span = &r.spans[me]
    cdef SpanShape shape
    cdef int64_t elem
    cdef int i, ended
    if row.op == OP_EXISTS and me and span.base == row.address and span.spanclass == row.spanclass:
        return OK
    if r.life[SPACE_FREE_SPAN] == 0 and r.life[SPACE_N_SPANS] + 1 == r.room_spans:
        return GROW_SPANS
    if r.life[SPACE_N_LEAVES] + 3 > r.room_leaves or r.life[SPACE_N_LEAVES] + 2 > r.room_pages // 2:
        return GROW_PAGES
    end_rise(r)
    if r.life[SPACE_FREE_SPAN]:
        me = <int32_t> r.life[SPACE_FREE_SPAN]
        r.life[SPACE_FREE_SPAN] = r.spans[me].next_free
    else:
        r.life[SPACE_N_SPANS] += 1
        me = <int32_t> r.life[SPACE_N_SPANS]
    span = &r.spans[me]
    span.base = row.address
    span.bytes = row.size
    span.spanclass = row.spanclass
    span.live = 0
    span.over = False
    span.owed = 0
    span.late = INT64_MIN
    for i in range(GROUPS):
        span.groups[i] = 0
    elem = r.class_bytes[span.spanclass >> 1] if span.spanclass < MANUAL else row.size
    shape = shape_of(span.spanclass, row.size, <uint64_t> row.size >> r.shift, elem)
    span.elem, span.n_slots, span.n_pages = shape.elem, shape.n_slots, shape.n_pages
    span.reciprocal = reciprocal_of(span.elem) if 1 < span.spanclass < MANUAL else 0
    count_span(&r.space, span.spanclass, span.bytes, 1)
    for i in range(span.n_pages):
        noted = noted_at(r, page + <uint64_t> i)
        if noted[0]:
            ended = drop_span(r, noted[0])
            if row.op == OP_ALLOC:
                span.over = True
                span.owed += ended
                span.born = row.time
                span.born_m = row.m
        noted[0] = me
    return OK


cdef inline int32_t key_of(ReplayState *r, uint8_t spanclass) noexcept nogil:
    """The group of the current row's object, -1 if there is no room for another one."""
    cdef uint64_t pair
    cdef int64_t at
    cdef int i
    cdef TALLY *new
    if r.labels == NULL:
        pair = <uint64_t> r.row.type << 8 | spanclass
    else:
        pair = <uint64_t> r.labels[r.at]
    if pair == r.last_pair and r.last_key >= 0:
        return r.last_key
    at = place(&r.keys, pair)
    if r.keys.vals[at] == 0:
        if r.life[SPACE_N_KEYS] >= r.room_keys // 2:
            return -1
        new = &r.tallies[r.life[SPACE_N_KEYS]]
        new.label = r.labels[r.at] if r.labels != NULL else 0
        new.type = r.row.type
        new.spanclass = spanclass
        new.peak_id = -1
        new.aged[0] = new.aged[1] = new.old_frees = 0
        for i in range(6):
            new.counts[i] = new.peak[i] = 0
        r.life[SPACE_N_KEYS] += 1
        r.keys.keys[at] = pair
        r.keys.vals[at] = <int32_t> r.life[SPACE_N_KEYS]
    r.last_pair = pair
    r.last_key = r.keys.vals[at] - 1
    return r.last_key


cdef CELL *cell_of(ReplayState *r, HELD_SPAN *span, uint32_t slot) noexcept nogil:
    """The cell of a slot, NULL if its group does not exist yet."""
    cdef int32_t group = span.groups[slot // GROUP]
    return &r.cells[cell_place(group, slot)] if group else NULL


cdef bint make_group(ReplayState *r, HELD_SPAN *span, uint32_t slot) noexcept nogil:
    """Make the group of a slot; False if there is no room."""
    cdef int32_t group
    cdef int i
    if r.life[SPACE_FREE_GROUP]:
        group = <int32_t> r.life[SPACE_FREE_GROUP]
        r.life[SPACE_FREE_GROUP] = r.cells[<int64_t> (group - 1) * GROUP].key
    elif (r.life[SPACE_N_GROUPS] + 1) * GROUP <= r.room_cells:
        r.life[SPACE_N_GROUPS] += 1
        group = <int32_t> r.life[SPACE_N_GROUPS]
    else:
        return False
    for i in range(GROUP):
        r.cells[<int64_t> (group - 1) * GROUP + i].key = 0
    span.groups[slot // GROUP] = group
    return True


cdef inline uint64_t named_by(const ALLOC *row) noexcept nogil:
    """The address in an object's event; its slot may have changed since the row was made."""
    return row.address + (row.inset if row.inset < FAR else 0)


cdef inline int be_born(ReplayState *r) noexcept nogil:
    """Start the life of the current row's object."""
    cdef const ALLOC *row = r.row
    cdef uint64_t named = named_by(row)
    cdef int32_t me = span_at(r, named), key
    cdef HELD_SPAN *span = &r.spans[me]
    cdef uint32_t slot = slot_of(span, named)
    cdef int64_t at = 0, size
    cdef CELL *cell
    if me and slot >= span.n_slots:
        me = 0
    size = span.elem if me else r.type_slots[row.type]
    key = key_of(r, span.spanclass if me else UNKNOWN_CLASS)
    if key < 0:
        return GROW_KEYS
    if me:
        cell = cell_of(r, span, slot)
        if cell == NULL:
            if not make_group(r, span, slot):
                return GROW_CELLS
            cell = cell_of(r, span, slot)
    else:
        if r.life[SPACE_N_LOOSE] >= r.room_loose // 2:
            return GROW_LOOSE
        at = place(&r.loose, named)
        if r.loose.vals[at] == 0:
            r.loose.keys[at] = named
            r.life[SPACE_N_LOOSE] += 1
            r.loose.vals[at] = <int32_t> r.life[SPACE_N_LOOSE]
            r.loose_cells[r.loose.vals[at] - 1].key = 0
        at = r.loose.vals[at] - 1
        cell = &r.loose_cells[at]
    key += 1
    if cell.key:
        if row.op == OP_EXISTS:
            return OK
        if me and span.spanclass == TINY_CLASS:
            r.anomalies[ANOMALY_TINY_SHARED] += 1
            return OK
        r.anomalies[ANOMALY_LIVE_SLOT_ALLOCATED] += 1
        if me:
            end_object(r, cell, span.base + slot * <uint64_t> size, size, span.spanclass, END_REUSED)
            span.late = row.time
            span.late_m = row.m
            key |= FREE_PENDING
        else:
            end_object(r, cell, named, r.loose_bytes[at], UNKNOWN_CLASS, END_REUSED)
    elif me:
        span.live += 1
    if not me:
        r.loose_bytes[at] = size
    cell.key = key
    cell.offset = row.offset
    cell.g = row.g
    if row.op == OP_EXISTS:
        cell.born = cell.cycle = -1
        grow_heap(r, &r.tallies[(key & ~FREE_PENDING) - 1], STARTS, size)
    else:
        cell.born = row.time
        cell.cycle = <int32_t> r.life[REPLAY_CYCLE]
        grow_heap(r, &r.tallies[(key & ~FREE_PENDING) - 1], ALLOCS, size)
        if r.cycles != NULL:
            r.cycles[cell.cycle].alloc_objects += 1
            r.cycles[cell.cycle].alloc_bytes += size
    return OK


cdef inline void die(ReplayState *r) noexcept nogil:
    """End the object of the current row."""
    cdef uint64_t named = named_by(r.row)
    cdef int32_t me = span_at(r, named)
    cdef HELD_SPAN *span = &r.spans[me]
    cdef CELL *cell = NULL
    cdef uint32_t slot = slot_of(span, named)
    cdef int64_t at
    cdef int i
    if me and slot < span.n_slots:
        if unlikely(span.owed != 0) and late(r, span.born, span.born_m):
            span.owed -= 1
            r.anomalies[ANOMALY_LATE_FREE] += 1       # of an object in the span that was here before
            return
        cell = cell_of(r, span, slot)
    if cell != NULL and cell.key:
        if unlikely(cell.key & FREE_PENDING):
            cell.key &= ~FREE_PENDING
            if late(r, span.late, span.late_m):
                r.anomalies[ANOMALY_LATE_FREE] += 1
                return
        end_object(r, cell, span.base + slot * <uint64_t> span.elem, span.elem, span.spanclass, END_FREED)
        span.live -= 1
        return
    if r.life[SPACE_N_LOOSE]:
        for i in range(2):                  # the slot, or the pointer after its header
            at = place(&r.loose, named + <uint64_t> (8 * i))
            if r.loose.vals[at] and r.loose_cells[r.loose.vals[at] - 1].key:
                end_object(r, &r.loose_cells[r.loose.vals[at] - 1], r.loose.keys[at],
                           r.loose_bytes[r.loose.vals[at] - 1], UNKNOWN_CLASS, END_FREED)
                return
    r.anomalies[ANOMALY_UNKNOWN_OBJECT_FREED] += 1


cdef int take_span(ReplayState *r) noexcept nogil:
    """Take a row about a span."""
    cdef int32_t me
    cdef HELD_SPAN *span
    if r.row.op != OP_FREE:
        return make_span(r)
    me = span_at(r, r.row.address)
    span = &r.spans[me]
    if me == 0 or span.base != r.row.address:
        return OK
    if span.over:
        span.over = False
        span.owed = 0
        if late(r, span.born, span.born_m):
            return OK
    drop_span(r, me)
    return OK


cdef int take_stack(ReplayState *r) noexcept nogil:
    """Take a row about the stack of a goroutine."""
    cdef const ALLOC *row = r.row
    cdef int32_t order
    cdef bint pending
    if row.op == OP_FREE:
        order = stack_order(&r.space, row.address, &pending)
        if order == 0 or (pending and late(r, r.life[SPACE_LATE_STACK], r.life[SPACE_LATE_STACK_M])):
            return OK
        end_rise(r)
        end_stack(&r.space, row.address)
        return OK
    if row.size == 0:
        return OK
    if not has_stack_room(&r.space):
        return GROW_STACKS
    end_rise(r)
    order = 1
    while (<int64_t> 1 << (order - 1)) < row.size:
        order += 1
    if enter_stack(&r.space, row.address, order, row.op):
        r.life[SPACE_LATE_STACK] = row.time
        r.life[SPACE_LATE_STACK_M] = row.m
    return OK


cdef inline void look(const ReplayState *r, const ALLOC *row) noexcept nogil:
    """Prefetch what an upcoming row will read."""
    cdef int32_t me = span_at(r, row.address)
    cdef const HELD_SPAN *span = &r.spans[me]
    cdef uint32_t slot = slot_of(span, row.address)
    if me and slot < span.n_slots and span.groups[slot // GROUP]:
        prefetch(&r.cells[cell_place(span.groups[slot // GROUP], slot)])


cdef inline void tally_age(const CELL *cell, int64_t size, int64_t now, int64_t youngest, int64_t oldest,
                           int64_t *out, int64_t *ages, int64_t *unknown) noexcept nogil:
    cdef int64_t age = now - cell.cycle
    if cell.key == 0:
        return
    if cell.cycle < 0:
        count(unknown, size)
        return
    count(&ages[2 * min(age, <int64_t> (AGES - 1))], size)
    if youngest <= age <= oldest:
        count(&out[2 * <int64_t> ((cell.key & ~FREE_PENDING) - 1)], size)


cdef inline void count(int64_t *to, int64_t size) noexcept nogil:
    to[0] += 1
    to[1] += size


cdef inline void colour(int64_t *columns, int shift, uint64_t at, int64_t size) noexcept nogil:
    """Add bytes to the columns that they cover."""
    cdef uint64_t end = at + <uint64_t> size
    cdef uint64_t column = at >> shift
    cdef uint64_t border
    while at < end and column < GRID:
        border = (column + 1) << shift
        if border > end or border == 0:
            border = end
        columns[column] += <int64_t> (border - at)
        at = border
        column += 1


@cython.final
cdef class Replay:
    """The heap, object by object.

    ``deaths_by_age`` has a row for each age, or none if ages at death are not requested. Ages from ``youngest`` to
    ``oldest`` are counted by group. What the numbers in ``life`` mean is in ``heap.rows.ReplayCounter``.
    """
    cdef ReplayState state
    cdef object kept, kept_tables, kept_segment

    def __init__(self, int64_t[::1] life, int64_t[::1] anomalies, int64_t[:, ::1] deaths_by_age,
                 const int64_t[::1] class_bytes, int64_t youngest, int64_t oldest):
        cdef ReplayState *r = &self.state
        self.kept = life, anomalies, deaths_by_age, class_bytes
        r.space.counts = &life[0]
        r.life, r.anomalies, r.class_bytes = &life[0], &anomalies[0], &class_bytes[0]
        r.ages = &deaths_by_age[0, 0] if deaths_by_age.shape[0] else NULL
        r.youngest, r.oldest = youngest, oldest

    def bind(self, HELD_SPAN[::1] spans, HashMap pages, int32_t[::1] leaves, CELL[::1] cells, HashMap loose,
             CELL[::1] loose_cells, int64_t[::1] loose_bytes, HashMap stacks, HashMap keys, TALLY[::1] tallies):
        """Use these tables."""
        cdef ReplayState *r = &self.state
        self.kept_tables = spans, pages, leaves, cells, loose, loose_cells, loose_bytes, stacks, keys, tallies
        r.spans, r.room_spans = &spans[0], spans.shape[0]
        r.pages, r.room_pages = pages.map, pages.room
        r.leaves, r.room_leaves = &leaves[0], leaves.shape[0] // LEAF
        r.cells, r.room_cells = &cells[0], cells.shape[0]
        r.loose, r.room_loose = loose.map, loose.room
        r.loose_cells, r.loose_bytes = &loose_cells[0], &loose_bytes[0]
        r.space.stacks, r.space.room_stacks = stacks.map, stacks.room
        r.keys, r.room_keys, r.tallies = keys.map, keys.room, &tallies[0]

    def enter(self, const BATCH[::1] batches, const double[::1] factors, int page_shift, HEAP_CYCLE[::1] cycles,
              const int64_t[::1] type_slots):
        """Start the segment with these batches.

        ``factors`` are ns per clock unit by generation. ``cycles`` has room for all GC cycles up to the segment's end,
        or for none if they are not requested. ``type_slots`` are the bytes of an object's slot, by row of the type
        table.
        """
        cdef ReplayState *r = &self.state
        self.kept_segment = batches, factors, cycles, type_slots
        r.type_slots = &type_slots[0]
        r.batches, r.n_batches, r.factors, r.shift = &batches[0], batches.shape[0], &factors[0], page_shift
        r.cycles = &cycles[0] if cycles.shape[0] else NULL

    def follow(self, const ALLOC[::1] rows, const int64_t[::1] labels, const int64_t[::1] begins, int64_t stop,
               LIFETIME[::1] out, int32_t[::1] groups) -> tuple[int, int, int, int]:
        """Replay rows up to the first event at or after ``stop``: ``(rows, begins taken, lifetimes written, status)``.

        ``begins`` are the times in ns at which mark phases of this segment begin, in order, as far as no row came
        after them. The status is FULL when ``out`` must be emptied first, GROW_... when that table must grow.
        ``labels`` is empty to count by type and size class, ``out`` to write no rows; else it has room for all objects
        that one row can end. ``groups``, as long as ``out``, is set to the rows of TALLY of these objects.
        """
        cdef ReplayState *r = &self.state
        cdef Py_ssize_t i = 0, n = rows.shape[0]
        cdef int64_t begun = 0, n_begins = begins.shape[0]
        cdef int status = OK
        r.labels = &labels[0] if labels.shape[0] else NULL
        r.last_pair = 0
        r.last_key = -1
        r.out = &out[0] if out.shape[0] else NULL
        r.groups = &groups[0] if out.shape[0] else NULL
        r.n_out, r.room_out = 0, out.shape[0] - MOST_ENDS
        with nogil:
            while i < n:
                r.row = &rows[i]
                r.at = i
                if r.row.op != OP_EXISTS:       # a snapshot is of one moment
                    if r.row.time >= stop:
                        r.life[REPLAY_STOPPED] = 1
                        break
                    while begun < n_begins and begins[begun] <= r.row.time:
                        begun += 1
                        r.life[REPLAY_CYCLE] += 1
                        if r.cycles != NULL:
                            r.cycles[r.life[REPLAY_CYCLE]].inuse_objects = r.life[REPLAY_INUSE_OBJECTS]
                            r.cycles[r.life[REPLAY_CYCLE]].inuse_bytes = r.life[REPLAY_INUSE_BYTES]
                    r.life[REPLAY_TIME] = r.row.time
                if r.out != NULL and r.n_out > r.room_out:
                    status = FULL
                    break
                if i + LOOK < n:
                    look(r, &rows[i + LOOK])
                if r.row.what == WHAT_OBJECT:
                    if r.row.op == OP_FREE:
                        die(r)
                    else:
                        status = be_born(r)
                else:
                    status = take_span(r) if r.row.what == WHAT_SPAN else take_stack(r)
                if status != OK:
                    break
                r.life[REPLAY_ROWS] += 1
                i += 1
        return i, begun, r.n_out, status

    def survivors(self, LIFETIME[::1] out) -> int:
        """Write the live objects, in no order; returns their number. ``out`` has room for all."""
        cdef ReplayState *r = &self.state
        cdef int64_t s, n = 0, now = r.life[REPLAY_CYCLE]
        cdef int i, j
        cdef const HELD_SPAN *span
        cdef const CELL *cell
        with nogil:
            for s in range(1, r.life[SPACE_N_SPANS] + 1):
                span = &r.spans[s]
                if span.n_pages == 0 or span.live == 0:
                    continue
                for i in range(GROUPS):
                    for j in range(GROUP if span.groups[i] else 0):
                        cell = &r.cells[<int64_t> (span.groups[i] - 1) * GROUP + j]
                        if cell.key:
                            fill(cell, &out[n], span.base + <uint64_t> ((i * GROUP + j) * span.elem), span.elem,
                                 span.spanclass, r.tallies[(cell.key & ~FREE_PENDING) - 1].type, now)
                            n += 1
            for s in range(r.room_loose):
                if r.loose.vals[s] and r.loose_cells[r.loose.vals[s] - 1].key:
                    cell = &r.loose_cells[r.loose.vals[s] - 1]
                    fill(cell, &out[n], r.loose.keys[s], r.loose_bytes[r.loose.vals[s] - 1], UNKNOWN_CLASS,
                         r.tallies[cell.key - 1].type, now)
                    n += 1
        return n

    def tally_ages(self, int64_t youngest, int64_t oldest, int64_t[:, ::1] out, int64_t[:, ::1] ages,
                   int64_t[::1] unknown):
        """Add up live objects and bytes: of the ages requested by group, of all by age, and those of unknown age.

        The last row of ``ages`` includes all older ones.
        """
        cdef ReplayState *r = &self.state
        cdef int64_t s
        cdef int i, j
        with nogil:
            for s in range(1, r.life[SPACE_N_SPANS] + 1):
                if r.spans[s].n_pages == 0 or r.spans[s].live == 0:
                    continue
                for i in range(GROUPS):
                    for j in range(GROUP if r.spans[s].groups[i] else 0):
                        tally_age(&r.cells[<int64_t> (r.spans[s].groups[i] - 1) * GROUP + j], r.spans[s].elem,
                                  r.life[REPLAY_CYCLE], youngest, oldest, &out[0, 0], &ages[0, 0], &unknown[0])
            for s in range(r.life[SPACE_N_LOOSE]):
                tally_age(&r.loose_cells[s], r.loose_bytes[s], r.life[REPLAY_CYCLE], youngest, oldest, &out[0, 0],
                          &ages[0, 0], &unknown[0])

    def draw(self, uint64_t low, int shift, int64_t[:, ::1] grid):
        """Add up bytes by address, ``1 << shift`` addresses a column: of live objects in row 0, of live spans in row 1.

        The first column starts at ``low``; bytes outside all columns are left out.
        """
        cdef ReplayState *r = &self.state
        cdef const HELD_SPAN *span
        cdef int64_t s
        cdef uint64_t first
        cdef int i, j
        with nogil:
            for s in range(1, r.life[SPACE_N_SPANS] + 1):
                span = &r.spans[s]
                if span.n_pages == 0 or span.base < low:
                    continue
                first = span.base - low
                colour(&grid[1, 0], shift, first, span.bytes)
                if first >> shift == (first + <uint64_t> span.bytes - 1) >> shift:
                    if first >> shift < GRID:
                        grid[0, first >> shift] += span.live * span.elem
                    continue
                for i in range(GROUPS if span.live else 0):
                    for j in range(GROUP if span.groups[i] else 0):
                        if r.cells[<int64_t> (span.groups[i] - 1) * GROUP + j].key:
                            colour(&grid[0, 0], shift, first + <uint64_t> ((i * GROUP + j) * span.elem), span.elem)

    def holders(self, int32_t[::1] by):
        """Set ``by`` to the group of each span's first live object: rows of TALLY, -1 for none."""
        cdef ReplayState *r = &self.state
        cdef int64_t s
        cdef int i, j
        cdef int32_t key
        with nogil:
            for s in range(1, r.life[SPACE_N_SPANS] + 1):
                by[s] = -1
                if r.spans[s].n_pages == 0 or r.spans[s].live == 0:
                    continue
                for i in range(GROUPS):
                    for j in range(GROUP if r.spans[s].groups[i] else 0):
                        key = r.cells[<int64_t> (r.spans[s].groups[i] - 1) * GROUP + j].key
                        if key:
                            by[s] = (key & ~FREE_PENDING) - 1
                            break
                    if by[s] >= 0:
                        break
