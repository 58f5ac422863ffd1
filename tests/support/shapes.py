"""Valid traces of the worst shapes: as many as possible of one thing for their size. Never here: assertions.

Each generator takes about how many bytes the trace is to have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gotrace.raw import Writer, allocfree_info, event
from support.trace_builder import BASE, GO, PAGE, PROC, new, span

_BATCH = 60_000  # bytes of a batch at most
_STRINGS = {1: b"work", 2: b"more work"}


def _start(version: int = 26, strings: dict[int, bytes] = _STRINGS) -> Writer:
    trace = Writer(version).frequency(1, 100).strings(1, strings)
    return trace.batch(1, -1, 100, allocfree_info(BASE), experiment=1)


def _thread(trace: Writer, events: Iterable[bytes], m: int = 1, time: int = 100) -> Writer:
    """Add events that are one clock unit apart, in batches."""
    batch = bytearray()
    n = 0
    for data in events:
        if len(batch) + len(data) > _BATCH:
            trace.batch(1, m, time, bytes(batch))
            time += n
            batch, n = bytearray(), 0
        batch += data
        n += 10
    return trace.batch(1, m, time, bytes(batch))


def _one_thread(events: Iterable[bytes]) -> bytes:
    def all_events() -> Iterator[bytes]:
        yield PROC + GO
        yield from events

    return _thread(_start(), all_events()).end_of_generation().getvalue()


def _open_tasks(size: int) -> bytes:
    return _one_thread(event("UserTaskBegin", 1, i, 0, 1, 0) for i in range(1, size // 8))


def _tasks(size: int) -> bytes:
    def events() -> Iterator[bytes]:
        for i in range(1, size // 16):
            yield event("UserTaskBegin", 1, i, 0, 1, 0) + event("UserTaskEnd", 1, i, 0) + new(2 * i % 1000)

    return _one_thread(events())


def _regions(size: int) -> bytes:
    pair = event("UserRegionBegin", 1, 0, 1, 0) + event("UserRegionEnd", 1, 0, 1, 0)
    return _one_thread(pair for _ in range(size // len(pair)))


def _nested_regions(size: int) -> bytes:
    begin, end = event("UserRegionBegin", 1, 0, 1, 0), event("UserRegionEnd", 1, 0, 1, 0)
    n = size // 10
    return _one_thread([begin] * n + [end] * n)


def _names(size: int) -> bytes:
    n = size // 24
    trace = _start(strings={i: b"name %d" % i for i in range(1, n)})
    logs = (event("UserTaskBegin", 1, i, 0, i, 0) for i in range(1, n))
    return _thread(trace, [PROC + GO, *logs]).end_of_generation().getvalue()


def _empty_strings(size: int) -> bytes:
    return _start(strings=dict.fromkeys(range(1, size // 5), b"")).end_of_generation().getvalue()


def _short_stacks(size: int) -> bytes:
    trace = _start().stacks(1, {i: [(i, 1, 2, 1)] for i in range(1, size // 12)})
    return trace.end_of_generation().getvalue()


def _deep_stacks(size: int) -> bytes:
    trace = _start().stacks(1, {i: [(j, 1, 2, 1) for j in range(1, 100)] for i in range(1, size // 400)})
    return trace.end_of_generation().getvalue()


def _samples(size: int) -> bytes:
    return _start().samples(1, ((100 + i, 1, 0, 1, 0) for i in range(size // 8))).end_of_generation().getvalue()


def _types(size: int) -> bytes:
    n = size // 24
    trace = _start().types(1, ((i, 64 * i, 16, 8, b"T%d" % i) for i in range(1, n)))
    objects = (span(i // 512, sizeclass=2) * (i % 512 == 0) + new(2 * i, i) for i in range(1, n))
    return _thread(trace, [PROC + GO, *objects]).end_of_generation().getvalue()


def _type_table(size: int) -> bytes:
    trace = _start().types(1, ((i, 64 * i, 16, 8, b"") for i in range(1, size // 10)))
    return trace.end_of_generation().getvalue()


def _spans(size: int) -> bytes:
    return _one_thread(span(i, sizeclass=2) for i in range(size // 7))


def _scattered_spans(size: int) -> bytes:
    return _one_thread(span((i * 2_654_435_761) % (1 << 34), sizeclass=2) for i in range(size // 10))


def _scattered_objects(size: int) -> bytes:
    return _one_thread(new((i * 2_654_435_761) % (1 << 44) & ~1) for i in range(size // 9))


def _one_object_spans(size: int) -> bytes:
    return _one_thread(span(i, sizeclass=2) + new(i * PAGE // 8) for i in range(size // 13))


def _stacks_of_goroutines(size: int) -> bytes:
    return _one_thread(event("GoroutineStackAlloc", 1, 4096 * i, 12) for i in range(size // 8))


def _goroutines(size: int) -> bytes:
    return _one_thread(event("GoCreate", 1, i, 0, 0) for i in range(2, size // 6))


def _goroutines_of_status(size: int) -> bytes:
    trace = _start()
    _thread(trace, [PROC + GO])
    return (
        _thread(trace, (event("GoStatus", 1, i, 2**64 - 1, 4) for i in range(2, size // 15)), -1)
        .end_of_generation()
        .getvalue()
    )


def _procs(size: int) -> bytes:
    return _one_thread(event("ProcStatus", 1, i, 2) for i in range(1, size // 5))


def _threads(size: int) -> bytes:
    trace = _start()
    trace.batch(1, 0, 100, PROC + GO)
    for m in range(1, size // 22):
        trace.batch(1, m, 100 + m, event("ProcStatus", 1, m, 2), padded=False)
    return trace.end_of_generation().getvalue()


def _waiting_threads(size: int) -> bytes:
    """Threads that each start a goroutine which the last thread creates, last one first."""
    trace = _start()
    n = size // 40
    for m in range(1, n):
        start = event("ProcStatus", 1, m, 1) + event("GoStart", 1, 1 + m, 1)
        trace.batch(1, m, 100 + m, start, padded=False)
    creates = [event("GoCreate", 1, 1 + m, 0, 0) for m in range(n - 1, 0, -1)]
    return _thread(trace, [PROC + GO, *creates], 0, 100 + n).end_of_generation().getvalue()


def _batches(size: int) -> bytes:
    trace = _start()
    trace.batch(1, 1, 100, PROC + GO)
    for i in range(size // 16):
        trace.batch(1, 1, 100 + i, event("ProcsChange", 1, 1, 0), padded=False)
    return trace.end_of_generation().getvalue()


def _experiment_batches(size: int) -> bytes:
    trace = _start()
    for _ in range(size // 8):
        trace.batch(1, -1, 100, b"\0", experiment=1, padded=False)
    return trace.end_of_generation().getvalue()


def _generations(size: int) -> bytes:
    trace = Writer(26)
    gen = 0
    while len(trace.getvalue()) < size if gen % 1000 == 0 else True:
        gen += 1
        trace.frequency(gen, 100 * gen)
        trace.batch(gen, 1, 100 * gen, PROC + GO, padded=False).end_of_generation()
    return trace.getvalue()


def _ranges(size: int) -> bytes:
    events = event("GCSweepBegin", 1, 0) + event("GCSweepEnd", 1, 0, 0)
    return _one_thread(events for _ in range(size // len(events)))


SHAPES: dict[str, Callable[[int], bytes]] = {
    "open tasks": _open_tasks,
    "tasks": _tasks,
    "regions": _regions,
    "nested regions": _nested_regions,
    "names": _names,
    "empty strings": _empty_strings,
    "short stacks": _short_stacks,
    "deep stacks": _deep_stacks,
    "samples": _samples,
    "types": _types,
    "type table": _type_table,
    "spans": _spans,
    "scattered spans": _scattered_spans,
    "scattered objects": _scattered_objects,
    "one object spans": _one_object_spans,
    "stacks of goroutines": _stacks_of_goroutines,
    "goroutines": _goroutines,
    "goroutines of status": _goroutines_of_status,
    "procs": _procs,
    "threads": _threads,
    "waiting threads": _waiting_threads,
    "batches": _batches,
    "experiment batches": _experiment_batches,
    "generations": _generations,
    "ranges": _ranges,
}
