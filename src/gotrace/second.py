"""The second thread of a pass: when it is worth having, and what it is asked to do. Never here: what it decodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from gotrace._ahead import Ahead
    from gotrace.parts import Part
    from gotrace.slabs import Slab

_Item = TypeVar("_Item")
_WORTH = 1 << 18  # bytes of a generation for which a second thread is worth the asking


def may_help(jobs: int) -> bool:
    """Whether there may be a second thread, and a core for it."""
    return min(jobs, cores()) > 1


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_worth(slab: Slab) -> bool:
    """Whether the slab's generations are large enough for a second thread to help."""
    return slab.end - int(slab.batches["offset"][0]) >= _WORTH * slab.n_gens


def helper(jobs: int) -> AbstractContextManager[Executor | None]:
    """Return a second thread, if there may be one, that does one thing after the other."""
    if not may_help(jobs):
        return nullcontext()
    from concurrent.futures import ThreadPoolExecutor  # slow to import

    return ThreadPoolExecutor(1, "gotrace helps")


class OneAhead(Iterator[_Item]):
    """Items, the next of which a thread makes from when ``begin`` is called on, or when it is asked for."""

    def __init__(self, items: Iterator[_Item], thread: Executor) -> None:
        self._items = items
        self._thread = thread
        self._coming: Future[_Item | None] | None = None

    def begin(self) -> None:
        """Let the next item be made; best while the caller is in a kernel, since only one thread can be in Python."""
        if self._coming is None:
            self._coming = self._thread.submit(next, self._items, None)

    def __next__(self) -> _Item:
        """Return the next item."""
        self.begin()
        coming, self._coming = self._coming, None
        assert coming is not None
        try:
            item = coming.result()
        finally:
            del coming  # which holds what it raises
        if item is None:
            raise StopIteration
        return item


class Second:
    """What a thread decodes ahead, if anything. It ends by itself when there is nothing to do for a while."""

    def __init__(self, ahead: Ahead | None, part: Part) -> None:
        self._ahead = ahead
        self._part = part
        self._served: Future[None] | None = None

    def __enter__(self) -> Second:
        return self

    def wake(self) -> None:
        """Let the thread read what comes next, and decode, before a kernel needs what it decodes."""
        if self._part.following is not None:
            self._part.following.begin()
        if self._ahead is not None and self._part.helper is not None and self._ahead.claim():
            self._served = self._part.helper.submit(self._ahead.serve)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._ahead is not None:
            self._ahead.stop()
        if self._served is not None:
            self._served.result()
