"""Tables as columns: passes over a trace come in, batches of columns and Arrow streams go out.

Never here: the memory of columns, or data frames.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from copy import copy

import numpy as np
import numpy.typing as npt

from gotrace.columns import _arrow
from gotrace.columns.batch import Batch, Packer, arrow_type
from gotrace.columns.fields import Dictionary, Field, extras_of, fields_of
from gotrace.columns.texts import Texts
from gotrace.dtypes import I4, I8, Rows
from gotrace.errors import TraceError, check_names, unknown_name
from gotrace.spec.enums import EventType
from gotrace.spec.events import EventSpec
from gotrace.tables.builder import Builder
from gotrace.tables.catalog import TABLES
from gotrace.tables.lookup import wall_at
from gotrace.tables.passes import Progress, ReadPass, TraceReader
from gotrace.wire import clock
from gotrace.wire.rows import BatchKind
from gotrace.wire.segments import Segment
from gotrace.wire.structure import min_times

STEP = 4_000_000
"""Default size of a batch in bytes of its rows: the blocks of a stream, used in turns, stay in the cache."""

_PIECE = 8192  # rows that builders make at a time: few enough that they are in the cache when they become columns
_NO_CLOCK = [0, np.iinfo(np.int64).min]


def fields_to_read(name: str, columns: Sequence[str] | None, *, single: bool = True) -> list[Field]:
    """Return the named columns that a table has, in this order; None for all that are not extra.

    Raises
    ------
    UnknownNameError
        With ``single``, the table lacks a column.
    TypeError, ValueError
        The columns are no list of names, or one is named twice.
    """
    dtype = TABLES[name].dtype
    own, extra = fields_of(dtype), extras_of(dtype)
    if columns is None:
        return list(own.values())
    known = own | extra
    check_names("columns", columns)
    for i, column in enumerate(columns):
        if single and column not in known:
            raise unknown_name(f"table {name} has no column", column, known)
        if column in columns[:i]:
            raise ValueError(f"column {column!r} is named twice")
    return [known[column] for column in columns if column in known]


def every_field(name: str) -> list[Field]:
    """Return all columns of a table, the extra ones last."""
    dtype = TABLES[name].dtype
    return [*fields_of(dtype).values(), *extras_of(dtype).values()]


class Dictionaries:
    """The values of dictionaries, which several passes can share: a value then keeps its place in all of them."""

    def __init__(self) -> None:
        self._growing = {kind: Texts() for kind in Dictionary if kind >= Dictionary.TYPES}
        self._fixed: dict[tuple[str, ...], Texts] = {}

    def growing(self, kind: Dictionary) -> Texts:
        """Return the values of a dictionary that grows."""
        return self._growing[kind]

    def fixed(self, names: tuple[str, ...]) -> Texts:
        """Return the values of a dictionary that has these names."""
        return self._fixed.setdefault(names, Texts(names))


def rows_of(name: str, step: int) -> int:
    """Return the number of rows of a table in ``step`` bytes, at least 1."""
    return max(step // TABLES[name].dtype.itemsize, 1)


def batches(
    reader: TraceReader,
    keep: dict[str, list[Field]],
    lengths: dict[str, int],
    dictionaries: Dictionaries | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[str, Batch]]:
    """Yield the name and a batch of one table at a time, for several tables in one pass.

    Parameters
    ----------
    reader : TraceReader
    keep : dict of str to list of Field
        Columns by table.
    lengths : dict of str to int
        Rows of a batch by table.
    dictionaries : Dictionaries, optional
        Dictionaries of earlier passes, to which values are added.
    progress : callable, optional

    Raises
    ------
    TraceError
        After all rows before the fault.
    """
    read_pass = reader.new_pass()
    fields = [field for of_table in keep.values() for field in of_table]
    context = _Context(read_pass, reader.source.name, fields, dictionaries or Dictionaries())
    builders = {TABLES[name].builder(read_pass, _PIECE): name for name in keep}
    packers = {name: Packer(TABLES[name].dtype, keep[name], lengths[name], context) for name in keep}
    try:
        for builder, rows in read_pass.read(context, *builders, progress=progress):
            name = builders[builder]
            for batch in packers[name].take(rows):
                yield name, batch
    except TraceError:
        yield from _rest(packers)
        raise
    yield from _rest(packers)


def _rest(packers: dict[str, Packer]) -> Iterator[tuple[str, Batch]]:
    for name, packer in packers.items():
        for batch in packer.flush():
            yield name, batch


def own_batches(
    reader: TraceReader, name: str, fields: list[Field], limit: int | None = None
) -> Generator[Batch, None, None]:
    """Yield the batches of one table, read from an input of their own, which is opened by the first request.

    With a limit, no more rows than that are read.

    Raises
    ------
    TraceError
        After all rows before the fault; ``reader`` records it, but stays open.
    """
    if limit == 0:
        return
    own = reader.again()
    left = sys.maxsize if limit is None else limit
    try:
        for _, batch in batches(own, {name: fields}, {name: min(rows_of(name, STEP), left)}):
            yield batch.head(left)
            left -= len(batch)
            if left <= 0:
                return
    except TraceError as error:
        reader.fault = copy(error)  # without the traceback, which would keep memory of the pass
        raise
    finally:
        if own is not reader:
            own.close()


class TableStream(_arrow.Producer):
    """An Arrow stream of the batches of a table, to be read once.

    Attributes
    ----------
    fields : list of Field
    error : BaseException or None
        The exception that ended the stream; its consumer gets the text only.
    """

    def __init__(self, fields: list[Field], batches: Generator[Batch, None, None]) -> None:
        self.error: BaseException | None = None
        self.fields = fields
        self._batches = batches

    def batches(self) -> Iterator[Batch]:
        """Return the batches of the stream, for use instead of it."""
        return self._batches

    def advance(self) -> _arrow.Column | None:
        """Return the next batch as an Arrow array; None at the end."""
        try:
            batch = next(self._batches, None)
        except BaseException as error:
            self.error = error
            raise
        return batch.column() if batch is not None else None

    def close(self) -> None:
        """Close the input."""
        self._batches.close()

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a capsule of Arrow."""
        return arrow_type(self.fields).capsule()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream as a capsule of Arrow; the requested schema is not applied."""
        return _arrow.stream(arrow_type(self.fields), self)


class _Strings:
    """The strings of a segment, which stay readable after it."""

    def __init__(self, segment: Segment, base: int) -> None:
        slab, strings = segment.slab, segment.tables.strings
        batches = slab.batches[slab.batches["kind"] == BatchKind.STRINGS]
        self._starts = batches["offset"] - slab.base + batches["head"]
        ends = self._starts + batches["size"]
        self._data = [slab.data[i:j].tobytes() for i, j in zip(self._starts.tolist(), ends.tolist(), strict=True)]
        self._at, self._length = strings["at"].copy(), strings["length"].copy()
        self.rows = range(base, base + len(strings))

    def text(self, row: int) -> bytes:
        """Return the bytes of a row of strings."""
        at, size = int(self._at[row - self.rows.start]), int(self._length[row - self.rows.start])
        batch = int(np.searchsorted(self._starts, at, side="right")) - 1
        first = at - int(self._starts[batch])
        return self._data[batch][first : first + size]


class _Context(Builder):
    """What the rows of other builders refer to; has no rows of its own, and must come first.

    Rows may refer to strings of their segment, and are yielded while it or the next one is fed, or to an older row
    whose name the order keeps.
    """

    lookup = True

    def __init__(self, read_pass: ReadPass, trace: str, fields: list[Field], dictionaries: Dictionaries) -> None:
        self._pass = read_pass
        self._dictionaries = dictionaries
        self._event_names = event_names(read_pass.registry.events)
        self.trace_place = dictionaries.growing(Dictionary.TRACE).place(trace)
        self._keeps_strings = any(field.dictionary == Dictionary.STRINGS for field in fields)
        self._keeps_clocks = any(field.name == "wall" and not field.source for field in fields)
        self._strings: list[_Strings] = []  # of the last two segments
        self._next_row = 1
        self._places: dict[int, int] = {0: -1}  # in the dictionary of strings, by row
        self._type_places: I4 = np.empty(0, np.int32)
        self._clocks: dict[int, list[int]] = {}  # start and its wall-clock time, by low bits of the generation's number

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Keep what rows of the segment refer to."""
        if self._keeps_strings:
            self._strings = [*self._strings[-1:], _Strings(segment, self._next_row)]
            oldest = self._strings[0].rows.start
            self._places = {row: place for row, place in self._places.items() if row >= oldest or not row}
            self._next_row = self._strings[-1].rows.stop
        if self._keeps_clocks:
            factors = clock.factor(segment.tables.clocks["frequency"])
            starts = clock.to_ns(min_times(segment.slab), factors)
            walls = wall_at(segment.tables.clocks, factors, starts)
            numbers = segment.slab.numbers & np.uint64(0xFFFFFFFF)
            clocks = np.stack((starts, walls.view(np.int64)), axis=1)
            self._clocks.update(zip(numbers.tolist(), clocks.tolist(), strict=True))
        return iter(())

    def dictionary(self, field: Field) -> Texts:
        """Return the values of a dictionary."""
        if field.grows:
            return self._dictionaries.growing(field.dictionary)
        return self._dictionaries.fixed(field.names or self._event_names)

    def type_places(self) -> I4:
        """Return the place in the dictionary of each row of types."""
        names = self._pass.types.names
        if len(names) > len(self._type_places):
            texts = self._dictionaries.growing(Dictionary.TYPES)
            more = [texts.place(name) for name in names[len(self._type_places) :]]
            self._type_places = np.concatenate((self._type_places, np.array(more, np.int32)))
        return self._type_places

    def string_places(self, rows: I4) -> I4:
        """Return the places of rows of strings in the dictionary; -1 for row 0."""
        distinct, inverse = np.unique(rows, return_inverse=True)
        for row in distinct.tolist():
            if row not in self._places:
                text = self._text(row).decode("utf-8", "surrogateescape")
                self._places[row] = self._dictionaries.growing(Dictionary.STRINGS).place(text)
        places: I4 = np.array([self._places[row] for row in distinct.tolist()], np.int32)[inverse]
        return places

    def _text(self, row: int) -> bytes:
        for strings in self._strings:
            if row in strings.rows:
                return strings.text(row)
        state = self._pass.order.state
        return state.name(state.number(row))

    def wall(self, rows: Rows) -> npt.NDArray[np.datetime64]:
        """Return the wall-clock times of rows with the fields time and generation."""
        numbers, inverse = np.unique(rows["generation"], return_inverse=True)
        clocks: I8 = np.array([self._clocks.get(number, _NO_CLOCK) for number in numbers.tolist()], np.int64)
        start, wall = clocks.reshape(-1, 2).T[:, inverse]
        return clock.to_wall(rows["time"], start, wall.view("M8[ns]"))


def event_names(events: Iterable[EventSpec]) -> tuple[str, ...]:
    """Return the name of each type of row in tables of ordered events, digits for a type that has none."""
    names = {event.id: event.name for event in events if event.kind is not None} | {EventType.SYNC: "Sync"}
    return tuple(names.get(number, str(number)) for number in range(256))
