"""What the formats of profiles share: stacks with values, made of sites or of types. Never here: a file format."""

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
    """One frame of a profile: a function, or what stands for one."""

    function: str
    file: str = ""
    line: int = 0


@dataclass
class Profile:
    """Stacks, each with a value for each measure.

    Attributes
    ----------
    title : str
        What it is and what it is not, in a few words.
    measures : list of tuple of str
        Name and unit (``count`` or ``bytes``); the last one is the one to look at first.
    stacks : list of list of Place
        Leaf first.
    types : list of str
        Type of the objects of each stack; empty where the stacks name it themselves.
    values : ndarray of int64, (stacks, measures)
    comments : list of str
        Sentences for the reader.
    """

    title: str
    measures: list[tuple[str, str]]
    stacks: list[list[Place]]
    types: list[str]
    values: npt.NDArray[np.int64]
    comments: list[str]

    def with_types(self) -> list[list[Place]]:
        """Stacks that end with the type of the objects, for formats without labels."""
        return [[Place(kind), *stack] if kind else stack for stack, kind in zip(self.stacks, self.types, strict=True)]


ProfileWriter = Callable[[Profile, BinaryIO], None]


def profile_of(found: Sites) -> Profile:
    """Make a profile of sites; of types alone, if no sample found its allocation."""
    return _of_sites(found) if found.matched else _of_types(found)


def _of_sites(found: Sites) -> Profile:
    table = found.table
    return Profile(
        f"allocations by site, estimated from {found.matched:,} CPU samples",
        [("samples", "count"), ("alloc_objects", "count"), ("alloc_space", "bytes")],
        [[_place(frame) for frame in found.stacks[stack]] or [Place(NO_SAMPLE)] for stack in table["stack"].tolist()],
        [plain(found.names[kind]) for kind in table["type"].tolist()],
        np.stack([table[name].astype(np.int64) for name in ("samples", "objects", "bytes")], axis=1),
        account(found),
    )


def _of_types(found: Sites) -> Profile:
    counts = found.counts
    names = [plain(found.names[kind]) for kind in counts["type"].tolist()]
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
        account(found),
    )


def _place(frame: Frame) -> Place:
    return Place(plain(frame.function), plain(frame.file), frame.line)


def plain(text: str) -> str:
    """Turn bytes that are no UTF-8 into question marks; the formats are all UTF-8."""
    return text.encode("utf-8", "replace").decode()
