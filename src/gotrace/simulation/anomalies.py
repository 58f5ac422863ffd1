"""Anomalies of real traces that a simulated runtime can reproduce, with the releases that have them (FORMAT 9.9).

Names come in, bits for the kernel go out. Never here: their mechanisms, which are the kernel's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gotrace.simulation.rows import SimulatedAnomaly


class _Anomaly(NamedTuple):
    quirk: int
    releases: range
    about: str


ANOMALIES: dict[str, _Anomaly] = {
    "times ahead": _Anomaly(
        SimulatedAnomaly.TIMES_AHEAD, range(23, 28), "sweepers write faster than the clock, and run ahead"
    ),
    "snapshot interleaved": _Anomaly(
        SimulatedAnomaly.SNAPSHOT_INTERLEAVED, range(26, 28), "the snapshot runs ahead; other events sort into it"
    ),
    "frees outside a proc": _Anomaly(
        SimulatedAnomaly.OUTSIDE_PROC, range(23, 28), "a thread that takes a proc sweeps its caches before ProcStart"
    ),
    "wrong status": _Anomaly(
        SimulatedAnomaly.WRONG_STATUS | SimulatedAnomaly.OUTSIDE_PROC,
        range(23, 28),
        "such a sweep reports an idle proc as running",
    ),
    "dropped events": _Anomaly(
        SimulatedAnomaly.DROPPED, range(23, 24), "half of the events of manual spans and stacks are lost"
    ),
    "next generation": _Anomaly(
        SimulatedAnomaly.NEXT_GENERATION,
        range(24, 26),
        "nested events go to the next generation, with earlier times",
    ),
    "allocation under way": _Anomaly(
        SimulatedAnomaly.UNDER_WAY, range(23, 28), "an object of the snapshot is reported again as allocated"
    ),
    "freed by the compiler": _Anomaly(
        SimulatedAnomaly.IMPLICIT_FREE, range(26, 28), "slots without pointers are reused without a free event"
    ),
}
"""Anomalies by name: bits of the kernel, minor releases of Go, description."""


def quirks(names: Iterable[str], release: int) -> int:
    """Return the bits of these anomalies.

    Raises
    ------
    ValueError
        A name is unknown, or this release does not have the anomaly.
    """
    bits = 0
    for name in names:
        if name not in ANOMALIES:
            raise ValueError(f"unknown anomaly {name!r}: expected one of {', '.join(ANOMALIES)}")
        anomaly = ANOMALIES[name]
        if release not in anomaly.releases:
            first, last = anomaly.releases[0], anomaly.releases[-1]
            raise ValueError(f"anomaly {name!r} needs a release from 1.{first} to 1.{last}")
        bits |= anomaly.quirk
    return bits
