"""Conversion of clock units to nanoseconds and wall time.

In: clock units and a generation's frequency. Out: int64 nanoseconds, bit for bit those of Go's reader (FORMAT 4).
Never here: reading of batches.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_LOWEST = np.iinfo(np.int64).min


class Clock(NamedTuple):
    """Clock of one generation.

    ``frequency`` is in clock units per second. ``time`` (ns of the trace), ``mono`` (ns of the monotonic clock) and
    ``wall`` were read at the same instant; they are None for traces of Go 1.24 and earlier.
    """

    frequency: int
    time: int | None
    mono: int | None
    wall: np.datetime64 | None


def factor(frequency: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Return nanoseconds per clock unit; two divisions in this order, as in Go, for the same rounding."""
    return 1.0 / (frequency.astype(np.float64) / 1e9)


def to_ns(units: npt.NDArray[np.uint64], ns_per_unit: npt.NDArray[np.float64] | float) -> npt.NDArray[np.int64]:
    """Truncate ``units * ns_per_unit`` to int64; a value out of range becomes the lowest number, as on amd64."""
    product = np.asarray(units.astype(np.float64) * ns_per_unit)
    fits = product < 2.0**63
    return np.where(fits, np.where(fits, product, 0.0).astype(np.int64), _LOWEST)


def wall_ns(sec: int, nsec: int) -> np.datetime64:
    """Return the wall-clock time of a snapshot; NaT if datetime64[ns] cannot represent it."""
    total = sec * 1_000_000_000 + nsec
    return np.datetime64(total if _LOWEST < total < 2**63 else "NaT", "ns")


def to_wall(
    times: npt.NDArray[np.int64], start: npt.NDArray[np.int64], wall: npt.NDArray[np.datetime64]
) -> npt.NDArray[np.datetime64]:
    """Return wall-clock times, by clocks that show ``wall`` at ``start``; NaT if datetime64[ns] cannot represent it."""
    passed, at = times - start, wall.view(np.int64)
    total = at + passed
    wraps = (((times ^ start) & (times ^ passed)) | ((total ^ at) & (total ^ passed))) < 0
    return np.where(wraps | np.isnat(wall), _LOWEST, total).view("M8[ns]")
