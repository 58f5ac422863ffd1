"""Rows of several tables in one pass, and the texts and call stacks that they refer to. Never here: what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I4, Rows
from gotrace.errors import TraceError
from gotrace.tables.catalog import TABLES
from gotrace.tables.passes import Progress
from gotrace.tables.table import chunks
from gotrace.trace import Trace
from gotrace.wire.structure import Frame

TEXTS = ("strings",)
STACKS = ("strings", "stacks", "frames")
_STEP = 1 << 20  # bytes of a chunk

R = TypeVar("R")

Keep = Callable[[Rows], Rows]
"""Returns what to keep of a chunk of rows: a new array."""


class Gathered:
    """Rows of tables, as far as they could be read.

    Parameters
    ----------
    trace : Trace
    keep : dict of str to callable
        By table: what to keep of each chunk.
    lookups : tuple of str
        Tables that the rows refer to.
    progress : callable, optional
        Called with the number of bytes read so far.

    Attributes
    ----------
    rows : dict of str to ndarray
        By table.
    fault : TraceError or None
        The fault that ended the pass.
    """

    def __init__(
        self,
        trace: Trace,
        keep: Mapping[str, Keep],
        lookups: tuple[str, ...] = STACKS,
        progress: Progress | None = None,
    ) -> None:
        dtypes = {name: TABLES[name].dtype for name in (*lookups, *keep)}
        pieces = {name: [keep.get(name, np.copy)(np.empty(0, dtype))] for name, dtype in dtypes.items()}
        self.fault: TraceError | None = None
        try:
            columns = {name: list(dtype.names or ()) for name, dtype in dtypes.items()}
            for name, rows in chunks(trace.reader, columns, _STEP, progress):
                pieces[name].append(keep[name](rows) if name in keep else rows)
        except TraceError as error:
            self.fault = error
        self.rows = {name: np.concatenate(found) for name, found in pieces.items()}

    def checked(self, result: R) -> R:
        """Return a result; if there is a fault, raise it with the result as its ``partial``."""
        if self.fault is not None:
            self.fault.partial = result
            raise self.fault
        return result

    @cached_property
    def texts(self) -> list[str]:
        """Text of each row of ``strings``."""
        texts: list[str] = self.rows["strings"]["text"].tolist()
        return texts

    def frames(self, stack: int) -> tuple[Frame, ...]:
        """Return the frames of a row of ``stacks``, leaf first."""
        first, n = (int(self.rows["stacks"][name][stack]) for name in ("first", "n_frames"))
        frames = self.rows["frames"][first : first + n][["function", "file", "line", "pc"]].tolist()
        return tuple(Frame(self.texts[function], self.texts[file], line, pc) for function, file, line, pc in frames)

    def merged(self, stacks: I4) -> tuple[I4, list[tuple[Frame, ...]]]:
        """Return which stacks have the same frames; each generation has rows of its own for them.

        Parameters
        ----------
        stacks : ndarray of int32
            Rows of ``stacks``.

        Returns
        -------
        index : ndarray of int32
            For each of ``stacks``, the index of its frames.
        frames : list of tuple of Frame
        """
        rows, inverse = np.unique(stacks, return_inverse=True)
        found: dict[tuple[Frame, ...], int] = {}
        index = np.array([found.setdefault(self.frames(row), len(found)) for row in rows.tolist()], np.int32)
        return index[inverse], list(found)

    def text(self, strings: I4) -> npt.NDArray[np.object_]:
        """Return the text of each row of ``strings``."""
        return np.array([self.texts[row] for row in strings.tolist()], object)

    def where(self, strings: I4, matches: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        """Return whether the text of each row of ``strings`` matches."""
        rows, inverse = np.unique(strings, return_inverse=True)
        return np.array([matches(self.texts[row]) for row in rows.tolist()], bool)[inverse]
