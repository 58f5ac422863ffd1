"""A plain writer of the wire format, one batch at a time; it writes what it is told, also what no reader accepts.

Never here: checks, speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gotrace.experiments import registry
from gotrace.spec.events import EventSpec

NO_THREAD = -1


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
