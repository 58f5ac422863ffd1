"""Numbers with names: what Go's API calls kinds of events. Never here: behaviour."""

from enum import IntEnum


class EventKind(IntEnum):
    """Go's EventKind (FORMAT 6.3)."""

    BAD = 0
    SYNC = 1
    METRIC = 2
    LABEL = 3
    STACK_SAMPLE = 4
    RANGE_BEGIN = 5
    RANGE_ACTIVE = 6
    RANGE_END = 7
    TASK_BEGIN = 8
    TASK_END = 9
    REGION_BEGIN = 10
    REGION_END = 11
    LOG = 12
    STATE_TRANSITION = 13
    EXPERIMENTAL = 14
