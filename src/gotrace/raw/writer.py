"""A plain writer of the wire format, one batch at a time; it writes what it is told, also what no reader accepts.

Only bulk events are checked, since an array says less than a call. Never here: loops over events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gotrace import _encode
from gotrace.experiments import registry
from gotrace.spec.events import EventSpec
from gotrace.spec.limits import MAX_BATCH_SIZE
from gotrace.spec.tables import timed_args

NO_THREAD = -1
_HEAD = 41  # bytes of the longest header: a batch and its header fit into 64 KiB


def uvarint(value: int, width: int = 0) -> bytes:
    """Encode a number, modulo 2**64, padded to ``width`` bytes if that is more than it needs."""
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


def header(version: int) -> bytes:
    """Return the first 16 bytes of a trace of that version, known or not."""
    return (b"go 1.%d trace" % version).ljust(16, b"\0")


def _spec(name: str) -> EventSpec:
    for spec in registry().events:
        if spec.name == name:
            return spec
    raise ValueError(f"no event is called {name}")


def event(name: str, *args: int) -> bytes:
    """Encode one event or record: type byte and arguments, a timed event's ``dt`` first."""
    spec = _spec(name)
    if len(args) != len(spec.args):
        raise ValueError(f"{name} takes {', '.join(spec.args) or 'no arguments'}")
    return bytes([spec.id]) + b"".join(map(uvarint, args))


def string(number: int, text: bytes) -> bytes:
    """Encode one record of a strings batch."""
    return event("String", number) + uvarint(len(text)) + text


def allocfree_info(heap_base: int, page_size: int = 8192, object_align: int = 8, stack_align: int = 2048) -> bytes:
    """Encode the data of an AllocFree info batch."""
    return b"\1" + b"".join(map(uvarint, (heap_base, page_size, object_align, stack_align)))


def allocfree_types(types: Iterable[tuple[int, int, int, int, bytes]], *, layout: str = "release") -> bytes:
    """Encode a table of types: id, descriptor address, size, pointer bytes, name.

    ``layout`` is ``"release"``, or ``"original"`` for the bare records of the change that introduced them.
    """
    if layout not in ("release", "original"):
        raise ValueError(f"layout={layout!r}: release or original")
    records = b"".join(
        b"".join(map(uvarint, (number, address, size, ptr_bytes, len(name)))) + name
        for number, address, size, ptr_bytes, name in types
    )
    return (b"\0" if layout == "release" else b"") + records


class Writer:
    """A trace in the making.

    Parameters
    ----------
    version : int
        Number of the header version, such as 26.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self._out = bytearray(header(version))

    def raw(self, data: bytes) -> Writer:
        """Add bytes as they are."""
        self._out += data
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
        """Add a batch; ``size`` overrides its length, ``padded`` writes it in 10 bytes as the runtime does."""
        content = data if isinstance(data, bytes) else b"".join(data)
        head = b"\x01" if experiment is None else bytes([0x31, experiment])
        length = uvarint(len(content) if size is None else size, 10 if padded else 0)
        return self.raw(head + uvarint(gen) + uvarint(m) + uvarint(time) + length + content)

    def events(self, gen: int, m: int, types: npt.ArrayLike, times: npt.ArrayLike, args: npt.ArrayLike) -> Writer:
        """Add events of one thread in bulk, in batches of at most 64 KiB that cut no event, as the runtime does.

        Parameters
        ----------
        gen, m : int
            Number of the generation, and the thread.
        types : array_like of uint8, shape (n,)
            Wire types of timed events.
        times : array_like of uint64, shape (n,)
            Clock units, never falling. A batch begins at the time of its first event.
        args : array_like of uint64, shape (n, 4)
            Arguments behind dt; those that a type does not have are left out. -1 is 2**64 - 1.

        Raises
        ------
        ValueError
            A type that is no timed event, a time that falls, or shapes that do not fit.
        """
        kinds = np.ascontiguousarray(types, np.uint8)
        units = np.ascontiguousarray(times, np.uint64)
        numbers = np.ascontiguousarray(args, np.uint64)
        if units.shape != kinds.shape or numbers.shape != (*kinds.shape, 4) or kinds.ndim != 1:
            raise ValueError(f"types {kinds.shape}, times {units.shape}, args {numbers.shape}: want (n,), (n,), (n, 4)")
        n_args = timed_args(registry().events)
        if (wrong := n_args[kinds] == 0).any():
            raise ValueError(f"row {np.argmax(wrong)}: type {kinds[np.argmax(wrong)]} is no timed event")
        if (wrong := units[1:] < units[:-1]).any():
            raise ValueError(f"row {np.argmax(wrong) + 1}: its time is before the one of the row before")
        data = np.empty(MAX_BATCH_SIZE - _HEAD, np.uint8)
        at = 0
        while at < len(kinds):
            time = int(units[at])
            n, size = _encode.events(kinds, units, numbers, n_args, at, time, data)
            self.batch(gen, m, time, data[:size].tobytes())
            at += n
        return self

    def frequency(self, gen: int, time: int, frequency: int = 15_625_000) -> Writer:
        """Add what names the clock: a frequency batch, or from 1.25 on a sync batch with a snapshot."""
        record = event("Frequency", frequency)
        if self.version < 25:
            return self.batch(gen, NO_THREAD, time, record)
        snapshot = b"\x33" + b"".join(map(uvarint, (1, 64 * (time + 1), 1_700_000_000, 5)))
        return self.batch(gen, NO_THREAD, time, event("Sync") + record + snapshot)

    def strings(self, gen: int, table: dict[int, bytes]) -> Writer:
        """Add a batch of strings by id."""
        records = b"".join(string(number, text) for number, text in table.items())
        return self.batch(gen, NO_THREAD, 0, event("Strings") + records)

    def stacks(self, gen: int, table: dict[int, Sequence[tuple[int, int, int, int]]]) -> Writer:
        """Add a batch of stacks by id, frames as (pc, function, file, line)."""
        records = b"".join(
            event("Stack", number, len(frames)) + b"".join(uvarint(value) for frame in frames for value in frame)
            for number, frames in table.items()
        )
        return self.batch(gen, NO_THREAD, 0, event("Stacks") + records)

    def samples(self, gen: int, rows: Sequence[tuple[int, int, int, int, int]]) -> Writer:
        """Add a batch of CPU samples as (time, m, p, g, stack)."""
        return self.batch(gen, NO_THREAD, 0, event("CPUSamples") + b"".join(event("CPUSample", *row) for row in rows))

    def end_of_generation(self) -> Writer:
        """Add the mark that closes a generation from 1.26 on; before, nothing."""
        return self.raw(b"\x34") if self.version >= 26 else self

    def getvalue(self) -> bytes:
        """Return the trace."""
        return bytes(self._out)
