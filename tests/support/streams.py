"""A binary stream that cannot seek, such as a pipe. Never here: assertions."""

from __future__ import annotations

import io


class Stream(io.RawIOBase):
    """The bytes of a buffer, at most ``most`` of them at a time."""

    def __init__(self, data: bytes, most: int = -1) -> None:
        self._file = io.BytesIO(data)
        self._most = most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size if self._most < 0 else min(size, self._most))
