"""What a simulated program does: how much it allocates of what, how often it blocks, how long it runs.

The shapes of :data:`SHAPES` were measured on real programs. Never here: the runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import Act
from gotrace.spec.limits import CLASS_BYTES

SITES = 4096
"""Places in a program that allocate, each as likely as the others."""

ACT_SCALE = 1 << 20

_SMALL, _LARGE, _TINY = range(3)
_TINY_BYTES = 16
_TINY_CLASS = 5  # of spans: 16 bytes without pointers
_PAGE = 8192
_MOST_BYTES = 32 << 20  # of a large object, so that the kernel's room for one step suffices


@dataclass(frozen=True, slots=True)
class Shape:
    """How a program behaves.

    Attributes
    ----------
    live_bytes : int
        What survives a collection, once there is as much.
    sizes : mapping of (int, bool) to float
        Weights of objects: bytes, and whether they hold pointers. Below 16 bytes without pointers they are tiny.
    untyped : float
        Share of the objects without pointers that have no type.
    types : int
        Types of the program.
    goroutines : int
        About as many live at a time.
    acts : mapping of str to float
        For a million steps of a goroutine, how many are no allocation: keys are the names of ``Act`` in small letters.
    busy : float
        Share of the procs that run, if there is work.
    short_run, long_run : int
        Steps that a thread goes before another one does, on average, in the two kinds of runs.
    long_share : float
        Share of long runs.
    pace : int
        Clock units (64 ns) from event to event of the whole program, on average.
    survive : float
        Share of objects that survived a collection which survive the next one.
    gogc : int
        The heap grows by so many percent of what survived before the next collection begins.
    least_heap : int
        Bytes at which the first collection begins; later ones not below it.
    mark_events : int
        How many events marking takes.
    """

    live_bytes: int = 4 << 20
    sizes: Mapping[tuple[int, bool], float] = field(
        default_factory=lambda: {
            **{(8, False): 8, (12, False): 5, (16, False): 12, (32, False): 6, (64, False): 3, (1024, False): 1},
            **{(8, True): 8, (16, True): 12, (32, True): 10, (48, True): 12, (80, True): 8, (112, True): 6},
            **{(208, True): 3, (512, True): 1, (640, True): 1, (2048, True): 0.5, (9472, True): 0.05},
            **{(4096, False): 0.3, (40960, False): 0.05, (100_000, True): 0.01},
        }
    )
    untyped: float = 0.4
    types: int = 200
    goroutines: int = 50
    acts: Mapping[str, float] = field(
        default_factory=lambda: {
            **{"block": 4000, "unblock": 4000, "stop": 3000, "create": 300, "destroy": 300, "syscall": 2000},
            **{"long_syscall": 200, "switch": 200, "grow_stack": 100, "assist": 500},
        }
    )
    busy: float = 0.75
    short_run: int = 4
    long_run: int = 300
    long_share: float = 0.1
    pace: int = 1
    survive: float = 0.95
    gogc: int = 100
    least_heap: int = 4 << 20
    mark_events: int = 2000

    def act_ends(self) -> npt.NDArray[np.int32]:
        """Ends of each act's part of 2**20, for the kernel."""
        unknown = set(self.acts) - {act.name.lower() for act in Act}
        if unknown:
            raise ValueError(f"no act is called {', '.join(sorted(unknown))}")
        shares = np.array([self.acts.get(act.name.lower(), 0.0) for act in Act]) * ACT_SCALE / 1e6
        ends = np.cumsum(shares)
        if ends[-1] > ACT_SCALE or (shares < 0).any():
            raise ValueError("acts are counts of a million")
        return np.round(ends).astype(np.int32)

    def sites(self, random: np.random.Generator) -> npt.NDArray[np.int32]:
        """Rows (type, span class, pages, length, kind) of ``SITES`` places; types come from a few common ones on."""
        sizes = list(self.sizes)
        weights = np.array([self.sizes[size] for size in sizes], float)
        counts = np.floor(np.cumsum(weights) / weights.sum() * SITES + 0.5).astype(int)
        rows = np.zeros((SITES, 5), np.int32)
        rows[:, 0] = 1 + np.floor(self.types * random.random(SITES) ** 2)
        first = 0
        for (length, pointers), last in zip(sizes, counts.tolist(), strict=True):
            part = rows[first:last]
            part[:, 1:] = _site(length, pointers)
            if not pointers:
                part[random.random(last - first) < self.untyped, 0] = 0
            first = last
        return rows


def _site(length: int, pointers: bool) -> tuple[int, int, int, int]:
    """Span class, pages, length and kind of objects of one size."""
    if not 1 <= length <= _MOST_BYTES:
        raise ValueError(f"objects have 1 to {_MOST_BYTES} bytes, not {length}")
    if length < _TINY_BYTES and not pointers:
        return _TINY_CLASS, 0, length, _TINY
    header = 8 if pointers and length > 512 else 0
    if length + header > CLASS_BYTES[-1]:
        return int(not pointers), -(-length // _PAGE), length, _LARGE
    sizeclass = next(i for i, most in enumerate(CLASS_BYTES) if i and most >= length + header)
    return 2 * sizeclass + (not pointers), 0, length, _SMALL


SHAPES: dict[str, Shape] = {
    "plain": Shape(),
}
"""Programs by name."""
