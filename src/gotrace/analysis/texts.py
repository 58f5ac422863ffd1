"""Names in results: texts of a trace, call stacks on one line, groups of rows. Never here: numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I8
from gotrace.wire.structure import Frame

NO_STACK = "(no stack seen)"
_INNER = ("runtime.", "internal/", "sync.", "syscall.", "time.")  # functions that wait on behalf of a program
_SHOWN = 3  # frames of a call stack on one line

K = TypeVar("K", bound=Hashable)


def one_line(frames: Sequence[Frame]) -> str:
    """Return a call stack on one line: its first functions outside of Go's runtime, leaf first."""
    outer = [frame.function for frame in frames if not frame.function.startswith(_INNER)]
    names = outer or [frame.function for frame in frames]
    return " < ".join(names[:_SHOWN]) or NO_STACK


def start_function(frames: Sequence[Frame]) -> str:
    """Return the outermost function of a call stack."""
    return frames[-1].function if frames else NO_STACK


def distinct(*columns: npt.NDArray[np.integer[Any]]) -> tuple[I8, I8]:
    """Return the index of one row of each value, in the order of the values, and the number of each row's value."""
    order = np.lexsort(columns[::-1])
    ordered = [column[order] for column in columns]
    new = np.any([np.append(True, column[1:] != column[:-1])[: len(order)] for column in ordered], axis=0)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return order[new], numbers


class Groups:
    """Numbers of groups, from 0 in order of appearance.

    Attributes
    ----------
    keys : list of tuple of int
        The key of each group.
    """

    def __init__(self) -> None:
        self.keys: list[tuple[int, ...]] = []
        self._number: dict[tuple[int, ...], int] = {}

    def numbers(self, *columns: I8) -> I8:
        """Return the group of each row; its key is the row of the columns."""
        first, place = distinct(*columns)
        numbers = []
        for key in zip(*(column[first].tolist() for column in columns), strict=True):
            number = self._number.setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
            numbers.append(number)
        return np.array(numbers, np.int64)[place]


def find_rows(rows: I8, keys: I8, values: I8) -> I8:
    """Return the value of the key that equals each row of a table, -1 if there is none; keys are distinct."""
    first, numbers = distinct(*np.concatenate((keys, rows)).T)
    found = np.full(len(first), -1)
    found[numbers[: len(keys)]] = values
    return found[numbers[len(keys) :]]


def merged(names: Iterable[K | None]) -> tuple[I8, list[K]]:
    """Return the number of each name, -1 for None, and the distinct names in order of appearance."""
    found: dict[K, int] = {}
    numbers = [-1 if name is None else found.setdefault(name, len(found)) for name in names]
    return np.array(numbers, np.int64), list(found)
