"""Row types of the order: its state, and the events that it emits. Never here: computation."""

from __future__ import annotations

from enum import IntEnum

from gotrace.dtypes import aligned

ORDERED = aligned(  # an ordered event with its context; starts with the fields of EVENT
    ("time", "i8"),
    ("offset", "i8"),
    ("g", "i8"),
    ("m", "i8"),
    ("stack", "i4"),
    ("p", "i4"),
    ("generation", "u4"),
    ("kind", "u1"),
    ("type", "u1"),
    ("part", "u1"),
    ("zero", "u1"),  # padding of EVENT
    # As on the wire, except: transitions and ranges start with the resource's id (a sweep's end continues with the
    # bytes swept and reclaimed), tasks have id and parent, regions and logs the task, a Sync its number and its row
    # of GENERATION_ROW plus 1.
    ("args", "i8", (4,)),
    ("stack2", "i4"),  # row of stacks: of the resource
    ("name", "i4"),  # row of strings; below 0: the name ~name of the whole trace
    ("text", "i4"),  # row of strings: message of a log
    ("old", "u1"),  # GoState or ProcState before
    ("new", "u1"),  # GoState or ProcState after
    ("resource", "u1"),  # Resource: what args[0] of a transition or range names
)
SPEC = aligned(  # how an event type is ordered
    ("kind", "u1"),
    ("rule", "u1"),
    ("start", "u1"),  # type of the event that starts the range that this one ends or continues
    ("creates", "u1"),  # 1: it may add a row to the state
    ("bulk", "u1"),  # changes no state, so it is copied in bulk, given 1: a thread, 2: a thread and a P; 0: it is not
    ("stack", "i1"),  # argument index of the context's stack, as below; -1 none
    ("stack2", "i1"),  # another stack
    ("string", "i1"),
    ("string2", "i1"),
    ("needs", "u1", (3,)),  # of thread, proc, goroutine: 0 either, 1 required, 2 forbidden
)
ID_SLOT = aligned(  # a slot of the hash table of all ids
    ("key", "i8"),
    ("row", "i4"),  # of the table of this kind; 0: the slot is empty
    ("kind", "i4"),  # Key
)
G_STATE = aligned(
    ("id", "i8"),
    ("generation", "i8"),  # of its sequence number
    ("seq", "i8"),
    ("regions", "i4"),  # innermost open region, 0 none; of a free row the next free one
    ("ranges", "i4"),  # first open range; 0 none
    ("status", "u1"),  # GoStatus
)
P_STATE = aligned(
    ("id", "i8"),
    ("generation", "i8"),
    ("seq", "i8"),
    ("ranges", "i4"),
    ("status", "u1"),  # ProcStatus
)
M_STATE = aligned(
    ("id", "i8"),
    ("g", "i8"),  # -1 none
    ("p", "i8"),  # -1 none
    ("known", "u1"),  # 1: one of its events was attempted, or a status named it
)
OPEN_RANGE = aligned(
    ("description", "i8"),  # string id of the reason why the world stopped, in the generation of the start
    ("name", "i4"),  # of the reason; 0 none
    ("next", "i4"),
    ("type", "u1"),  # of the event that starts it
)
OPEN_REGION = aligned(
    ("task", "i8"),
    ("name", "i4"),
    ("next", "i4"),
)
ACTIVE_TASK = aligned(
    ("id", "i8"),
    ("parent", "i8"),
    ("name", "i4"),
    ("next", "i4"),  # of a free row the next free one
)
NAME = aligned(
    ("key", "i8"),  # hash of its bytes
    ("at", "i8"),  # index of its first byte in SchedState.name_bytes
    ("length", "i4"),
    ("row", "i4"),  # of strings, where it first appears
)
NOTE = aligned(  # an anomaly that the machine tolerated
    ("offset", "i8"),  # absolute byte of the event
    ("id", "i8"),  # of the goroutine or proc
    ("what", "u1"),  # OrderAnomaly
)
FRONTIER = aligned(  # a thread in the frontier, or a pending CPU sample
    ("time", "i8"),  # ns: of its next event
    ("cursor", "i4"),  # number of the thread's cursor, or of the sample
)
WAITER = aligned(  # what a thread waits for
    ("since", "i8"),  # number of the last change when it was found waiting; 0: it is not known to wait
    ("slot", "i4"),  # of the goroutine or proc that it waits for
)
SCHED = aligned(  # the machine's state outside its tables: one row
    ("initial", "i8"),  # number of the generation of the first attempted event
    ("gc_seq", "i8"),
    ("last", "i8"),  # ns: time of the last event
    ("syncs", "i8"),
    ("n_name_bytes", "i8"),
    ("n_ps", "i4"),  # rows in use, row 0 included
    ("n_ms", "i4"),
    ("n_names", "i4"),
    ("n_ids", "i4"),
    ("free_g", "i4"),  # head of the list of free rows; 0 none
    ("free_task", "i4"),
    ("free_range", "i4"),
    ("free_region", "i4"),
    ("started", "u1"),  # 1: initial is known
    ("gc", "u1"),  # GCPhase
)


class WaitLayout(IntEnum):
    """Sizes of the table of waits."""

    SLOT_BITS = 14
    SLOTS = 1 << SLOT_BITS
    MANY = 64  # threads from which on skipping attempts saves more than noting changes costs


class Key(IntEnum):
    """Kinds of keys in the hash table of the ordering."""

    G = 0
    P = 1
    M = 2
    TASK = 3
    NAME = 4
