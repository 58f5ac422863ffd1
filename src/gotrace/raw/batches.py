"""Batches as they are in a file: :class:`Reader` yields them, ``Batch.encode`` restores their exact bytes.

Never here: the contents of a batch, rules about generations.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from gotrace.errors import Status, from_fault, new_fault
from gotrace.wire import _batch
from gotrace.wire.header import SIZE, read_header
from gotrace.wire.rows import BATCH, BatchKind
from gotrace.wire.slabs import around
from gotrace.wire.source import open_source

LENGTH = 10  # bytes of a batch's length as the runtime pads it
END_MARK = b"\x34"


def uvarint(value: int, width: int = 0) -> bytes:
    """Encode a number modulo 2**64, padded to at least ``width`` bytes."""
    value %= 1 << 64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    while len(out) < width:
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch.

    Attributes
    ----------
    gen, m, time : int
        Generation, thread (-1 for none), base time in clock units.
    data : bytes
        Contents after the header.
    experiment : int or None
        Number of the experiment, 0 to 255; None for Go's own batches.
    widths : tuple of int
        Minimum bytes of generation, thread, time and length in the header; the runtime pads the length.
    """

    gen: int
    m: int
    time: int
    data: bytes
    experiment: int | None = None
    widths: tuple[int, int, int, int] = (1, 1, 1, LENGTH)

    def encode(self, size: int | None = None) -> bytes:
        """Return the batch's bytes; ``size`` overrides the length in its header."""
        fields = (self.gen, self.m, self.time, len(self.data) if size is None else size)
        head = b"\x01" if self.experiment is None else bytes([0x31, self.experiment])
        return head + b"".join(map(uvarint, fields, self.widths)) + self.data


class Reader:
    """Iterate over the batches of a trace once, in bounded memory. A context manager.

    Iteration yields a :class:`Batch` for each batch and None for each mark that ends a generation, in the order of the
    file. Their contents are not checked.

    Parameters
    ----------
    source : path, buffer, binary file object or "-"
        See :func:`gotrace.open`.

    Attributes
    ----------
    version : int
        Number of the header version, such as 26.

    Raises
    ------
    HeaderError, UnsupportedVersionError
        The input is not a trace, or its version is not supported.
    TruncatedError, MalformedError
        In iteration, after all batches before the fault.
    """

    def __init__(self, source: Any) -> None:
        self._source = open_source(source)
        try:
            self._window = self._source.window()
            while len(self._window.data) < SIZE and not self._window.last:
                self._window.more()
            self._version = read_header(self._window.data, self._source.name)
        except BaseException:
            self._source.close()
            raise
        self.version = self._version.number

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[Batch | None]:
        window, version = self._window, self._version
        rows = np.empty(256, BATCH)
        fault = new_fault()
        at = SIZE
        while True:
            n, index = _batch.scan(
                *(window.data, window.base, at - window.base, sys.maxsize, window.last, version.sync_batches),
                *(version.end_marks, rows, 0, fault),
            )
            for row in rows[:n]:
                first = int(row["offset"]) - window.base
                end = first + int(row["head"]) + int(row["size"])
                yield _batch_of(row, window.data[first:end].tobytes())
            at = window.base + index
            status = Status(int(fault[0]["status"]))
            if status == Status.OK:
                return
            if status < 0:
                near = around(window.data, window.base, int(fault[0]["offset"]))
                raise from_fault(fault[0], path=self._source.name, **near)
            window.release(at)
            if status == Status.MORE:
                window.more()


def _batch_of(row: np.void, content: bytes) -> Batch | None:
    head = int(row["head"])
    if row["kind"] == BatchKind.END and head == 1:
        return None
    experimental = content[0] == 0x31
    first = 1 + experimental
    ends = [i + 1 for i in range(first, head) if content[i] < 0x80]
    widths = tuple(end - start for start, end in zip([first, *ends], ends, strict=False))
    return Batch(
        *(int(row["generation"]), int(row["m"]), int(row["time"]), content[head:]),
        content[1] if experimental else None,
        widths,  # type: ignore[arg-type]
    )
