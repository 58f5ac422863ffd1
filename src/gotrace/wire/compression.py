"""Compressed inputs: the bytes of a gzip, zstd or xz file become those that they hold. Never here: traces."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from gotrace.errors import MalformedError, TraceError, TruncatedError

HEAD = 6
"""Number of bytes from which the format of an input can be determined."""

_BLOCK = 1 << 14  # compressed bytes at a time: what a damaged block holds is lost as a whole


class Member(Protocol):
    """A decompressor of one gzip member, zstd frame or xz stream, with the interface of lzma's."""

    @property
    def eof(self) -> bool:
        """True if the end of the member was reached."""

    @property
    def needs_input(self) -> bool:
        """True if all input was used."""

    @property
    def unused_data(self) -> bytes:
        """Bytes after the end of the member."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Return up to ``max_length`` bytes."""


class Format(NamedTuple):
    """A compressed format.

    Attributes
    ----------
    name : str
    magics : tuple of bytes
        First bytes of a member, one of these.
    member : callable
        Returns a decompressor.
    """

    name: str
    magics: tuple[bytes, ...]
    member: Callable[[], Member]


class _GzipMember:
    """zlib's decompressor with the interface of lzma's."""

    def __init__(self, zlib: Any) -> None:
        self._member = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return bool(self._member.eof)

    @property
    def needs_input(self) -> bool:
        return not self._member.unconsumed_tail and not self.eof

    @property
    def unused_data(self) -> bytes:
        return bytes(self._member.unused_data)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return bytes(self._member.decompress(self._member.unconsumed_tail + data, max(max_length, 0)))


def _gzip() -> Member:
    try:
        return _GzipMember(import_module("isal.isal_zlib"))
    except ImportError:
        return _GzipMember(import_module("zlib"))


def _zstd() -> Member:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            member: Member = import_module(name).ZstdDecompressor()
        except ImportError:
            continue
        return member
    raise ImportError("zstd input needs backports.zstd: python -m pip install 'gotrace[zstd]'")


def _xz() -> Member:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ)


_SKIPPABLE = tuple(bytes((0x50 + i, 0x2A, 0x4D, 0x18)) for i in range(16))  # frames of zstd that hold no data

_FORMATS = (
    Format("gzip", (b"\x1f\x8b\x08",), _gzip),
    Format("zstd", (b"\x28\xb5\x2f\xfd", *_SKIPPABLE), _zstd),
    Format("xz", (b"\xfd7zXZ\0",), _xz),
)


def format_of(head: bytes) -> Format | None:
    """Return the compressed format that an input starts with, if any."""
    return next((form for form in _FORMATS if head.startswith(form.magics)), None)


def is_compressed(path: str) -> bool:
    """True if a file starts like one of the compressed formats."""
    with open(path, "rb") as file:  # noqa: PTH123 - importing pathlib takes time
        return format_of(file.read(HEAD)) is not None


class Decompressed:
    """A file object of the bytes in a compressed one, which may have several members.

    Attributes
    ----------
    failure : tuple of type and str, or None
        Why the bytes end before those of the file: the exception to raise after them, and its detail.
    """

    def __init__(self, file: Any, form: Format, head: bytes) -> None:
        self._file = file
        self._form = form
        self._data = head  # compressed bytes that no member has taken
        self._member: Member | None = form.member()
        self.failure: tuple[type[TraceError], str] | None = None

    def read(self, size: int) -> bytes | None:
        """Return up to ``size`` bytes, none at the end; None if the file has none yet."""
        while self.failure is None:
            ended = False
            if not self._data and (self._member is None or self._member.needs_input):
                block = self._file.read(_BLOCK)
                if block is None:
                    return None
                self._data, ended = block, not block
            if self._member is None and not self._next_member():
                if ended:
                    break
                continue
            assert self._member is not None
            data, self._data = self._data[:_BLOCK], self._data[_BLOCK:]
            try:
                out = self._member.decompress(data, size)
            except Exception as error:  # each library has its own
                self.failure = MalformedError, f"the {self._form.name} data are damaged: {error}"
                break
            if self._member.eof:
                self._data, self._member = self._member.unused_data + self._data, None
            if out:
                return out
            if ended and self._member is not None:
                self.failure = TruncatedError, f"the {self._form.name} data end before their end mark"
        return b""

    def _next_member(self) -> bool:
        """Start the next member; False if it has not begun yet, or other bytes follow."""
        self._data = self._data.lstrip(b"\0")  # padding
        if not self._data:
            return False
        if not any(self._data.startswith(magic[: len(self._data)]) for magic in self._form.magics):
            self.failure = MalformedError, f"other bytes follow the {self._form.name} data"
            return False
        self._member = self._form.member()
        return True
