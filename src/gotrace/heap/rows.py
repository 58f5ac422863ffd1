"""Row types of the heap's replays. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned


class HeapLayout(IntEnum):
    """Sizes of the replays' arrays, and a flag."""

    GROUP = 32  # cells a group holds
    GROUPS = 32  # groups a span can have
    REPLAY = 8  # flag of the kernel beside 1 << What (1, 2 and 4): replay objects
    GRID = 128  # rows of the map of addresses
    AGES = 64  # ages in GC cycles that are counted apart; the last one has all above


PAGE = aligned(  # what lies on a page of the heap: all that nearly every event of an object needs
    ("span", "i4"),  # 0 none
    ("n_slots", "u2"),  # of a span of a small size class; 0: the span must be asked
    ("spanclass", "u1"),
    ("index", "u1"),  # pages of the span before it
)
SPAN = aligned(
    ("groups", "i4", (HeapLayout.GROUPS,)),  # cells in groups, made when first used; 0 none
    ("page", "u8"),  # number of its first page
    ("bytes", "i8"),
    ("elem", "i8"),  # bytes of a slot
    ("late", "i8"),  # ns: last allocation in a live slot, whose old object's free is still to come
    ("late_m", "i8"),  # and the thread that made it
    ("born", "i8"),  # ns: the span's allocation, if it lay over a live span
    ("born_m", "i8"),  # and the thread that made it
    ("old_bytes", "i8"),  # of that span, whose free is still to come
    ("n_slots", "u4"),
    ("n_pages", "i4"),  # entries in the page map
    ("next_free", "i4"),
    ("spanclass", "u1"),
    ("over", "u1"),  # 1: it was allocated over a live span whose free did not come yet
    ("old_spanclass", "u1"),  # of that span
)


class HeapCounter(IntEnum):
    """Places in the kernel's array ``sizes``: how much of each table is used, and what is live."""

    N_SPANS = 0
    FREE_SPAN = 1  # head of the list of free spans, row + 1
    N_LEAVES = 2
    N_STACKS = 3  # keys in the map of stacks, freed ones too
    N_LOOSE = 4
    N_GROUPS = 5
    FREE_GROUP = 6
    N_KEYS = 7
    HEAP_SPANS = 8
    HEAP_SPAN_BYTES = 9
    MANUAL_SPANS = 10
    MANUAL_SPAN_BYTES = 11
    STACKS = 12
    STACK_BYTES = 13
    LATE_STACK = 14  # ns: last allocation of a live stack, whose free is still to come
    LATE_STACK_M = 15  # and the thread that made it
    EVENTS = 16  # alloc/free events seen
    LATEST = 17  # ns: latest time of any event


COUNTS = aligned(
    ("type", "i4"),
    ("spanclass", "u1"),
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("start_objects", "i8"),
    ("start_bytes", "i8"),
)
MOMENT = aligned(  # one bin of time
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("inuse_objects", "i8"),  # at the end of the bin; so are the next four
    ("inuse_bytes", "i8"),
    ("span_bytes", "i8"),  # held by spans of objects
    ("manual_bytes", "i8"),  # held by spans managed by hand
    ("stack_bytes", "i8"),
    ("most_bytes", "i8"),  # largest inuse_bytes within the bin
)
HELD_SPAN = aligned(  # a live span and its slots
    ("base", "u8"),  # byte address
    ("elem", "i8"),  # bytes of a slot
    ("reciprocal", "u4"),  # ceil(2**32 / elem); 0 where slot 0 is all there is
    ("n_slots", "u4"),
    ("live", "i4"),  # slots with a live object
    ("n_pages", "i4"),  # entries in the page map; 0: no live span
    ("spanclass", "u1"),
    ("over", "u1"),  # 1: it was allocated over a live span whose free did not come yet
    ("groups", "i4", (HeapLayout.GROUPS,)),  # cells in groups, made when first used; 0 none
    ("bytes", "i8"),  # of the whole span
    ("late", "i8"),  # ns: last allocation in a live slot, whose old object's free is still to come
    ("late_m", "i8"),  # and the thread that made it
    ("born", "i8"),  # ns: the span's allocation, if it lay over a live span
    ("born_m", "i8"),  # and the thread that made it
    ("next_free", "i4"),
)
CELL = aligned(  # what lives in a slot
    ("born", "i8"),  # as in LIFETIME
    ("offset", "i8"),
    ("g", "i8"),
    ("key", "i4"),  # row of TALLY + 1; 0 nothing
    ("cycle", "i4"),  # of its birth; -1 unknown
)
TALLY = aligned(  # a group of objects
    ("label", "i8"),  # of the group, when objects do not count by type and size class
    ("counts", "i8", (6,)),  # objects and bytes: allocated, freed, there at the start
    ("peak", "i8", (6,)),  # counts at the peak, if ``peak_id`` is the latest
    ("aged", "i8", (2,)),  # objects and bytes that died at an age asked for
    ("peak_id", "i8"),
    ("type", "i4"),
    ("spanclass", "u1"),
)
CYCLE = aligned(  # from the begin of a GC cycle to the begin of the next
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("inuse_objects", "i8"),  # when it began
    ("inuse_bytes", "i8"),
)


class ReplayCounter(IntEnum):
    """Places in the array of numbers that the replay of lifetimes keeps."""

    N_SPANS = 0
    FREE_SPAN = 1  # head of the list of free spans
    N_LEAVES = 2
    N_STACKS = 3
    N_LOOSE = 4
    N_GROUPS = 5
    FREE_GROUP = 6
    N_KEYS = 7
    HEAP_SPANS = 8  # live ones, and below
    HEAP_SPAN_BYTES = 9
    MANUAL_SPANS = 10
    MANUAL_SPAN_BYTES = 11
    STACKS = 12
    STACK_BYTES = 13
    LATE_STACK = 14  # ns: last allocation of a live stack, whose free is still to come
    LATE_STACK_M = 15
    INUSE_OBJECTS = 16
    INUSE_BYTES = 17
    TIME = 18  # ns: of the last event replayed
    CYCLE = 19  # mark phases that have begun
    PEAK_ID = 20  # how many peaks there were
    RISING = 21  # 1: the peak is now
    PEAK_BYTES = 22
    PEAK_TIME = 23
    PEAK_CYCLE = 24
    PEAK_MEMORY = 25  # as from HEAP_SPANS on, six places
    STOPPED = 31  # 1: the instant asked for is reached
    ROWS = 32  # replayed
    PEAK_ROWS = 33  # and up to the peak
    MOST_BYTES = 34  # in use since somebody last looked
