"""Row types of the heap's replays. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned


class HeapLayout(IntEnum):
    """Sizes of the replays' arrays, and a flag."""

    GROUP = 32  # cells of a group
    GROUPS = 32  # maximum groups of a span
    REPLAY = 8  # flag of the kernel besides 1 << What (1, 2 and 4): replay objects
    GRID = 128  # rows of the map of addresses
    AGES = 64  # ages in GC cycles with counts of their own; the last one includes all older


PAGE = aligned(  # a page of the heap: the span's fields that nearly every event of an object needs
    ("span", "i4"),  # row of the span; 0 none
    ("n_slots", "u2"),  # of a span of a small size class; 0: see the span
    ("spanclass", "u1"),
    ("index", "u1"),  # number of the page in its span
)
SPAN = aligned(
    ("groups", "i4", (HeapLayout.GROUPS,)),  # groups of cells, allocated when first used; 0 none
    ("page", "u8"),  # number of its first page
    ("bytes", "i8"),
    ("elem", "i8"),  # bytes of a slot
    ("late", "i8"),  # ns: last allocation in a live slot whose old object's free is pending
    ("late_m", "i8"),  # thread of that allocation
    ("born", "i8"),  # ns: allocation of the span, if it overlaps a live span
    ("born_m", "i8"),  # thread of that allocation
    ("old_bytes", "i8"),  # of the overlapped span, whose free is pending
    ("n_slots", "u4"),
    ("n_pages", "i4"),  # entries in the page map
    ("next_free", "i4"),
    ("spanclass", "u1"),
    ("owed", "i4"),  # objects of the overlapped span whose frees are pending
    ("over", "u1"),  # 1: it overlaps a live span whose free is pending
    ("old_spanclass", "u1"),  # of that span
)


class SpaceCounter(IntEnum):
    """Indices in both replays' arrays of counters: used rows of each table, and live memory."""

    N_SPANS = 0
    FREE_SPAN = 1  # head of the list of free spans, row + 1
    N_LEAVES = 2
    N_STACKS = 3  # keys in the map of stacks, including freed ones
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
    LATE_STACK = 14  # ns: last allocation of a live stack whose free is pending
    LATE_STACK_M = 15  # thread of that allocation


class HeapCounter(IntEnum):
    """Further indices in the counters of the replay that counts objects."""

    EVENTS = 16  # alloc/free events
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
    ("span_bytes", "i8"),  # of heap spans
    ("manual_bytes", "i8"),  # of manually managed spans
    ("stack_bytes", "i8"),
    ("most_bytes", "i8"),  # largest inuse_bytes within the bin
)
HELD_SPAN = aligned(  # a live span and its slots
    ("base", "u8"),  # byte address
    ("elem", "i8"),  # bytes of a slot
    ("reciprocal", "u4"),  # ceil(2**32 / elem); 0 if slot 0 is the only one
    ("n_slots", "u4"),
    ("live", "i4"),  # slots with a live object
    ("n_pages", "i4"),  # entries in the page map; 0: no live span
    ("owed", "i4"),  # objects of the overlapped span whose frees are pending
    ("spanclass", "u1"),
    ("over", "u1"),  # 1: it overlaps a live span whose free is pending
    ("groups", "i4", (HeapLayout.GROUPS,)),  # groups of cells, allocated when first used; 0 none
    ("bytes", "i8"),  # of the whole span
    ("late", "i8"),  # ns: last allocation in a live slot whose old object's free is pending
    ("late_m", "i8"),  # thread of that allocation
    ("born", "i8"),  # ns: allocation of the span, if it overlaps a live span
    ("born_m", "i8"),  # thread of that allocation
    ("next_free", "i4"),
)
CELL = aligned(  # a slot's object
    ("born", "i8"),  # as in LIFETIME
    ("offset", "i8"),
    ("g", "i8"),
    ("key", "i4"),  # row of TALLY plus 1; 0: the slot is free
    ("cycle", "i4"),  # GC cycle of its allocation; -1 unknown
)
TALLY = aligned(  # a group of objects
    ("label", "i8"),  # of the group, unless groups are pairs of type and size class
    ("counts", "i8", (6,)),  # objects and bytes: allocated, freed, of the snapshot
    ("peak", "i8", (6,)),  # counts at the peak, if ``peak_id`` is the latest
    ("aged", "i8", (2,)),  # objects and bytes freed at an age in the replay's range
    ("old_frees", "i8"),  # objects freed at an age of 2 or more, or of unknown age
    ("peak_id", "i8"),
    ("type", "i4"),
    ("spanclass", "u1"),
)
HEAP_CYCLE = aligned(  # from the start of a GC cycle to the start of the next
    ("alloc_objects", "i8"),
    ("alloc_bytes", "i8"),
    ("free_objects", "i8"),
    ("free_bytes", "i8"),
    ("inuse_objects", "i8"),  # at its start
    ("inuse_bytes", "i8"),
)


class ReplayCounter(IntEnum):
    """Further indices in the counters of the replay of single objects."""

    INUSE_OBJECTS = 16
    INUSE_BYTES = 17
    TIME = 18  # ns: of the last replayed event
    CYCLE = 19  # mark phases started so far
    PEAK_ID = 20  # number of peaks so far
    RISING = 21  # 1: the peak is now
    PEAK_BYTES = 22
    PEAK_TIME = 23
    PEAK_CYCLE = 24
    PEAK_MEMORY = 25  # six counters, as from HEAP_SPANS on
    STOPPED = 31  # 1: the replay reached its last instant
    ROWS = 32  # rows replayed
    PEAK_ROWS = 33  # rows replayed up to the peak
    MOST_BYTES = 34  # maximum of INUSE_BYTES since the last call of ObjectReplay.look
