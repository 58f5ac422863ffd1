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
    from gotrace.slabs import Slab

_Item = TypeVar("_Item")
_WORTH = 1 << 18  # bytes of a generation for which a second thread is worth the asking


def may_help(jobs: int) -> bool:
    """Whether there may be a second thread, and a core for it."""
    return min(jobs, os.cpu_count() or 1) > 1


def is_worth(slab: Slab) -> bool:
    """Whether the slab's generations are large enough for a second thread to help."""
    return slab.end - int(slab.batches["offset"][0]) >= _WORTH * slab.n_gens


def helper(jobs: int) -> AbstractContextManager[Executor | None]:
    """Return a second thread, if there may be one, that does one thing after the other."""
    if not may_help(jobs):
        return nullcontext()
    from concurrent.futures import ThreadPoolExecutor  # slow to import

    return ThreadPoolExecutor(1, "gotrace helps")


def one_ahead(items: Iterator[_Item], thread: Executor) -> Iterator[_Item]:
    """Yield items, the next of which is made by that thread meanwhile."""
    coming = thread.submit(next, items, None)
    while (item := coming.result()) is not None:
        coming = thread.submit(next, items, None)
        yield item


class Second:
    """What a thread decodes ahead, if anything. It ends by itself when there is nothing to do for a while."""

    def __init__(self, ahead: Ahead | None, thread: Executor | None) -> None:
        self._ahead = ahead
        self._thread = thread
        self._served: Future[None] | None = None

    def __enter__(self) -> Second:
        return self

    def wake(self) -> None:
        """Let the thread decode, before a kernel needs what it decodes."""
        if self._ahead is not None and self._thread is not None and self._ahead.claim():
            self._served = self._thread.submit(self._ahead.serve)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._ahead is not None:
            self._ahead.stop()
        if self._served is not None:
            self._served.result()
