"""Figures of a trace in which simulated and recorded ones must agree. Never here: bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

import gotrace
from gotrace.experiments import registry

TINY_CLASS = 5  # 16 bytes without pointers
OBJECT_ALLOC, OBJECT_FREE = 132, 133
NAMES = {event.id: event.name for event in registry().events}


def figures(source: Any) -> dict[str, Any]:
    """Return the figures of a trace.

    ``mix``: share of each event type among wire events, without snapshot and statuses; ``run mean`` and ``run
    median``: rows of one thread that follow each other in the order; ``long runs``: share of rows in runs of over 64;
    ``id bytes``: mean length of an object's id; ``tiny reuse``: share of allocations that share a slot; ``outside P``:
    share of objects' frees by threads without a proc.
    """
    types = np.zeros(256, np.int64)
    runs: list[Any] = []
    pending, thread = 0, None
    with gotrace.open(source) as trace:
        for rows in trace.iterate("events", columns=["type", "m", "part"]):
            types += np.bincount(rows["type"][rows["part"] == 0], minlength=256)
            edges = np.flatnonzero(np.diff(rows["m"])) + 1
            lengths = np.diff(np.concatenate(([0], edges, [len(rows)])))
            if thread == rows["m"][0]:
                lengths[0] += pending
            elif pending:
                runs.append([pending])
            pending, thread = int(lengths[-1]), rows["m"][-1]
            runs.append(lengths[:-1])
    every = np.concatenate([*runs, [pending]])
    for kind in (128, 131, 134, 13, 25, 48, 255):
        types[kind] = 0
    result = {
        "events": int(types.sum()),
        "mix": {NAMES[kind]: float(n / types.sum()) for kind, n in enumerate(types.tolist()) if n},
        "run mean": float(every.mean()),
        "run median": float(np.median(every)),
        "long runs": float(every[every > 64].sum() / every.sum()),
    }
    if types[OBJECT_ALLOC]:
        result |= _objects(source)
    return result


def _objects(source: Any) -> dict[str, Any]:
    n = frees = outside = length = wide = noscan = untyped = 0
    with gotrace.open(source) as trace:
        base = None
        for rows in trace.iterate("objects", columns=["address", "op", "p", "spanclass", "type", "inset"]):
            if base is None:
                base = rows["address"].min() & ~np.uint64((1 << 22) - 1)
            allocs = rows[rows["op"] == 1]
            n += len(allocs)
            words = ((allocs["address"] + allocs["inset"] - base) >> np.uint64(3)).astype(np.float64)
            length += int((np.log2(np.maximum(words, 1)) // 7 + 1).sum())
            wide += int((allocs["spanclass"] == TINY_CLASS).sum())
            noscan += int((allocs["spanclass"] & 1).sum())
            untyped += int((allocs["type"] == 0).sum())
            freed = rows[rows["op"] == 2]
            frees += len(freed)
            outside += int((freed["p"] < 0).sum())
    with gotrace.open(source) as trace:
        shared = trace.heap().anomalies.get("tiny objects in a shared slot", 0)
    return {
        "id bytes": length / n,
        "tiny reuse": shared / n,
        "16 byte noscan": wide / n,
        "noscan": noscan / n,
        "untyped": untyped / n,
        "outside P": outside / frees if frees else 0.0,
    }
