"""The second thread of a pass: when it is worth having, begins and ends. Never here: what it decodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
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


def one_ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield items, the next of which is made by another thread meanwhile."""
    from concurrent.futures import ThreadPoolExecutor  # slow to import

    with ThreadPoolExecutor(1, "gotrace reads ahead") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


class Second:
    """The thread that decodes ahead, if any. It ends by itself when there is nothing to do for a while."""

    def __init__(self, ahead: Ahead | None) -> None:
        self._ahead = ahead
        self._thread: Thread | None = None

    def __enter__(self) -> Second:
        return self

    def wake(self) -> None:
        """Let there be a thread, before a kernel needs what it decodes."""
        if self._ahead is not None and self._ahead.claim():
            self._join()
            self._thread = Thread(target=self._ahead.serve, name="gotrace decodes ahead")
            self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._ahead is not None:
            self._ahead.stop()
            self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
