"""Mutations of traces: seeds come in, inputs go out; input ``number`` of a seed number is always the same.

A mutation changes batches, generations, records, numbers or bytes. Never here: what a reader makes of an input.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from support import extremes, mutations, reference

from gotrace.raw import Batch, Reader, uvarint
from gotrace.raw.batches import END_MARK
from gotrace.raw.writer import header
from gotrace.spec.events import ALLOC_FREE_EVENTS, EVENTS
from gotrace.wire.header import SIZE

VERSIONS = (22, 23, 25, 26)
LARGEST = 40_000  # bytes of a seed
EDGES = (0, 1, 2, 3, 5, 8, 67, 127, 128, 129, 1024, 1025, 65535, 65536, 65537)
WIDE_EDGES = [(1 << bits) + step for bits in (31, 32, 47, 48, 63, 64) for step in (-1, 0, 1)]
SPECS = {spec.id: spec for spec in (*EVENTS, *ALLOC_FREE_EVENTS)}
TYPES = tuple(SPECS)

Item = Batch | bytes  # bytes: an end mark, or a batch that is not to be changed any more
Items = list[Item]


class Record(NamedTuple):
    """A record or event: a type byte, numbers, and text. A number in bytes is written as it is."""

    lead: bytes
    numbers: tuple[int | bytes, ...] = ()
    tail: bytes = b""

    def encode(self) -> bytes:
        """Return its bytes."""
        numbers = (uvarint(number) if isinstance(number, int) else number for number in self.numbers)
        return self.lead + b"".join(numbers) + self.tail


class _Numbers:
    """Varints of a batch's data, from ``at`` on."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, n: int) -> list[int]:
        """Return the next numbers; IndexError at the end of the data."""
        values = []
        for _ in range(n):
            value = shift = 0
            while True:
                byte = self.data[self.at]
                self.at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            values.append(value)
        return values

    def text(self, size: int) -> bytes:
        """Return the next bytes."""
        self.at += size
        return self.data[self.at - size : self.at]


@lru_cache(maxsize=1 << 13)
def records(data: bytes, experimental: bool) -> tuple[Record, ...]:
    """Split the data of a batch; what cannot be split is the last record."""
    found: list[Record] = []
    numbers = _Numbers(data, 0)
    start = 0
    try:
        if experimental and data:
            found.append(Record(numbers.text(1)))
        while numbers.at < len(data):
            start = numbers.at
            if experimental and data[0] == 0:
                values = numbers.take(5)
                found.append(Record(b"", tuple(values), numbers.text(values[-1])))
                continue
            lead = b"" if experimental else numbers.text(1)
            spec = None if experimental else SPECS.get(lead[0])
            values = numbers.take(1 if experimental else len(spec.args) if spec else 0)
            tail = b""
            if spec is not None and spec.frames:
                values += numbers.take(4 * values[-1])
            elif spec is not None and spec.data:
                values += numbers.take(1)
                tail = numbers.text(values[-1])
            found.append(Record(lead, tuple(values), tail))
    except IndexError:
        found.append(Record(data[start:]))
    return tuple(found)


def split(trace: bytes) -> Items:
    """Return the batches of a trace, as far as they can be read; the rest is one item."""
    items: Items = []
    at = SIZE
    try:
        with Reader(trace) as reader:
            for batch in reader:
                items.append(END_MARK if batch is None else batch)
                at += len(encoded(items[-1:]))
    except ValueError:
        items.append(trace[at:])
    return items


def encoded(items: Sequence[Item]) -> bytes:
    """Return the bytes of batches."""
    return b"".join(item.encode() if isinstance(item, Batch) else item for item in items)


def seeds(largest: int = LARGEST) -> list[bytes]:
    """Return the small committed traces and the small valid extremes, up to a size."""
    traces = [data for _, data in extremes.traces()]
    traces += [reference.load(path) for path in sorted(reference.DATA.glob("*.trace.gz"))]
    return [data for data in traces if len(data) <= largest]


# --- numbers and records ------------------------------------------------------------------------------------


def _changed(number: int | bytes, dice: random.Random) -> int | bytes:
    value = number if isinstance(number, int) else 0
    change = dice.randrange(8)
    if change == 0:
        return uvarint(value, dice.randrange(2, 11))
    if change == 1:
        return b"\x80" * dice.randrange(12) + dice.choice((b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x02", b"\xff" * 11))
    if change == 2:
        return dice.choice(WIDE_EDGES)
    if change == 3:
        return dice.getrandbits(dice.randrange(1, 65))
    if change <= 5:
        return value + dice.choice((-1, 1))
    return dice.choice(EDGES)


def _number(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    record = found[at]
    if record.numbers:
        place = dice.randrange(len(record.numbers))
        new = (
            dice.choice(other.numbers)
            if other.numbers and dice.random() < 0.3
            else _changed(record.numbers[place], dice)
        )
        found[at] = record._replace(numbers=(*record.numbers[:place], new, *record.numbers[place + 1 :]))


def _type(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    lead = dice.choice((*TYPES, dice.randrange(256)))
    found[at] = found[at]._replace(lead=bytes([lead]))


def _event(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    spec = dice.choice(ALLOC_FREE_EVENTS if dice.random() < 0.5 else EVENTS)
    numbers = tuple(dice.choice((*EDGES[:8], *found[at].numbers, *other.numbers)) for _ in spec.args)
    found.insert(at, Record(bytes([spec.id]), numbers))


def _drop_record(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    del found[at : at + dice.choice((1, 1, 1, 5))]


def _repeat_record(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    found[at:at] = found[at : at + dice.choice((1, 1, 5))] * dice.choice((1, 1, 20))


def _swap_records(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    to = dice.randrange(len(found))
    found[at], found[to] = found[to], found[at]


def _insert_record(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    found.insert(at, other)


def _text(found: list[Record], at: int, dice: random.Random, other: Record) -> None:
    found[at] = found[at]._replace(tail=found[at].tail[: dice.randrange(4)] + dice.randbytes(dice.randrange(4)))


RECORD_CHANGES = (
    *(_number, _number, _number, _number, _type, _event),
    *(_drop_record, _repeat_record, _swap_records, _insert_record, _text),
)

# --- batches ------------------------------------------------------------------------------------------------


def _record(items: Items, at: int, dice: random.Random, others: Items) -> None:
    batch, other = items[at], dice.choice(others)
    if not isinstance(batch, Batch):
        return
    found = list(records(batch.data, batch.experiment is not None))
    theirs = records(other.data, other.experiment is not None) if isinstance(other, Batch) else ()
    for _ in range(dice.choice((1, 1, 2, 4))):
        if found:
            dice.choice(RECORD_CHANGES)(found, dice.randrange(len(found)), dice, dice.choice(theirs or found))
    items[at] = replace(batch, data=b"".join(record.encode() for record in found))


def _header(items: Items, at: int, dice: random.Random, others: Items) -> None:
    batch, other = items[at], dice.choice(others)
    if not isinstance(batch, Batch):
        return
    field = dice.choice(("gen", "m", "time", "experiment", "width"))
    if field == "experiment":
        items[at] = replace(batch, experiment=dice.choice((None, 0, 1, 1, 2, 255)))
    elif field == "width":
        items[at] = replace(batch, widths=tuple(dice.choice((1, 2, 10, 11)) for _ in range(4)))  # type: ignore[arg-type]
    else:
        old = getattr(batch, field)
        new = getattr(other, field) if isinstance(other, Batch) and dice.random() < 0.5 else _changed(old, dice)
        if isinstance(new, int):
            items[at] = replace(batch, **{field: new})  # type: ignore[arg-type]


def _size(items: Items, at: int, dice: random.Random, others: Items) -> None:
    batch = items[at]
    if isinstance(batch, Batch):
        size = len(batch.data)
        wrong = (size - 1, size + 1, 0, size // 2, size + 20, 65536, 65537, 1 << 31, 1 << 32, (1 << 64) - 1)
        items[at] = batch.encode(dice.choice(wrong))


def _drop(items: Items, at: int, dice: random.Random, others: Items) -> None:
    del items[at]


def _repeat(items: Items, at: int, dice: random.Random, others: Items) -> None:
    items.insert(dice.randrange(len(items) + 1), items[at])


def _swap(items: Items, at: int, dice: random.Random, others: Items) -> None:
    to = dice.randrange(len(items))
    items[at], items[to] = items[to], items[at]


def _insert(items: Items, at: int, dice: random.Random, others: Items) -> None:
    other, here = dice.choice(others), items[at]
    if isinstance(other, Batch) and isinstance(here, Batch):
        other = replace(other, gen=here.gen, time=dice.choice((here.time, other.time)))
    items.insert(at, other)


def _cut(items: Items, at: int, dice: random.Random, others: Items) -> None:
    """Split a batch in two, most of the time between records."""
    batch = items[at]
    if isinstance(batch, Batch) and batch.data:
        found = records(batch.data, batch.experiment is not None)
        place = len(b"".join(record.encode() for record in found[: dice.randrange(len(found) + 1)]))
        if dice.random() < 0.2:
            place = dice.randrange(len(batch.data) + 1)
        items[at : at + 1] = replace(batch, data=batch.data[:place]), replace(batch, data=batch.data[place:])


def _mark(items: Items, at: int, dice: random.Random, others: Items) -> None:
    items.insert(at, END_MARK)


def _generations(items: Items, at: int, dice: random.Random, others: Items) -> None:
    """Swap, drop, repeat or renumber a generation."""
    groups: list[Items] = []
    for item, before in zip(items, [END_MARK, *items], strict=False):
        if (
            not groups
            or before == END_MARK
            or (isinstance(item, Batch) and isinstance(before, Batch) and item.gen != before.gen)
        ):
            groups.append([])
        groups[-1].append(item)
    here, there = dice.randrange(len(groups)), dice.randrange(len(groups))
    change = dice.randrange(5)
    if change == 0:
        groups[here], groups[there] = groups[there], groups[here]
    elif change == 1:
        del groups[here]
    elif change == 2:
        groups.insert(there, groups[here])
    else:
        step = dice.choice((-1, 1, 2, 1 << 32, -(1 << 63)))
        for group in groups[here:] if change == 3 else groups[here : here + 1]:
            group[:] = [replace(item, gen=item.gen + step) if isinstance(item, Batch) else item for item in group]
    items[:] = [item for group in groups for item in group]


BATCH_CHANGES: tuple[Callable[[Items, int, random.Random, Items], None], ...] = (
    *(_record,) * 10,
    *(_header, _header, _size, _drop, _repeat, _swap, _insert, _insert, _cut, _mark, _generations, _generations),
)

# --- bytes --------------------------------------------------------------------------------------------------


def _damaged(data: bytes, dice: random.Random) -> bytes:
    """Flip, cut off, remove or insert bytes after the header."""
    damaged = bytearray(data)
    at = dice.randrange(SIZE, len(data)) if len(data) > SIZE else SIZE
    change = dice.randrange(5)
    if change <= 1:
        for _ in range(dice.choice((1, 1, 2, 5))):
            place = dice.randrange(SIZE, len(data)) if len(data) > SIZE else 0
            damaged[place] = dice.choice((0, 1, 0x34, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    elif change == 2:
        del damaged[at:]
    elif change == 3:
        del damaged[at : at + dice.choice((1, 2, 10))]
    else:
        damaged[at:at] = dice.choice((dice.randbytes(3), data[:SIZE], data[at : at + 30]))
    return bytes(damaged)


class Mutator:
    """Maker of inputs from seeds.

    Parameters
    ----------
    traces : sequence of bytes
    seed : int
        Another seed gives other inputs.
    """

    def __init__(self, traces: Sequence[bytes], seed: int) -> None:
        self._traces = traces
        self._items = [split(trace) for trace in traces]
        self._ordered = [trace for trace in traces if any(b.holds_events() for b in mutations.batches(trace))]
        self._seed = seed

    def input(self, number: int) -> bytes:
        """Return input ``number``."""
        dice = random.Random(self._seed << 40 | number)
        if dice.random() < 0.1:
            return mutations.mutated(dice.choice(self._ordered), dice)
        row = dice.randrange(len(self._traces))
        items = list(self._items[row])
        first = header(dice.choice(VERSIONS)) if dice.random() < 0.02 else self._traces[row][:SIZE]
        others = dice.choice(self._items) or items
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            if items:
                dice.choice(BATCH_CHANGES)(items, dice.randrange(len(items)), dice, others)
        data = first + encoded(items)
        return _damaged(data, dice) if dice.random() < 0.15 else data
