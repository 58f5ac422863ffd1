"""Names of the anomalies that a simulated runtime can be asked for, and the releases that show them (FORMAT 9.9).

Never here: how they come about; that is the kernel's.
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
        SimulatedAnomaly.SNAPSHOT_INTERLEAVED, range(26, 28), "the snapshot runs ahead; others sort into it"
    ),
    "frees outside a proc": _Anomaly(
        SimulatedAnomaly.OUTSIDE_PROC, range(23, 28), "who takes a proc sweeps its caches before ProcStart"
    ),
    "wrong status": _Anomaly(
        SimulatedAnomaly.WRONG_STATUS | SimulatedAnomaly.OUTSIDE_PROC,
        range(23, 28),
        "such a sweep tells an idle proc as running",
    ),
    "dropped events": _Anomaly(
        SimulatedAnomaly.DROPPED, range(23, 24), "half the events of manual spans and stacks are lost"
    ),
    "next generation": _Anomaly(
        SimulatedAnomaly.NEXT_GENERATION,
        range(24, 26),
        "nested events go to the generation to come, with earlier times",
    ),
    "allocation under way": _Anomaly(
        SimulatedAnomaly.UNDER_WAY, range(23, 28), "an object of the snapshot is told as allocated after it"
    ),
    "freed by the compiler": _Anomaly(
        SimulatedAnomaly.IMPLICIT_FREE, range(26, 28), "slots without pointers are used again, and no event frees them"
    ),
}
"""By name: bits of the kernel, minor releases of Go, what happens."""


def quirks(names: Iterable[str], release: int) -> int:
    """Return the bits of these anomalies.

    Raises
    ------
    ValueError
        A name that is none, or one that this release does not show.
    """
    bits = 0
    for name in names:
        if name not in ANOMALIES:
            raise ValueError(f"no anomaly is called {name!r}: {', '.join(ANOMALIES)}")
        anomaly = ANOMALIES[name]
        if release not in anomaly.releases:
            raise ValueError(f"{name!r} is of Go 1.{anomaly.releases[0]} to 1.{anomaly.releases[-1]}")
        bits |= anomaly.quirk
    return bits
