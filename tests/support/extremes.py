"""Small valid traces at the limits of what a trace may hold: each feature alone, each feature absent, and odd numbers.

Never here: assertions.
"""

from __future__ import annotations

from collections.abc import Iterator

from gotrace.raw import Writer, allocfree_info, allocfree_types, event
from support.trace_builder import BASE, GO, PAGE, PROC, free, manual, new, old, span

VERSIONS = (22, 23, 25, 26)
NAMES = ("", "name", "chan receive", "a\nb", "\x1b[31m\u202e", "λ")
WORDS_IN_PAGE = PAGE // 8


def _cycle(number: int) -> bytes:
    return event("GCBegin", 1, number, 0) + event("GCEnd", 1, number + 1)


FEATURES: dict[str, bytes] = {
    "span": span(1),
    "object": span(2) + new(2 * WORDS_IN_PAGE, 1),
    "death": span(3) + new(3 * WORDS_IN_PAGE, 1) + free(3 * WORDS_IN_PAGE),
    "large": span(8, 40, 0) + new(8 * WORDS_IN_PAGE, 2),
    "outside": new(900 * WORDS_IN_PAGE, 1),
    "outside death": new(901 * WORDS_IN_PAGE, 3) + free(901 * WORDS_IN_PAGE),
    "unknown free": free(902 * WORDS_IN_PAGE),
    "manual": manual(100),
    "snapshot": span(200, new=False) + old(200 * WORDS_IN_PAGE, 1),
    "stack": event("GoroutineStackAlloc", 1, 4096, 12) + event("GoroutineStackFree", 1, 4096),
    "cycle": _cycle(0),
    "metric": event("HeapAlloc", 1, 1 << 40) + event("HeapGoal", 1, 1 << 41) + event("ProcsChange", 1, 3, 0),
    "label": event("GoLabel", 1, 2),
    "task": event("UserTaskBegin", 1, 7, 0, 2, 0) + event("UserTaskEnd", 1, 7, 0),
    "open task": event("UserTaskBegin", 1, 8, 0, 2, 0),
    "region": event("UserRegionBegin", 1, 0, 2, 0) + event("UserRegionEnd", 1, 0, 2, 0),
    "open region": event("UserRegionBegin", 1, 0, 3, 0),
    "log": event("UserLog", 1, 0, 4, 5, 0),
    "range": event("STWBegin", 1, 3, 0) + event("STWEnd", 1),
}
_TYPES = [
    (1, 0x400000, 16, 8, b"main.T"),
    (2, 0x400040, 1 << 18, 0, b"[262144]uint8"),
    (3, 0x400080, 0, 0, b"struct {}"),
]


def _trace(
    version: int, events: list[bytes], *, times: tuple[int, int] = (100, 100), frequency: int = 15_625_000
) -> bytes:
    """Return a trace of a generation for each piece of events; alloc/free events need version 23."""
    trace = Writer(version)
    for gen, piece in enumerate(events, 1):
        base = times[min(gen, 2) - 1]
        trace.frequency(gen, base, frequency)
        if version >= 23:
            if gen == 1:
                trace.batch(gen, -1, base, allocfree_info(BASE), experiment=1)
            trace.batch(gen, -1, base, allocfree_types(_TYPES), experiment=1)
        trace.strings(gen, {i: name.encode("utf-8", "surrogateescape") for i, name in enumerate(NAMES) if i})
        if piece is not None:
            trace.batch(gen, 1, base, (PROC + GO if gen == 1 else b"") + piece)
        trace.end_of_generation()
    return trace.getvalue()


def traces() -> Iterator[tuple[str, bytes]]:
    """Yield every trace of the family with its name."""
    for version in VERSIONS:
        features = {name: data for name, data in FEATURES.items() if version >= 23 or not _allocates(name)}
        yield f"1.{version} nothing", _trace(version, [b""])
        yield f"1.{version} everything", _trace(version, [b"".join(features.values())])
        for name, data in features.items():
            yield f"1.{version} only {name}", _trace(version, [data])
            rest = b"".join(other for key, other in features.items() if key != name)
            yield f"1.{version} all but {name}", _trace(version, [rest])
    yield "no event at all", Writer(23).frequency(1, 100).getvalue()
    yield "two generations, the second one empty", _trace(26, [FEATURES["object"], b""])
    yield "two generations, the first one empty", _trace(26, [b"", FEATURES["object"] + FEATURES["death"]])
    yield "no info batch", Writer(23).frequency(1, 100).batch(1, 1, 100, PROC + GO + span(1) + new(1024)).getvalue()
    groups = b"".join(span(i, sizeclass=1 + i % 60) + new(i * WORDS_IN_PAGE, i % 4) for i in range(1, 200))
    yield "many groups", _trace(26, [groups])
    yield "new groups after the last death", _trace(26, [FEATURES["death"], groups])
    everything = b"".join(FEATURES.values())
    for name, times, frequency in (
        ("latest times", (2**63 - 2**20, 2**63 - 2**19), 10**9),
        ("times beyond int64", (2**64 - 2**20, 2**64 - 2**19), 10**9),
        ("lowest frequency", (2**40, 2**41), 1),
        ("highest frequency", (2**40, 2**41), 2**64 - 1),
        ("time 0", (0, 0), 15_625_000),
        ("zero duration", (2**62, 2**62), 2**64 - 1),
    ):
        yield name, _trace(26, [everything, _cycle(2)], times=times, frequency=frequency)
    far = event("UserLog", 2**63 - 2**30, 0, 4, 5, 0)
    yield "an event at the end of time", _trace(26, [FEATURES["object"] + far + FEATURES["cycle"]], frequency=10**9)


def _allocates(name: str) -> bool:
    return name not in ("cycle", "metric", "label", "task", "open task", "region", "open region", "log", "range")
