"""The background thread of a pass: when it is used, and the work it runs. Never here: decoding."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from gotrace.wire._prefetch import Prefetcher
from gotrace.wire.segments import Segment
from gotrace.wire.slabs import Slab

if TYPE_CHECKING:
    from concurrent.futures import Future

    _Task: TypeAlias = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")
_LARGE = 1 << 18  # bytes of a generation from which a background thread is faster


def use_two_threads(jobs: int) -> bool:
    """True if a background thread is allowed, and there is a core for it."""
    return min(jobs, available_cores()) > 1


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def large_enough(slab: Slab) -> bool:
    """True if the slab's generations are large enough for a background thread to help."""
    return slab.end - int(slab.batches["offset"][0]) >= _LARGE * slab.n_gens


class Worker:
    """Background threads that run one task each, from the first ones on; the process may end before they do."""

    def __init__(self, threads: int = 1) -> None:
        from concurrent.futures import Future  # slow to import

        self._new_future = Future
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._rest = [Thread(target=_work, args=(self._tasks,), name="gotrace", daemon=True) for _ in range(threads)]
        self._started: list[Thread] = []

    def submit(self, function: Callable[..., _Result], *args: Any) -> Future[_Result]:
        """Let a thread call a function; tasks begin in the order in which they are submitted."""
        future: Future[_Result] = self._new_future()
        self._tasks.put((future, function, args))
        if self._rest:
            self._started.append(self._rest.pop())
            self._started[-1].start()
        return future

    def stop(self, *, wait: bool) -> None:
        """End the threads after the last task; with ``wait``, return no earlier."""
        for _ in self._started:
            self._tasks.put(None)
        for thread in self._started if wait else ():
            thread.join()


def _work(tasks: SimpleQueue[_Task | None]) -> None:
    while (task := tasks.get()) is not None:
        _run(*task)
        del task  # hold nothing while there is nothing to do


def _run(future: Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*args)
    except BaseException as error:
        future.set_exception(error)
        del future  # a frame must not hold the exception it raises: that is a cycle
    else:
        future.set_result(result)


@contextmanager
def start_thread(jobs: int, *, wait: bool = True) -> Iterator[Worker | None]:
    """Return a context with a background thread, or with None if none is to be used.

    Without ``wait``, the context may end before the thread does, which may be waiting for input.
    """
    if not use_two_threads(jobs):
        yield None
        return
    worker = Worker()
    try:
        yield worker
    finally:
        worker.stop(wait=wait)


def check_process(process: int) -> None:
    """Raise unless this process has this id: a forked one has no second thread, and shares the position of a stream."""
    if os.getpid() != process:
        raise ValueError("the trace was opened by another process: open it again after the fork")


class OneAhead(Iterator[_Item], Generic[_Item]):
    """An iterator whose next item a thread computes in advance, once ``begin`` is called."""

    def __init__(self, items: Iterator[_Item], thread: Worker) -> None:
        self._items = items
        self._thread = thread
        self._coming: Future[_Item | None] | None = None
        self._process = os.getpid()

    def begin(self) -> None:
        """Start the next item; best before the caller enters a kernel, since only one thread can run Python code."""
        check_process(self._process)
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
            del coming  # a frame must not hold the exception it raises: that is a cycle
        if item is None:
            raise StopIteration
        return item


class Background:
    """The background thread of a pass, while it reads a segment; without one, all methods do nothing.

    Attributes
    ----------
    thread : Worker or None
    upcoming : OneAhead or None
        The segments that it reads in advance.
    """

    def __init__(self) -> None:
        self.thread: Worker | None = None
        self.upcoming: OneAhead[Segment] | None = None

    def run(self, prefetcher: Prefetcher | None) -> Prefetch:
        """Return a context in which the thread decodes the events of the prefetcher in advance."""
        return Prefetch(self, prefetcher)


class Prefetch:
    """A segment whose events the background thread decodes in advance, until there is nothing to do."""

    def __init__(self, background: Background, prefetcher: Prefetcher | None) -> None:
        self._background = background
        self._prefetcher = prefetcher
        self._running: Future[None] | None = None
        self._process = os.getpid()

    def __enter__(self) -> Prefetch:
        return self

    def wake(self) -> None:
        """Start the thread on the next segment and on this one's events, before a kernel needs them."""
        background = self._background
        if background.thread is not None:
            check_process(self._process)
        if background.upcoming is not None:
            background.upcoming.begin()
        if self._prefetcher is not None and background.thread is not None and self._prefetcher.try_start():
            self._running = background.thread.submit(self._prefetcher.run_ahead)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._prefetcher is not None:
            self._prefetcher.stop()
        if self._running is None or os.getpid() != self._process:
            return
        if not self._running.cancel():  # it runs, or ran
            self._running.result()
