"""Print the figures of a recorded trace that a ``Shape`` needs: sizes of objects, acts, types.

The shapes in ``gotrace/simulation/shape.py`` are based on its output; run lengths and survival were then tuned so that
``tests/support/trace_profile.py`` gives the same figures for both. Never here: facts of its own.

    python tools/measure_shape.py TRACE
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

import gotrace
from gotrace.spec.sizeclasses import CLASS_BYTES

ACTS = {
    20: "block",
    21: "unblock",
    19: "stop",
    14: "create",
    17: "destroy",
    23: "syscall",
    24: "long_syscall",
    45: "switch",
    135: "grow_stack",
    35: "assist",
}
ALLOC, LIVE_HEAP, TINY_CLASS = 132, 37, 5
LEAST_SHARE = 0.002


def main(path: str) -> None:
    types = np.zeros(256, np.int64)
    classes = np.zeros(136, np.int64)
    large = [0, 0]
    untyped = Counter[bool]()
    with gotrace.open(path) as trace:
        for rows in trace.iterate("events", columns=["type", "part"]):
            types += np.bincount(rows["type"][rows["part"] == 0], minlength=256)
    with gotrace.open(path) as trace:
        for rows in trace.iterate("objects", columns=["op", "spanclass", "size", "type"]):
            rows = rows[(rows["op"] == 1) & (rows["spanclass"] < 136)]
            classes += np.bincount(rows["spanclass"], minlength=136)
            for noscan in (0, 1):
                large[noscan] += int(rows["size"][rows["spanclass"] == noscan].sum())
            untyped.update((rows["type"][rows["spanclass"] & 1 == 1] == 0).tolist())
    with gotrace.open(path) as trace:
        heap = trace.heap()
        shared = heap.anomalies.get("tiny objects in a shared slot", 0)
        print("types", len(trace.types), "in use", int(heap.table["inuse_bytes"].sum()))
    tiny = 2 * shared
    weights = {(8, False): tiny} if tiny else {}
    for spanclass, n in enumerate(classes.tolist()):
        noscan = spanclass & 1
        if spanclass == TINY_CLASS:
            n -= tiny
        if n > LEAST_SHARE * classes.sum():
            size = CLASS_BYTES[spanclass >> 1] if spanclass > 1 else large[noscan] // n
            weights[(size - 8 if size > 512 and not noscan else size, not noscan)] = n
    total = sum(weights.values())
    print("sizes", {key: round(1000 * n / total, 1) for key, n in weights.items()})
    if untyped:
        print("untyped", untyped[True] / untyped.total())
    steps = types[ALLOC] if types[ALLOC] else types[LIVE_HEAP]
    steps += sum(types[kind] for kind in ACTS)
    print("acts", {name: round(1e6 * types[kind] / steps) for kind, name in ACTS.items() if types[kind]})


if __name__ == "__main__":
    main(*sys.argv[1:])
