"""Names of traces: a file name, a folder, a glob or a URL becomes the names of the traces it stands for.

Never here: reading of traces.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from gotrace.wire.compression import HEAD, Decompressed, format_of
from gotrace.wire.remote import as_os_errors, file_system, is_url

_MAGIC = b"go 1."
_FIRST = 1 << 14  # bytes of a remote file from which a trace is recognized
_AT_ONCE = 256  # remote files that are looked at together


class Found(NamedTuple):
    """What a source stands for.

    Attributes
    ----------
    source : str
        A file name, a folder, a glob or a URL.
    traces : list of str
        Names of traces, sorted. A name that is neither a folder nor a glob is its own trace, whether it exists or not.
        So is a local folder that cannot be listed: opening it gives the reason.
    others : list of str
        Files in folders that do not begin like a trace.
    """

    source: str
    traces: list[str]
    others: list[str]


def find(source: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Found:
    """Find the traces of a source.

    Raises
    ------
    ImportError
        fsspec, or the library for the protocol, is missing.
    OSError
        A URL cannot be listed.
    """
    name = os.fspath(source)
    if not isinstance(name, str):
        raise TypeError(f"a trace is named by a str or a path, not by {type(name).__name__}")
    return _find_remote(name, storage_options) if is_url(name) else _find_local(name)


def _find_local(name: str) -> Found:
    path = os.path.expanduser(name)  # noqa: PTH111 - names stay as they are written
    wild = _is_glob(path) and not os.path.lexists(path)
    matches = glob.glob(path, recursive=True) if wild else [path]  # noqa: PTH207
    traces = {match for match in matches if not os.path.isdir(match)}  # noqa: PTH112
    others: set[str] = set()
    for folder in matches:
        for file in _files(folder, unlisted=traces):
            (traces if _is_local_trace(file) else others).add(file)
    return Found(name, sorted(traces), sorted(others - traces))


def _is_glob(path: str) -> bool:
    return any(char in path for char in "*?[")


def _files(folder: str, unlisted: set[str]) -> Iterator[str]:
    """Yield the regular files below a folder, none for a file; add folders that cannot be listed to ``unlisted``."""
    if os.path.isdir(folder):  # noqa: PTH112
        for place, _, names in os.walk(folder, onerror=lambda error: unlisted.add(error.filename or folder)):
            paths = (os.path.join(place, name) for name in names)  # noqa: PTH118
            yield from (path for path in paths if os.path.isfile(path))  # noqa: PTH113


def _is_local_trace(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return _begins_like_a_trace(file)
    except OSError:  # that it cannot be read is reported when it is to be read
        return True


def _begins_like_a_trace(file: BinaryIO) -> bool:
    """True for a trace, a compressed one, and compressed data that cannot be decompressed."""
    head = file.read(HEAD)
    form = format_of(head)
    if form is not None:
        try:
            inside = Decompressed(file, form, head)
        except ImportError:
            return True
        head = b""
        while len(head) < len(_MAGIC) and (data := inside.read(len(_MAGIC))):
            head += data
        if inside.failure is not None and len(head) < len(_MAGIC):
            return True
    return head.startswith(_MAGIC)


def _find_remote(url: str, storage_options: Mapping[str, Any] | None) -> Found:
    """Find the traces of a URL. With http, a folder ends with a slash, and only ``*`` is a wildcard."""
    first, chain, rest = url.partition("::")  # of a chain, such as zip://*.trace::s3://bucket/traces.zip
    web = first.startswith(("http://", "https://"))
    place = first.partition("://")[2]
    wild = "*" in place.partition("?")[0] if web else _is_glob(place)
    last = place.rpartition("/")[2]
    if not wild and last and (web or "." in last):
        return Found(url, [url], [])
    fs, path = file_system(url, storage_options)
    with as_os_errors(url):
        if wild:
            matches = fs.glob(path, detail=True)
            files = {name for name, info in matches.items() if info["type"] != "directory"}
            folders = [name for name in matches if name not in files]
        elif fs.isdir(path):
            files, folders = set(), [path]
        else:
            return Found(url, [url], [])
        below = sorted({name for folder in folders for name in fs.find(folder)} - files)
        traces = files.union(name for name, head in _heads(fs, below) if _begins_like_a_trace(io.BytesIO(head)))
    start = first.rstrip("/")
    prefix = start.removesuffix(path.rstrip("/")) if start.endswith(path.rstrip("/")) else None

    def named(names: Iterable[str]) -> list[str]:
        urls = (f"{prefix}{name}" if prefix is not None else fs.unstrip_protocol(name) for name in names)
        return sorted(f"{name}{chain}{rest}" for name in urls)

    return Found(url, named(traces), named(set(below) - traces))


def _heads(fs: Any, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the first bytes of each remote file; a trace's first bytes for one that cannot be read."""
    for at in range(0, len(names), _AT_ONCE):
        some = names[at : at + _AT_ONCE]
        heads = fs.cat_ranges(some, [0] * len(some), [_FIRST] * len(some), on_error="return")
        yield from (
            (name, _MAGIC if isinstance(head, Exception) else head) for name, head in zip(some, heads, strict=True)
        )
