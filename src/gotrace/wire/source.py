"""Inputs: a path (mapped), a URL, a buffer or a binary stream becomes a window of bytes with absolute offsets.

Compressed inputs are read as streams, whose offsets are those of the decompressed bytes. Never here: parsing.
"""

from __future__ import annotations

import io
import mmap
import os
import sys
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from gotrace.errors import ChangedError, ReadError, TraceError
from gotrace.wire.compression import HEAD, Decompressed, format_of
from gotrace.wire.remote import is_url, open_url, public_name

Bytes: TypeAlias = "npt.NDArray[np.uint8]"

BLOCK = 1 << 20  # bytes read from a stream at a time
_LEAST = 16  # bytes of a window at the start: a trace's header
_COMPARED = 256  # bytes at the start that are the same in each pass
_UNUSED = 2  # references to a block that no array views: the attribute's and the argument's
ROOM = 1 << 26  # bytes of a stream's window: pages take memory only once filled, and free() returns them


class Readable(Protocol):
    """A binary file, as far as it is used here."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""

    def close(self) -> None:
        """Close the file."""


class Window(Protocol):
    """The bytes of the input that are in memory.

    ``data`` starts at absolute offset ``base``; ``last`` is True if it reaches the end of the input. ``failure`` is the
    exception to raise there, and its detail, if the input could not be read or decompressed to its end.
    """

    data: Bytes
    base: int
    last: bool

    @property
    def failure(self) -> tuple[type[TraceError], str] | None:
        """The exception to raise at the end of the data, and its detail."""

    def more(self) -> None:
        """Extend ``data`` at its end; at the end of the input, set ``last``."""

    def shrank(self) -> bool:
        """True if bytes of the input are no longer there."""

    def release(self, offset: int, in_use: int | None = None) -> None:
        """Release all bytes before the absolute ``offset``; ``base`` may change.

        Arrays are still read that view bytes from ``in_use`` on, by default from ``offset`` on.
        """


class Source:
    """One input, to be closed by the caller.

    ``name`` is used in messages. ``once`` is True if the input can be read only once; ``waits`` is True if a read may
    wait for another program; ``moves`` is True if a read moves a position, which a forked process shares. ``head`` has
    the first bytes of an input that is opened in each pass, once it was opened.
    """

    def __init__(
        self, name: str, window: Window, *, once: bool, waits: bool = False, file: Readable | None = None
    ) -> None:
        self.name = name
        self.once = once
        self.waits = waits
        self.moves = once
        self.head = b""
        self._window = window
        self._file = file
        self._used = False

    def window(self) -> Window:
        """Return a window at the start of the input, of at least 16 bytes if it has them.

        Raises
        ------
        ValueError
            If the input is a stream that has already been read.
        ChangedError
            If the input does not begin as it did before.
        """
        if self._used and self.once:
            raise ValueError(
                f"{self.name} is a stream and has already been read: "
                "save it to a file, or request all tables in one call of iterate()"
            )
        self._used = True
        return self._begin()

    def _begin(self, least: int = _LEAST) -> Window:
        try:
            while len(self._window.data) < least and not self._window.last:
                self._window.more()
        except ImportError as error:
            raise ImportError(f"{self.name}: {error}") from None
        return self._window

    def check_head(self, head: bytes) -> None:
        """Raise ChangedError if the input does not begin with the ``head`` that it had when it was opened before."""
        if not self.head.startswith(head) and not head.startswith(self.head):
            detail = "the input begins differently each time it is read: save it to a file first"
            raise ChangedError(detail, path=self.name, offset=0)

    def shrank(self) -> bool:
        """True if the input is a mapped file that is shorter now than it was when it was opened."""
        return self._window.shrank()

    def failure(self) -> TraceError | None:
        """Return the exception for an input that could not be read to its end, once all before was read."""
        window = self._window
        if window.failure is None or not window.last:
            return None
        kind, detail = window.failure
        return kind(detail, path=self.name, offset=window.base + len(window.data))

    def rewind(self) -> None:
        """Let the next pass start from the beginning; valid while nothing has been released."""
        self._used = False

    def again(self) -> Source:
        """Return the same input, to be read and closed on its own; only if it can be read more than once."""
        return Source(self.name, self._window, once=False)

    def close(self) -> None:
        """Close the file if it was opened here. Arrays that view a mapping keep it alive."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Whole:
    """A window on a whole buffer; released pages of a mapping are given back to the system."""

    failure = None

    def __init__(self, data: Bytes, mapping: mmap.mmap | None = None) -> None:
        self.data = data
        self.base = 0
        self.last = True
        self._mapping = mapping

    def more(self) -> None:
        raise AssertionError("the window already holds the whole input")

    def shrank(self) -> bool:
        return self._mapping is not None and self._mapping.size() < len(self.data)

    def release(self, offset: int, in_use: int | None = None) -> None:
        if self._mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            size = (offset if in_use is None else in_use) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            if size:
                self._mapping.madvise(mmap.MADV_DONTNEED, 0, size)


class _Stream:
    """A window on a stream: a block that grows, and drops released bytes."""

    def __init__(self, file: Readable) -> None:
        self._file: Readable | Decompressed = file
        self._detected = False
        self._failure: tuple[type[TraceError], str] | None = None
        self._block: Bytes = np.empty(ROOM, np.uint8)
        self.data: Bytes = self._block[:0]
        self.base = 0
        self.last = False

    def more(self) -> None:
        held = len(self.data)
        if held == len(self._block):
            block = np.empty(2 * held, np.uint8)
            block[:held] = self.data
            self._block = block
        chunk = self._read(min(len(self._block) - held, BLOCK))
        self._block[held : held + len(chunk)] = np.frombuffer(chunk, np.uint8)
        self.data = self._block[: held + len(chunk)]
        self.last = not chunk
        if not self._detected and (len(self.data) >= HEAD or self.last):
            self._detected = True
            form = format_of(self.data[:HEAD].tobytes())
            if form is not None:
                self._file = Decompressed(self._file, form, self.data.tobytes())
                self.data, self.last = self._block[:0], False
                self.more()

    def _read(self, size: int) -> bytes:
        try:
            chunk = self._file.read(size)
        except OSError as error:
            if not self.base and not len(self.data):
                raise
            self._failure = ReadError, f"the input cannot be read further: {error.strerror or error}"
            return b""
        if chunk is None:
            raise BlockingIOError("the stream is not ready: gotrace reads blocking streams only")
        return chunk

    @property
    def failure(self) -> tuple[type[TraceError], str] | None:
        return self._failure or (self._file.failure if isinstance(self._file, Decompressed) else None)

    def shrank(self) -> bool:
        return False

    def release(self, offset: int, in_use: int | None = None) -> None:
        rest = self.data[offset - self.base :].copy()
        self.data = rest
        if not len(self._block) == ROOM >= 2 * len(rest) or sys.getrefcount(self._block) > _UNUSED:
            self._block = np.empty(max(ROOM, 2 * len(rest)), np.uint8)
        self._block[: len(rest)] = rest
        self.data = self._block[: len(rest)]
        self.base = offset


class _Unbuffered:
    """A pipe without its buffer: a thread that waits in a buffer's ``read`` keeps others from closing it."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._buffered = True

    def read(self, size: int) -> bytes | None:
        """Return what the buffer holds, then up to ``size`` bytes of the pipe."""
        if not self._buffered:
            return self._file.raw.read(size)
        self._buffered = False
        first = self._file.read(1)
        return first and first + self._file.read(len(self._file.peek()))


def _stream(name: str, file: Any) -> Source:
    if isinstance(file, io.BufferedReader) and not file.seekable():
        file = _Unbuffered(file)
    return Source(name, _Stream(file), once=True, waits=True)


class _FromStart:
    """A seekable file of the caller, read from a position of its own: passes may read it in turns."""

    def __init__(self, file: BinaryIO, at: int, lock: Lock, process: int) -> None:
        self._file = file
        self._at = at
        self._lock = lock
        self._process = process

    def read(self, size: int = -1, /) -> bytes:
        if os.getpid() != self._process:
            raise ValueError("the file was opened by another process: open it again after the fork")
        with self._lock:
            self._file.seek(self._at)
            data = self._file.read(size)
        self._at += len(data or b"")
        return data

    def close(self) -> None:
        """Leave the file open: it is the caller's."""


class _Reopened(Source):
    """An input that each pass opens and reads like a stream."""

    def __init__(
        self,
        name: str,
        open_file: Callable[[], Readable],
        *,
        waits: bool = False,
        head: bytes = b"",
    ) -> None:
        super().__init__(name, _Stream(io.BytesIO()), once=False, waits=waits)
        self.moves = True
        self._open = open_file
        self.head = head
        self._process = os.getpid()  # a forked one shares the position of the file

    def window(self) -> Window:
        if self._file is None or self._used or self._process != os.getpid():
            self.close()
            self._process = os.getpid()
            self._file = self._open()
            self._window = _Stream(self._file)
        self._used = True
        window = self._begin(_COMPARED)
        head = window.data[:_COMPARED].tobytes()
        self.check_head(head)
        self.head = max(head, self.head, key=len)
        return window

    def again(self) -> Source:
        return _Reopened(self.name, self._open, waits=self.waits, head=self.head)


def open_source(source: Any, *, mapped: bool = True, storage_options: Mapping[str, Any] | None = None) -> Source:
    """Open a path, a URL, a buffer, a binary file object, or ``"-"`` for standard input; each may be gzip, zstd or xz.

    A path, with ``~`` for the home folder, is mapped into memory. It is read like a stream, in each pass again, if it
    is compressed or ``mapped`` is False; so is a URL, for which fsspec takes ``storage_options``, and a file object
    that can seek, from its current position.

    Raises
    ------
    ImportError
        If the library for the format or for the URL is missing.
    TypeError
        If ``source`` is none of these, or a file in text mode.
    OSError
        If the path or URL cannot be opened.
    """
    if isinstance(source, str) and source == "-":
        return _stream("<stdin>", sys.stdin.buffer)
    if is_url(source):
        return _Reopened(public_name(source), lambda: open_url(source, storage_options), waits=True)
    if isinstance(source, str | os.PathLike):
        return _open_path(os.path.expanduser(os.fspath(source)), mapped)  # noqa: PTH111 - keeps "./" of the name
    if hasattr(source, "read"):
        return _open_file(source)
    try:
        data = np.frombuffer(source, np.uint8)
    except TypeError:
        raise TypeError(
            f"cannot read a trace from {type(source).__name__}: pass a path, a URL, a buffer or a binary file object"
        ) from None
    if format_of(data[:HEAD].tobytes()):
        return _Reopened("<buffer>", lambda: io.BytesIO(data.data))
    return Source("<buffer>", _Whole(data), once=False)


def is_stream(name: str) -> bool:
    """True if an input of this name can be read only once: standard input or a pipe."""
    path = os.path.expanduser(name)  # noqa: PTH111
    return name == "-" or (os.path.exists(path) and not os.path.isfile(path))  # noqa: PTH110, PTH113


def may_wait(name: str) -> bool:
    """True if reading an input of this name may wait for another program."""
    return is_url(name) or is_stream(name)


def _open_file(file: Any) -> Source:
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else "<stream>"
    if isinstance(file, io.TextIOBase):
        raise TypeError(f"{name} is open in text mode: open it with mode 'rb'")
    if hasattr(file, "seekable") and file.seekable():
        shared = file.tell(), Lock(), os.getpid()  # by the passes
        return _Reopened(name, lambda: _FromStart(file, *shared))
    return _stream(name, file)


def _open_path(path: str, mapped: bool) -> Source:
    with open(path, "rb") as file:  # noqa: PTH123 - a descriptor to map, closed at once
        if not os.path.isfile(path):  # noqa: PTH113 - a pipe has no size to map
            fifo: Any = os.fdopen(os.dup(file.fileno()), "rb", buffering=0)
            return Source(path, _Stream(fifo), once=True, waits=True, file=fifo)
        if os.fstat(file.fileno()).st_size == 0:
            return Source(path, _Whole(np.empty(0, np.uint8)), once=False)
        if not mapped or format_of(file.read(HEAD)):
            return _Reopened(path, lambda: open(path, "rb"))  # noqa: PTH123 - closed with the source
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return Source(path, _Whole(np.frombuffer(mapping, np.uint8), mapping), once=False)
