"""Profiles: sites or types come in, stacks with values go out, for all profile formats. Never here: a file format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.analysis.account import account
from gotrace.analysis.sites import Sites
from gotrace.heap.table import class_name, package_of
from gotrace.tables.sites import NO_SAMPLE
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
        Name and unit (``count`` or ``bytes``); the last one is the default.
    stacks : list of list of Place
        Leaf first.
    types : list of str
        Object type of each stack; empty if the type is a frame of the stack.
    values : ndarray of int64, shape (n_stacks, n_measures)
    comments : list of str
        Sentences on the accuracy of the values.
    """

    title: str
    measures: list[tuple[str, str]]
    stacks: list[list[Place]]
    types: list[str]
    values: npt.NDArray[np.int64]
    comments: list[str]

    def with_types(self) -> list[list[Place]]:
        """Return the stacks with the object type as leaf, for formats without labels."""
        return [[Place(kind), *stack] if kind else stack for stack, kind in zip(self.stacks, self.types, strict=True)]


ProfileWriter = Callable[[Profile, BinaryIO], None]


def profile_of(sites: Sites) -> Profile:
    """Return a profile by site, or by type if no sample matched an allocation."""
    return _of_sites(sites) if sites.matched else _of_types(sites)


def _of_sites(sites: Sites) -> Profile:
    table = sites.table
    return Profile(
        f"allocations by site, estimated from {sites.matched:,} CPU samples",
        [("samples", "count"), ("alloc_objects", "count"), ("alloc_space", "bytes")],
        [[_place(frame) for frame in sites.stacks[stack]] or [Place(NO_SAMPLE)] for stack in table["stack"].tolist()],
        [plain(sites.names[kind]) for kind in table["type"].tolist()],
        np.stack([table[name].astype(np.int64) for name in ("samples", "objects", "bytes")], axis=1),
        account(sites),
    )


def _of_types(sites: Sites) -> Profile:
    counts = sites.counts
    names = [plain(sites.names[kind]) for kind in counts["type"].tolist()]
    classes = map(class_name, counts["spanclass"].tolist())
    values = [
        [counts[f"alloc_{unit}"] for unit in ("objects", "bytes")],
        [counts[f"start_{unit}"] + counts[f"alloc_{unit}"] - counts[f"free_{unit}"] for unit in ("objects", "bytes")],
    ]
    return Profile(
        "heap by package, type and size class: no call stacks",
        [
            *(("alloc_objects", "count"), ("alloc_space", "bytes")),
            *(("inuse_objects", "count"), ("inuse_space", "bytes")),
        ],
        [[Place(size), Place(name), Place(package_of(name))] for name, size in zip(names, classes, strict=True)],
        [""] * len(counts),
        np.stack([column for columns in values for column in columns], axis=1).astype(np.int64).reshape(-1, 4),
        account(sites),
    )


def _place(frame: Frame) -> Place:
    return Place(plain(frame.function), plain(frame.file), frame.line)


def plain(text: str) -> str:
    """Replace surrogate escapes by question marks: all formats are UTF-8."""
    return text.encode("utf-8", "replace").decode()
