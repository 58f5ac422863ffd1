"""Remote inputs: a URL becomes a file system of fsspec, or a binary stream. Never here: what the bytes mean."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

_HTTP = ("http", "https")
_READ_AHEAD = 1 << 24  # bytes of a block, where a file is read in requests for blocks
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")


def is_url(source: object) -> bool:
    """True if a source is a URL instead of a path."""
    return isinstance(source, str) and "://" in source


def _is_http(url: str) -> bool:
    return url.partition("://")[0] in _HTTP


def public_name(text: str) -> str:
    """Return a URL, or a text with URLs, without users and passwords."""
    return _CREDENTIALS.sub("", text)


def file_system(url: str, storage_options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """Return the file system of fsspec for a URL, and the path in it.

    Raises
    ------
    ImportError
        fsspec, or the library for the protocol, is missing; the message names the package.
    OSError
        No library is known for the protocol.
    """
    options = dict(storage_options or {})
    try:
        import fsspec

        if not _is_http(url):
            with as_os_errors(url):
                fs, path = fsspec.url_to_fs(url, **options)
            return fs, path
        from aiohttp import ClientTimeout
    except ImportError as error:
        needs = f"{error.name} is missing: python -m pip install 'gotrace[remote]'"
        missing = _is_http(url) or (error.name or "").partition(".")[0] == "fsspec"
        raise ImportError(f"{public_name(url)}: {needs if missing else error}") from None
    # A trace may take longer than the total time of a request that aiohttp allows.
    client = {"timeout": ClientTimeout(total=None, sock_connect=30), **options.pop("client_kwargs", {})}
    with as_os_errors(url):
        return fsspec.filesystem(url.partition("://")[0], client_kwargs=client, **options), url


def open_url(url: str, storage_options: Mapping[str, Any] | None = None) -> BinaryIO:
    """Open a URL as a binary stream; each call starts at the first byte.

    Raises
    ------
    ImportError
        fsspec, or the library for the protocol, is missing.
    OSError
        The URL cannot be opened. Reading the stream raises no other exception, either.
    """
    fs, path = file_system(url, storage_options)
    with as_os_errors(url):
        if _is_http(url):  # one request: a size, which a stream ignores, saves those that ask for it
            file = fs.open(path, "rb", block_size=0, size=1)
        else:
            file = fs.open(path, "rb", block_size=_READ_AHEAD)
    if isinstance(file, io.BytesIO):  # the file system in memory has one file object for all its readers
        file = io.BytesIO(file.getvalue())
    return _RemoteFile(url, fs, file)  # type: ignore[return-value]


class _RemoteFile:
    """A binary stream that raises no exceptions but OSError."""

    def __init__(self, url: str, fs: Any, file: Any) -> None:
        self._url = url
        self._fs = fs  # an archive is closed with its file system
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        with as_os_errors(self._url):
            data: bytes = self._file.read(size)
        return data

    def close(self) -> None:
        """Close the stream."""
        with as_os_errors(self._url):
            self._file.close()


@contextmanager
def as_os_errors(url: str) -> Iterator[None]:
    """Turn what a protocol's library raises into an OSError with one line and without passwords.

    An ImportError stays one: its message names the library that is missing.
    """
    try:
        yield
    except ImportError:
        raise
    except Exception as error:  # each library has its own
        raise _os_error(error, public_name(url)) from None


def _os_error(error: Exception, name: str) -> OSError:
    status = 404 if isinstance(error, FileNotFoundError) and _is_http(name) else getattr(error, "status", None)
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, FileNotFoundError):
        number = errno.ENOENT
    known = max(number or 0, 0)
    said = getattr(error, "strerror", None)
    if status is not None:
        text = f"HTTP status {status}: {getattr(error, 'message', 'Not Found')}"
    elif known and (not said or said.startswith("Connect call failed")):
        text = os.strerror(known)
    else:
        text = str(said or error or type(error).__name__)
    return OSError(known or errno.EIO, public_name(" ".join(text.split())), name)
