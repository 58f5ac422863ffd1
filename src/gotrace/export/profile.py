"""Profiles: a heap or waits by call stack come in, stacks with values go out. Never here: a file format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.analysis.account import account
from gotrace.analysis.profiles import KINDS
from gotrace.analysis.profiles import Profile as WaitProfile
from gotrace.analysis.stacks import HeapStacks
from gotrace.analysis.texts import NO_STACK
from gotrace.heap.table import package_of
from gotrace.units import human_count
from gotrace.wire.structure import Frame


class Place(NamedTuple):
    """One frame of a profile: a function, or a name in place of one."""

    function: str
    file: str = ""
    line: int = 0


@dataclass
class Profile:
    """Stacks, each with a value for each measure.

    Attributes
    ----------
    title : str
        Short description, which also states what the profile lacks.
    measures : list of tuple of str
        Name and unit (``count``, ``bytes`` or ``nanoseconds``); the last one is the default.
    stacks : list of list of Place
        Leaf first; of a heap, the leaf is the type of the objects.
    classes : list of str
        Size class of each stack, for formats with labels; empty for none.
    values : ndarray of int64, shape (n_stacks, n_measures)
    comments : list of str
        Sentences on the accuracy of the values.
    """

    title: str
    measures: list[tuple[str, str]]
    stacks: list[list[Place]]
    classes: list[str]
    values: npt.NDArray[np.int64]
    comments: list[str]


ProfileWriter = Callable[[Profile, BinaryIO], None]


_MEASURES = (
    ("alloc_objects", "alloc_objects"),
    ("alloc_space", "alloc_bytes"),
    ("inuse_objects", "inuse_objects"),
    ("inuse_space", "inuse_bytes"),
)
"""Names of pprof, and the columns of HEAP."""


def profile_of(heap: HeapStacks) -> Profile:
    """Return a profile by site, or by package if no sample matched an allocation."""
    by_site = bool(heap.matched)
    columns = [heap.table[column] for _, column in _MEASURES]
    measures = [(name, "bytes" if name.endswith("space") else "count") for name, _ in _MEASURES]
    if by_site:
        columns.insert(0, heap.sampled)
        measures.insert(0, ("samples", "count"))
    values = np.stack(columns, axis=1).astype(np.int64)
    used = np.flatnonzero(values.any(axis=1)).tolist()
    names = [plain(name) for name in heap.table["name"].tolist()]
    return Profile(
        f"heap by site, estimated from {human_count(heap.matched, 'CPU sample')}"
        if by_site
        else "heap by package and type: no call stacks",
        measures,
        [[Place(names[i]), *_places(heap.sites[i] if by_site else package_of(names[i]))] for i in used],
        [heap.classes[i] for i in used],
        values[used],
        account(heap),
    )


def profile_of_waits(waits: WaitProfile) -> Profile:
    """Return a profile of the time that goroutines spend in a state."""
    return Profile(
        KINDS[waits.kind].doc,
        [("contentions", "count"), ("delay", "nanoseconds")],
        [_places(waits.stacks[stack]) or [Place(NO_STACK)] for stack in waits.table["stack"].tolist()],
        [""] * len(waits.table),
        np.stack([waits.table["count"], waits.table["time"]], axis=1),
        [],
    )


def _places(site: Sequence[Frame] | str) -> list[Place]:
    if isinstance(site, str):
        return [Place(plain(site))]
    return [_place(frame) for frame in site]


@lru_cache(1 << 14)
def _place(frame: Frame) -> Place:
    return Place(plain(frame.function), plain(frame.file), frame.line)


def plain(text: str) -> str:
    """Replace surrogate escapes by question marks: all formats are UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
