"""Header versions and the changes that they bring (FORMAT 1). Never here: behaviour."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """One header version.

    ``number`` is the minor version in the header; ``writers`` names the Go releases that write it. With
    ``sync_batches`` (1.25 and later), frequency and clock snapshot are in a batch of their own; with ``end_marks``
    (1.26 and later), a mark ends each generation.
    """

    number: int
    writers: str
    sync_batches: bool
    end_marks: bool

    @property
    def name(self) -> str:
        """The version as text, such as ``"1.26"``."""
        return f"1.{self.number}"

    @property
    def magic(self) -> bytes:
        """The 16 bytes at the start of the file."""
        return f"go {self.name} trace\0\0\0".encode()


VERSIONS: dict[int, Version] = {
    v.number: v
    for v in (
        Version(22, "Go 1.22", sync_batches=False, end_marks=False),
        Version(23, "Go 1.23 or 1.24", sync_batches=False, end_marks=False),
        Version(25, "Go 1.25", sync_batches=True, end_marks=False),
        Version(26, "Go 1.26 or 1.27", sync_batches=True, end_marks=True),
    )
}

V1_VERSIONS: tuple[int, ...] = (5, 7, 8, 9, 10, 11, 19, 21)
"""Headers of trace format v1, which is entirely different."""
