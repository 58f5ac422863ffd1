"""Write the wire format batch by batch: records and arrays of events come in, bytes of a trace go out.

Only arrays of events are checked; other input is written as given, even if no reader accepts it.
Never here: loops over events.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from gotrace.experiments import registry
from gotrace.raw import _encode
from gotrace.raw.batches import END_MARK, LENGTH, Batch, uvarint
from gotrace.spec.events import ALLOC_FREE, EventSpec
from gotrace.spec.lookup import timed_args
from gotrace.spec.sizeclasses import PAGE_BYTES

NO_THREAD = -1
_BUFFER = 65504  # bytes of the runtime's buffers, the batch's header included


def header(version: int) -> bytes:
    """Return the first 16 bytes of a trace of a version, supported or not."""
    return (b"go 1.%d trace" % version).ljust(16, b"\0")


def _spec(name: str) -> EventSpec:
    for spec in registry().events:
        if spec.name == name:
            return spec
    raise ValueError(f"unknown event {name}")


def event(name: str, *args: int) -> bytes:
    """Encode one event or record: type byte and arguments, a timed event's ``dt`` first."""
    spec = _spec(name)
    if len(args) != len(spec.args):
        raise ValueError(f"{name} takes {', '.join(spec.args) or 'no arguments'}")
    return bytes([spec.id]) + b"".join(map(uvarint, args))


def string(number: int, text: bytes) -> bytes:
    """Encode one record of a strings batch."""
    return event("String", number) + uvarint(len(text)) + text


def allocfree_info(
    heap_base: int, page_size: int = PAGE_BYTES, object_align: int = 8, stack_align: int = 2048
) -> bytes:
    """Encode the data of an AllocFree info batch."""
    return b"\1" + b"".join(map(uvarint, (heap_base, page_size, object_align, stack_align)))


def allocfree_types(types: Iterable[tuple[int, int, int, int, bytes]], *, layout: str = "release") -> bytes:
    """Encode a table of types: id, descriptor address, size, pointer bytes, name.

    ``layout`` is ``"release"``, or ``"original"`` for the bare records of the Go change that introduced them.
    """
    if layout not in ("release", "original"):
        raise ValueError(f"layout={layout!r}: expected release or original")
    return (b"\0" if layout == "release" else b"") + b"".join(map(_type, types))


def _type(row: tuple[int, int, int, int, bytes]) -> bytes:
    *numbers, name = row
    return b"".join(map(uvarint, (*numbers, len(name)))) + name


class Writer:
    """Writer of a trace.

    Parameters
    ----------
    version : int
        Number of the header version, such as 26.
    out : binary file object, optional
        Output of the trace. Default is memory, see :meth:`getvalue`.
    """

    def __init__(self, version: int, out: BinaryIO | None = None) -> None:
        self.version = version
        self._out = io.BytesIO() if out is None else out
        self._room = np.empty(_BUFFER, np.uint8)
        self.raw(header(version))

    def raw(self, data: bytes) -> Writer:
        """Add bytes unchanged."""
        self._out.write(data)
        return self

    def batch(
        self,
        gen: int,
        m: int,
        time: int,
        data: bytes | Sequence[bytes],
        *,
        experiment: int | None = None,
        size: int | None = None,
        padded: bool = True,
    ) -> Writer:
        """Add a batch; ``size`` overrides its length, ``padded`` writes the length in 10 bytes as the runtime does."""
        content = data if isinstance(data, bytes) else b"".join(data)
        widths = (1, 1, 1, LENGTH if padded else 1)
        return self.raw(Batch(gen, m, time, content, experiment, widths).encode(size))

    def copy(self, batch: Batch | None) -> Writer:
        """Add the exact bytes of a batch, or of an end mark, that a :class:`Reader` yielded."""
        return self.raw(END_MARK if batch is None else batch.encode())

    def events(
        self, gen: int, m: int, types: npt.ArrayLike, times: npt.ArrayLike, args: npt.ArrayLike | None = None
    ) -> Writer:
        """Add events of one thread in bulk, split into batches as by the runtime.

        A batch ends where a buffer of 65504 bytes, header included, might be too short for the next event with numbers
        of maximum length. Each call starts a batch.

        Parameters
        ----------
        gen, m : int
            Number of the generation; the thread, -1 for none.
        types : array_like of uint8, shape (n,)
            Wire types of timed events.
        times : array_like of uint64, shape (n,)
            Times in clock units, nondecreasing. A batch starts at the time of its first event.
        args : array_like of uint64, shape (n, k), optional
            Arguments after dt; -1 is 2**64 - 1. Columns beyond the arguments of a row's type are ignored. Default is
            no columns.

        Raises
        ------
        ValueError
            A type is not timed or has more than k arguments, a time decreases, or the shapes differ. Nothing is
            written in this case.
        TypeError
            An array does not have integers.
        """
        kinds, units = _integers(types, np.uint8), _integers(times, np.uint64)
        numbers = np.empty((*kinds.shape, 0), np.uint64) if args is None else _integers(args, np.uint64)
        if units.shape != kinds.shape or numbers.shape[:1] != kinds.shape or kinds.ndim != 1 or numbers.ndim != 2:
            raise ValueError(
                f"shapes of types {kinds.shape}, times {units.shape}, args {numbers.shape}: expected (n,), (n,), (n, k)"
            )
        n_args = timed_args(registry().events)
        if (row := _encode.wrong(kinds, units, n_args, numbers.shape[1])) >= 0:
            kind = int(kinds[row])
            if n_args[kind] == 0:
                raise ValueError(f"row {row}: type {kind} is not a timed event")
            if n_args[kind] - 1 > numbers.shape[1]:
                raise ValueError(
                    f"row {row}: type {kind} has {n_args[kind] - 1} arguments, but args has shape {numbers.shape}"
                )
            raise ValueError(f"row {row}: the time is before that of the previous row")
        at = 0
        while at < len(kinds):
            time = int(units[at])
            empty = Batch(gen, m, time, b"")
            data = self._room[len(empty.encode()) :]
            n, size = _encode.events(kinds, units, numbers, n_args, at, time, data)
            self.raw(empty.encode(size))
            self._out.write(data[:size].data)
            at += n
        return self

    def records(self, gen: int, head: bytes, records: Iterable[bytes], *, experiment: int | None = None) -> Writer:
        """Add as many batches of no thread as records need; each batch starts with ``head`` and has whole records.

        A record larger than the runtime's buffer has a batch of its own. Without records, there is one batch of
        ``head``.
        """
        room = _BUFFER - len(Batch(gen, NO_THREAD, 0, b"", experiment).encode())
        data = bytearray(head)
        for record in records:
            if len(data) + len(record) > room and len(data) > len(head):
                self.batch(gen, NO_THREAD, 0, bytes(data), experiment=experiment)
                data = bytearray(head)
            data += record
        return self.batch(gen, NO_THREAD, 0, bytes(data), experiment=experiment)

    def frequency(self, gen: int, time: int, frequency: int = 15_625_000) -> Writer:
        """Add the clock's frequency: a frequency batch, or from 1.25 on a sync batch with a clock snapshot."""
        record = event("Frequency", frequency)
        if self.version < 25:
            return self.batch(gen, NO_THREAD, time, record)
        snapshot = b"\x33" + b"".join(map(uvarint, (1, 64 * (time + 1), 1_700_000_000, 5)))
        return self.batch(gen, NO_THREAD, time, event("Sync") + record + snapshot)

    def strings(self, gen: int, table: Mapping[int, bytes]) -> Writer:
        """Add strings by id."""
        return self.records(gen, event("Strings"), (string(number, text) for number, text in table.items()))

    def stacks(self, gen: int, table: Mapping[int, Sequence[tuple[int, int, int, int]]]) -> Writer:
        """Add stacks by id, frames as (pc, function, file, line)."""
        records = (
            event("Stack", number, len(frames)) + b"".join(uvarint(value) for frame in frames for value in frame)
            for number, frames in table.items()
        )
        return self.records(gen, event("Stacks"), records)

    def samples(self, gen: int, rows: Iterable[tuple[int, int, int, int, int]]) -> Writer:
        """Add CPU samples as (time, m, p, g, stack)."""
        return self.records(gen, event("CPUSamples"), (event("CPUSample", *row) for row in rows))

    def types(self, gen: int, rows: Iterable[tuple[int, int, int, int, bytes]]) -> Writer:
        """Add AllocFree's table of types, with rows as for :func:`allocfree_types`."""
        return self.records(gen, allocfree_types(()), map(_type, rows), experiment=ALLOC_FREE)

    def end_of_generation(self) -> Writer:
        """Add the mark that ends a generation from 1.26 on; before 1.26, add nothing."""
        return self.raw(END_MARK) if self.version >= 26 else self

    def getvalue(self) -> bytes:
        """Return the trace.

        Raises
        ------
        ValueError
            The trace was written to a file.
        """
        if not isinstance(self._out, io.BytesIO):
            raise ValueError("the trace was written to a file")
        return self._out.getvalue()


def _integers(values: npt.ArrayLike, dtype: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"expected integers, found {array.dtype}")
    if dtype is np.uint8 and array.dtype != dtype and array.size and not 0 <= array.min() <= array.max() <= 255:
        raise ValueError("types must be 0 to 255")
    return np.ascontiguousarray(array, dtype)
