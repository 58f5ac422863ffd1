"""Shapes of simulated programs: object sizes, action rates and run lengths come in, tables for the kernel go out.

The shapes of :data:`SHAPES` other than ``plain`` were measured on real programs. Never here: the runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gotrace.simulation.rows import Action
from gotrace.spec.sizeclasses import CLASS_BYTES

SITES = 4096
"""Number of allocation sites of a program, all equally likely."""

ACT_SCALE = 1 << 20

_LEAST = {
    **dict.fromkeys(("live_bytes", "least_heap", "gogc", "mark_events"), 0),
    **dict.fromkeys(("procs", "types", "goroutines", "short_run", "long_run", "pace"), 1),
}
_MOST = 1 << 40

_SMALL, _LARGE, _TINY = range(3)
_TINY_BYTES = 16
_TINY_CLASS = 5  # of spans: 16 bytes without pointers
_PAGE = 8192
_MOST_BYTES = 32 << 20  # maximum size of an object, so that the kernel's room for one step suffices


@dataclass(frozen=True, slots=True)
class Shape:
    """Parameters of a program's behaviour.

    Attributes
    ----------
    procs : int
        GOMAXPROCS, 1 to 256.
    live_bytes : int
        Bytes that survive a collection, once the heap is that large.
    sizes : mapping of (int, bool) to float
        Weights of objects by size in bytes and whether they have pointers. Objects below 16 bytes without pointers are
        tiny.
    untyped : float
        Share of the objects without pointers that have no type.
    types : int
        Number of types.
    goroutines : int
        Approximate number of goroutines at a time.
    acts : mapping of str to float
        Number of other actions than allocations in a million steps of a goroutine; keys are the lowercase names of
        ``Action``.
    busy : float
        Share of the procs that run, if there is work.
    short_run, long_run : int
        Average number of steps of a thread before another thread runs, for short and long runs.
    long_share : float
        Share of long runs.
    pace : int
        Average time between events of the whole program, in clock units of 64 ns.
    survive : float
        Share of the objects that survived a collection before and survive the next one.
    clustered : float
        Share of spans, below 1, whose new objects are freed together.
    gogc : int
        Growth of the heap before the next collection, in percent of the surviving bytes.
    least_heap : int
        Minimum size of the heap in bytes at the start of a collection.
    mark_events : int
        Number of events during a mark phase.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    procs: int = 4
    live_bytes: int = 4 << 20
    sizes: Mapping[tuple[int, bool], float] = field(
        default_factory=lambda: {
            (8, False): 8,
            (12, False): 5,
            (16, False): 12,
            (32, False): 6,
            (64, False): 3,
            (1024, False): 1,
            (8, True): 8,
            (16, True): 12,
            (32, True): 10,
            (48, True): 12,
            (80, True): 8,
            (112, True): 6,
            (208, True): 3,
            (512, True): 1,
            (640, True): 1,
            (2048, True): 0.5,
            (9472, True): 0.05,
            (4096, False): 0.3,
            (40960, False): 0.05,
            (100_000, True): 0.01,
        }
    )
    untyped: float = 0.4
    types: int = 200
    goroutines: int = 50
    acts: Mapping[str, float] = field(
        default_factory=lambda: {
            "block": 4000,
            "unblock": 4000,
            "stop": 3000,
            "create": 300,
            "destroy": 300,
            "syscall": 2000,
            "long_syscall": 200,
            "switch": 200,
            "grow_stack": 100,
            "assist": 500,
        }
    )
    busy: float = 0.75
    short_run: int = 4
    long_run: int = 300
    long_share: float = 0.1
    pace: int = 1
    survive: float = 0.95
    clustered: float = 0.2
    gogc: int = 100
    least_heap: int = 4 << 20
    mark_events: int = 2000

    def __post_init__(self) -> None:
        """Check the parameters' ranges."""
        for name, least in _LEAST.items():
            if not least <= getattr(self, name) < _MOST:
                raise ValueError(f"{name}={getattr(self, name)}: must be {least} to 2**40 - 1")
        for name in ("untyped", "busy", "long_share", "survive", "clustered"):
            if not 0 <= getattr(self, name) <= 1 or (name == "clustered" and self.clustered == 1):
                limit = "below" if name == "clustered" else "at most"
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 0 and {limit} 1")
        if not self.sizes or min(self.sizes.values()) < 0 or sum(self.sizes.values()) <= 0:
            raise ValueError("sizes: weights must be at least 0, and one must be above 0")

    def act_ends(self) -> npt.NDArray[np.int32]:
        """Return the cumulative shares of the actions in units of 2**-20, for the kernel."""
        unknown = set(self.acts) - {act.name.lower() for act in Action}
        if unknown:
            raise ValueError(
                f"acts: unknown {', '.join(sorted(unknown))}: expected {', '.join(act.name.lower() for act in Action)}"
            )
        shares = np.array([self.acts.get(act.name.lower(), 0.0) for act in Action]) * ACT_SCALE / 1e6
        ends = np.cumsum(shares)
        if ends[-1] > ACT_SCALE or (shares < 0).any():
            raise ValueError("acts: counts must be at least 0, and at most a million in total")
        return np.round(ends).astype(np.int32)

    def sites(self, random: np.random.Generator) -> npt.NDArray[np.int32]:
        """Return rows (type, span class, pages, length, kind) of ``SITES`` sites; low types are the most common."""
        sizes = list(self.sizes)
        weights = np.array([self.sizes[size] for size in sizes], float)
        counts = np.floor(np.cumsum(weights) / weights.sum() * SITES + 0.5).astype(int)
        rows = np.zeros((SITES, 5), np.int32)
        rows[:, 0] = 1 + np.floor(self.types * random.random(SITES) ** 2)
        first = 0
        for (length, pointers), last in zip(sizes, counts.tolist(), strict=True):
            sized = rows[first:last]
            sized[:, 1:] = _site(length, pointers)
            if not pointers:
                sized[random.random(last - first) < self.untyped, 0] = 0
            first = last
        return rows


def _site(length: int, pointers: bool) -> tuple[int, int, int, int]:
    """Return span class, pages, length and kind of objects of one size."""
    if not 1 <= length <= _MOST_BYTES:
        raise ValueError(f"sizes: {length} bytes: must be 1 to {_MOST_BYTES}")
    if length < _TINY_BYTES and not pointers:
        return _TINY_CLASS, 0, length, _TINY
    header = 8 if pointers and length > 512 else 0
    if length + header > CLASS_BYTES[-1]:
        return int(not pointers), -(-length // _PAGE), length, _LARGE
    sizeclass = next(i for i, most in enumerate(CLASS_BYTES) if i and most >= length + header)
    return 2 * sizeclass + (not pointers), 0, length, _SMALL


def _halves(both: Mapping[int, tuple[float, float]]) -> dict[tuple[int, bool], float]:
    """Return weights by size and pointers, from pairs by size: with pointers, without."""
    return {(size, bool(1 - k)): pair[k] for size, pair in both.items() for k in (0, 1) if pair[k]}


SHAPES: dict[str, Shape] = {
    "plain": Shape(),
    "compiler": Shape(
        procs=2,
        live_bytes=75 << 20,
        sizes=_halves(
            {
                8: (77.3, 92.4),
                16: (139.9, 42.9),
                24: (64.3, 27.6),
                32: (50.3, 26.0),
                48: (167.3, 10.7),
                64: (76.3, 18.7),
                80: (49.5, 2.5),
                96: (40.9, 2.8),
                112: (15.5, 2.9),
                128: (24.4, 9.1),
                144: (10.1, 2.6),
                160: (16.1, 0),
                192: (2.9, 0),
                208: (10.1, 0),
                256: (3.4, 0),
                288: (3.7, 0),
                320: (3.5, 0),
                352: (4.1, 0),
                416: (2.2, 0),
            }
        ),
        untyped=0.62,
        types=795,
        goroutines=10,
        acts={
            "block": 93,
            "unblock": 92,
            "stop": 565,
            "create": 18,
            "destroy": 17,
            "syscall": 720,
            "long_syscall": 5,
            "grow_stack": 59,
            "assist": 72,
        },
        busy=1.0,
        short_run=2,
        long_run=1500,
        long_share=0.0015,
        pace=3,
        clustered=0.4,
    ),
    "json": Shape(
        procs=2,
        live_bytes=6 << 20,
        sizes=_halves(
            {
                8: (20.1, 428.5),
                16: (125.8, 88.4),
                24: (0, 62.0),
                32: (0, 63.8),
                48: (0, 28.4),
                64: (0, 106.1),
                80: (35.7, 0),
                384: (0, 36.7),
                6144: (0, 4.6),
            }
        ),
        untyped=0.64,
        types=168,
        goroutines=6,
        acts={
            "block": 284,
            "unblock": 283,
            "stop": 123673,
            "create": 18,
            "destroy": 17,
            "syscall": 161,
            "long_syscall": 3,
            "grow_stack": 51,
            "assist": 77,
        },
        busy=0.5,
        short_run=2,
        long_run=1500,
        long_share=0.035,
        pace=4,
        clustered=0.9,
        survive=0.98,
    ),
    "collector": Shape(
        procs=2,
        live_bytes=4 << 20,
        sizes={(8192, False): 1.0, (10240, True): 1.0},
        types=4,
        goroutines=6,
        acts={
            "block": 13000,
            "unblock": 13000,
            "stop": 140000,
            "create": 7,
            "destroy": 5,
            "syscall": 116,
            "long_syscall": 25,
            "assist": 420000,
        },
        busy=1.0,
        short_run=1,
        long_run=2000,
        long_share=0.004,
        pace=28,
        mark_events=200,
        clustered=0.3,
    ),
    "orders": Shape(
        procs=2,
        live_bytes=2500 << 10,
        sizes=_halves(
            {
                8: (5.0, 0),
                16: (5.0, 500.9),
                32: (153.2, 0),
                48: (9.4, 0),
                64: (107.3, 0),
                128: (71.6, 0),
                288: (4.6, 0),
                568: (143.0, 0),
            }
        ),
        untyped=1.0,
        types=42,
        goroutines=20,
        acts={
            "block": 2149,
            "unblock": 1938,
            "stop": 115000,
            "create": 716,
            "destroy": 506,
            "syscall": 211,
            "grow_stack": 300,
        },
        busy=1.0,
        short_run=2,
        long_run=200,
        long_share=0.003,
        pace=2,
        gogc=25,
        clustered=0.98,
        least_heap=1 << 20,
        survive=1.0,
    ),
}
"""Shapes by name: ``compiler`` type-checks packages; ``json`` decodes and encodes; in ``collector`` the collector runs
almost all the time, and the recording had no alloc/free events; ``orders`` is the order service of
``examples/heap.trace``."""
