# Resolvers: the page slot and the type row of an object, looked up while its event is decoded.
# Never here: what an event changes.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport COMPACT, EV_HEAP_OBJECT, EV_HEAP_OBJECT_ALLOC, EV_HEAP_OBJECT_FREE, GENERATION_ROW, LEAF
from gotrace._hashmap cimport IdMap, open_map, value_of
from gotrace._varint cimport unlikely
from gotrace.wire._atomic cimport load

cdef enum:
    FIRST_OBJECT = EV_HEAP_OBJECT
    ALLOCATED_OBJECT = EV_HEAP_OBJECT_ALLOC
    LAST_OBJECT = EV_HEAP_OBJECT_FREE
    UNTYPED = 0             # rows of the type table
    UNRESOLVED = 1
    NEAR = 1024             # entries of the caches in front of the maps

# Ids of types and pages of the heap are dense: caches indexed by their low bits save most lookups in maps.


cdef struct NearLeaf:
    uint64_t high           # page / LEAF
    int64_t at              # index of its first page in leaves


cdef struct NearType:
    uint64_t number         # 0: empty entry; 0 is also the id of no type, with row 0
    int32_t row


cdef struct Resolver:
    # Looks up pages and types. With ``n_kinds`` 0, object events are treated like any other.
    uint8_t n_kinds         # number of object event types
    uint8_t page_shift      # this and the next line: of the generation, as in GENERATION_ROW
    uint64_t heap_base, object_align
    uint64_t multiplier
    uint64_t *type_keys
    int32_t *type_vals
    IdMap types             # type id -> row, in this generation
    IdMap pages             # page / LEAF -> leaf + 1
    NearLeaf[NEAR] near_leaves
    NearType[NEAR] near_types


cdef inline void open_types(const Resolver *resolver, IdMap *types, const GENERATION_ROW *gen) noexcept nogil:
    """Set ``types`` to the map of a generation."""
    open_map(types, NULL, NULL, 1, resolver.multiplier)
    if gen.type_bits:
        open_map(types, resolver.type_keys + gen.type_at, resolver.type_vals + gen.type_at, gen.type_bits,
                 resolver.multiplier)


cdef inline int32_t type_in(const IdMap *types, uint64_t number) noexcept nogil:
    """Return the row of the type table for a type id."""
    cdef int32_t row = value_of(types, number) if number and types.vals != NULL else 0
    return UNTYPED if number == 0 else row if row else UNRESOLVED


cdef inline void enter_generation(Resolver *resolver, const GENERATION_ROW *gen) noexcept nogil:
    """Resolve ids and addresses of this generation from now on."""
    resolver.page_shift = gen.page_shift
    resolver.heap_base = gen.heap_base
    resolver.object_align = gen.object_align
    open_types(resolver, &resolver.types, gen)
    memset(resolver.near_types, 0, sizeof(resolver.near_types))


cdef inline int32_t type_row(Resolver *resolver, uint64_t number) noexcept nogil:
    """As :func:`type_in`, for the current generation, with a cache."""
    cdef NearType *near = &resolver.near_types[number % NEAR]
    if unlikely(near.number != number):
        near.row = type_in(&resolver.types, number)
        near.number = number
    return near.row


cdef inline int64_t leaf_at(const IdMap *pages, uint64_t page) noexcept nogil:
    """Return the index of a page in leaves, which never changes; 0 if it has none, since leaf 0 is never used.

    Another thread may add pages at the same time; a page that it adds is found or not.
    """
    cdef uint64_t high = page // LEAF, i = (high * pages.multiplier) >> pages.shift
    cdef int32_t leaf = load(&pages.vals[i])
    while leaf and pages.keys[i] != high:
        i = (i + 1) & pages.mask
        leaf = load(&pages.vals[i])
    return <int64_t> leaf * LEAF + (page % LEAF) if leaf else 0


cdef inline int64_t near_leaf_at(Resolver *resolver, uint64_t page) noexcept nogil:
    """As :func:`leaf_at`, with a cache for pages of objects."""
    cdef NearLeaf *near = &resolver.near_leaves[(page // LEAF) % NEAR]
    cdef int64_t at
    if unlikely(near.high != page // LEAF):
        at = leaf_at(&resolver.pages, page)
        if at == 0:
            return 0
        near.high = page // LEAF
        near.at = at - <int64_t> (page % LEAF)
    return near.at + <int64_t> (page % LEAF)


cdef inline void resolve_object(
    Resolver *resolver, COMPACT *compact, uint8_t kind, uint64_t id, int32_t row
) noexcept nogil:
    """Set address, type row and page slot of an object's compact event."""
    cdef uint64_t address = resolver.heap_base + id * resolver.object_align
    cdef int64_t at = near_leaf_at(resolver, address >> resolver.page_shift)
    compact.arg = address
    compact.type_row = row
    compact.page_slot = <int32_t> (at if kind != FIRST_OBJECT and row != UNRESOLVED else 0)
