"""The header: the first 16 bytes of the input become a version, or an error.

Never here: anything after the header.
"""

from __future__ import annotations

import re

from gotrace.errors import HeaderError, UnsupportedVersionError
from gotrace.spec.versions import V1_VERSIONS, VERSIONS, Version
from gotrace.units import shell_path
from gotrace.wire.remote import is_url
from gotrace.wire.source import Bytes

SIZE = 16
_PATTERN = re.compile(rb"go 1\.([0-9]{1,3}) trace\x00+")


def read_header(data: Bytes, path: str) -> Version:
    """Return the trace version in the first 16 bytes of ``data``.

    Raises
    ------
    HeaderError
        The bytes are not the header of a Go execution trace.
    UnsupportedVersionError
        The header has a version that gotrace does not read.
    """
    head = data[:SIZE].tobytes()
    match = _PATTERN.fullmatch(head) if len(head) == SIZE else None
    if match is None:
        where = {"path": path, "offset": 0, "around": head}
        if b"go 1.22 trace\0\0\0".startswith(head[:5]) and len(head) < SIZE:
            what = "the input is empty" if not head else f"the input ends after {len(head)} bytes of header"
            raise HeaderError(f"not a Go execution trace: {what}", **where)  # type: ignore[arg-type]
        hint = _other_format(head).format("FILE" if path.startswith("<") or is_url(path) else shell_path(path))
        raise HeaderError(hint or 'not a Go execution trace: it does not start with "go 1.NN trace"', **where)  # type: ignore[arg-type]
    number = int(match[1])
    version = VERSIONS.get(number)
    if version is not None and version.magic == head:
        return version
    if number in V1_VERSIONS:
        detail = (
            f"trace format v1 (header go 1.{number}), written by Go 1.21 or earlier, is not supported; "
            "go tool trace of Go 1.23 to 1.27 reads it"
        )
    elif version is not None:
        raise HeaderError("not a Go execution trace: the header is malformed", path=path, offset=0, around=head)
    else:
        known = ", ".join(v.name for v in VERSIONS.values())
        detail = f"unknown trace version go 1.{number}; gotrace reads {known} (a newer gotrace may read it)"
    raise UnsupportedVersionError(detail, path=path, offset=5, around=head)


def _other_format(head: bytes) -> str:
    for magic, hint in (
        (b"BZh", "bzip2 is not read; pipe it: bzcat {} | gotrace ... -"),
        (b"\x04\x22\x4d\x18", "lz4 is not read; pipe it: lz4cat {} | gotrace ... -"),
        (b"go 1.", "not a Go execution trace: the header is malformed"),
    ):
        if head.startswith(magic):
            return hint
    return ""
