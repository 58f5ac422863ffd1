"""Slabs: the input becomes groups of whole generations, and their event batches are grouped by thread.

A slab is a contiguous part of the input: one large generation, or many small ones. Holds the rules for the end of a
generation and for generation numbers (FORMAT 2.7, 2.8). Never here: loops over events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I4, I8, Rows
from gotrace.errors import Status, TraceError, TruncatedError, from_fault, new_fault
from gotrace.spec.enums import EventType
from gotrace.spec.limits import MAX_BATCH_SIZE
from gotrace.spec.versions import Version
from gotrace.units import human_count
from gotrace.wire import _batch
from gotrace.wire.losses import Losses
from gotrace.wire.rows import BATCH, CURSOR, DECODED, BatchKind
from gotrace.wire.source import Bytes, Source, Window

_MIN_BYTES = 1 << 21  # least size of a slab
_MIN_BYTES_MENDED = 1 << 15  # the same after a fault
_MIN_BYTES_LARGE = 1 << 23  # the same after a slab of few generations
_FEW_GENS = 64  # most generations of such a slab
_ENOUGH_BATCHES = 3  # consecutive batches that are not taken for a coincidence
_MAX_SKIP = 1 << 26  # most bytes skipped to find the next batch


@dataclass(eq=False, repr=False)
class Slab:
    """Consecutive whole generations.

    Attributes
    ----------
    data : ndarray of uint8
        The window; it starts at absolute offset ``base``. Valid until the next slab is requested.
    batches : ndarray of BATCH
        Column ``gen`` is the index of the generation in the slab.
    starts : ndarray of int64
        Row of the first batch of each generation, and the number of batches: length ``n_gens + 1``.
    numbers : ndarray of uint64
        Number of each generation.
    cut : bool
        The last generation continues after the end of what could be read.
    n_whole : int or None
        Generations from this one on must not be delivered; their tables are read only to find an earlier fault.
    fault : TraceError or None
        The error to raise after the whole slab was delivered.
    notes : list of str
        Warnings about its batches.
    gaps : list of int
        Rows of batches before which bytes or batches were skipped to salvage the rest.
    end : int
        Absolute offset of the end of the last batch.
    """

    path: str
    version: Version
    data: Bytes
    base: int
    batches: Rows
    starts: I8
    numbers: npt.NDArray[np.uint64]
    cut: bool = False
    n_whole: int | None = None
    fault: TraceError | None = None
    end: int = 0
    gaps: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def n_gens(self) -> int:
        """Number of generations."""
        return len(self.numbers)

    def error(self, fault: np.void, event: str | None = None) -> TraceError:
        """Return the exception for a FAULT row; its ``batch`` is a row of this slab, or -1."""
        row = int(fault["batch"])
        known = 0 <= row < len(self.batches)
        return from_fault(
            fault,
            path=self.path,
            generation=int(self.numbers[self.batches[row]["gen"]]) if known and self.n_gens else None,
            m=int(self.batches[row]["m"]) if known else None,
            event=event,
            **around(self.data, self.base, int(fault["offset"])),
        )

    def blame(self, status: Status, row: int, detail: int = 0, limit: int = 0) -> TraceError:
        """Return the exception for a fault that concerns a whole batch."""
        fault = new_fault()
        fault["status"], fault["batch"], fault["detail"], fault["limit"] = status, row, detail, limit
        fault["offset"] = self.batches[row]["offset"]
        return self.error(fault[0])

    def hand_over(self) -> TraceError:
        """Return the fault and clear it: a frame must not hold the exception it raises, since that is a cycle."""
        assert self.fault is not None
        fault, self.fault = self.fault, None
        return fault

    def part(self, first: int, last: int) -> Slab:
        """Return the generations from ``first`` up to, not including, ``last``, which have no fault of their own."""
        start, stop = self.starts[first], self.starts[last]
        batches = self.batches[start:stop].copy()
        batches["gen"] -= first
        final = batches[-1]
        return replace(
            self,
            end=int(final["offset"]) + int(final["head"]) + int(final["size"]),
            batches=batches,
            starts=self.starts[first : last + 1] - start,
            numbers=self.numbers[first:last],
            cut=self.cut and last == self.n_gens,
            fault=self.fault if last == self.n_gens else None,
            gaps=[gap - int(start) for gap in self.gaps if start < gap <= stop or gap == first == 0],
            notes=self.notes if first == 0 else [],
        )

    def drop_from(self, n_gens: int, n_batches: int, fault: TraceError) -> None:
        """Keep the first batches, mark only the first generations as whole, and set the fault that follows."""
        self.fault = fault
        self.n_whole = n_gens
        self.batches = self.batches[:n_batches]
        self.starts = np.minimum(self.starts, n_batches)

    def keep(self, n_gens: int, fault: TraceError) -> None:
        """Keep only the first generations; ``fault`` is raised after them."""
        self.fault = fault
        self.cut = False
        self.numbers = self.numbers[:n_gens]
        self.starts = self.starts[: n_gens + 1]
        self.batches = self.batches[: self.starts[-1]]


def around(data: Bytes, base: int, offset: int) -> dict[str, Any]:
    """Return the bytes around an absolute offset, as keyword arguments of :class:`TraceError`."""
    first = max((offset - base) // 16 * 16 - 16, 0)
    return {"around": data[first : first + 48].tobytes(), "around_offset": base + first}


def read_slabs(
    source: Source, version: Version, start: int, losses: Losses | None = None, *, ahead: bool = False
) -> Iterator[Slab]:
    """Yield all slabs from absolute offset ``start`` on; the last one may have the fault that ends the trace.

    With ``losses``, a fault ends a slab before its generation. The generations up to the fault are then slabs of their
    own; incomplete ones are kept, and reading resumes where batches follow each other again. With ``ahead``, a slab is
    still in use when the next one is requested.
    """
    window = source.window()
    rows = np.empty(1024, BATCH)
    at = used = start
    size = _MIN_BYTES
    mends = -1  # absolute offset of the last fault to salvage
    first = True
    while True:
        probes = losses is not None and at > mends
        slab, rows, more = _read_slab(
            *(source.name, version, window, at, size, rows), first=first, losses=None if probes else losses
        )
        fault = _first_fault(slab) if probes else None
        if fault is not None:
            mends = max(fault.offset, at)
            size = _MIN_BYTES_MENDED
            whole = _whole_part(slab)
            if whole is None:
                continue
            slab, more = whole, True
        elif losses is None or 2 * size > _MIN_BYTES:
            size = _MIN_BYTES_LARGE if slab.n_gens <= _FEW_GENS else _MIN_BYTES
        elif probes:
            size *= 2
        if not more and (slab.fault is None or isinstance(slab.fault, TruncatedError)):
            slab.fault = source.failure() or slab.fault
        first = False
        at = slab.end
        yield slab
        if slab.fault is not None or not more:
            return
        window.release(at, used if ahead else at)
        used = at
        if ahead:
            rows = np.empty(len(rows), BATCH)


def _read_slab(
    path: str, version: Version, window: Window, at: int, size: int, rows: Rows, *, first: bool, losses: Losses | None
) -> tuple[Slab, Rows, bool]:
    """Read a slab of at least ``size`` bytes, or with ``losses`` a generation.

    Also return the array of its batches, whose memory the next slab may use, and whether a batch follows.
    """
    gaps: list[tuple[int, int, np.void]] = []
    n, at, fault, rows, following = _scan(window, version, at, size, rows, None if losses is None else gaps)
    slab = Slab(path, version, window.data, window.base, rows[:n], np.zeros(1, np.int64), _none(), end=at)
    _note_rewritten(slab)
    if losses is not None:
        _report_gaps(slab, gaps, losses)
        _drop_strays(slab, losses)
    _cut_generations(slab, salvage=losses is not None)
    _check_generations(slab, fault[0], first, following, losses is not None)
    return slab, rows, following is not None


def _first_fault(slab: Slab) -> TraceError | None:
    """Return the fault of a slab, or of its first end mark that ends no batches."""
    lone = _lone_marks(slab)
    if slab.fault is None and len(lone):
        row = int(lone[0])
        slab.drop_from(int(slab.batches["gen"][row]), row, slab.blame(Status.NO_FREQUENCY, row))
    return slab.fault


def _whole_part(slab: Slab) -> Slab | None:
    """Return the generations before a slab's fault, if any, as a slab without a fault."""
    n_whole = slab.n_gens - 1 if slab.n_whole is None else slab.n_whole
    return replace(slab.part(0, n_whole), cut=False, fault=None, n_whole=None) if n_whole > 0 else None


def _report_gaps(slab: Slab, gaps: list[tuple[int, int, np.void]], losses: Losses) -> None:
    """Report the bytes that were skipped."""
    for row, size, fault in gaps:
        number = int(slab.batches[max(row - 1, 0)]["generation"]) if len(slab.batches) else None
        near = around(slab.data, slab.base, int(fault["offset"]))
        short = f"a batch is {human_count(-size, 'byte')} shorter than its header claims"
        lost = human_count(size, "byte is lost", "bytes are lost") if size > 0 else short
        losses.add(from_fault(fault, path=slab.path, generation=number, **near), lost)
    slab.gaps = [row for row, _, _ in gaps]


def _note_rewritten(slab: Slab) -> None:
    """Note event batches that hold data of the AllocFree experiment.

    Some recorders write experimental batches as event batches of no thread. Their data starts with byte 0 or 1, which
    is not the type of any event.
    """
    batches = slab.batches
    rows = np.flatnonzero(batches["kind"] == BatchKind.EXPERIMENT)
    rows = rows[slab.data[batches["offset"][rows] - slab.base] == EventType.EVENT_BATCH]
    slab.notes += [
        f"generation {int(batches['generation'][row])} (byte {int(batches['offset'][row])}): "
        "an event batch holds data of the alloc/free experiment and is read as such"
        for row in rows.tolist()
    ]


def _lone_marks(slab: Slab) -> npt.NDArray[np.int64]:
    """Return the rows of end marks that end no batches."""
    marks = _marks(slab.batches)
    if slab.version.end_marks:
        marks[1:] &= marks[:-1].copy()
    return np.flatnonzero(marks)


def _drop_strays(slab: Slab, losses: Losses) -> None:
    """Drop batches inside a generation of another number, if more batches around them agree on that number.

    An end mark that ends no batches is dropped, too.
    """
    batches = slab.batches
    marks = _marks(batches)
    inside = (batches["kind"] == BatchKind.END) & ~marks
    zero = (batches["generation"] == 0) & ~marks
    empty = Status.NO_FREQUENCY if slab.version.end_marks else Status.GENERATION_ZERO
    strays = [(row, Status.END_MARK_IN_BATCH, [row], 0) for row in np.flatnonzero(inside).tolist()]
    strays += [(row, empty, [row], 0) for row in _lone_marks(slab).tolist()]
    strays += [(row, Status.GENERATION_ZERO, [row], 0) for row in np.flatnonzero(zero & ~inside).tolist()]
    rows = np.flatnonzero(~marks & ~inside & ~zero)
    numbers = batches["generation"][rows]
    groups = np.split(rows, np.flatnonzero(numbers[1:] != numbers[:-1]) + 1)
    number_of = [int(batches["generation"][group[0]]) if len(group) else 0 for group in groups]
    here, size = 0, 0
    for i, (group, number) in enumerate(zip(groups, number_of, strict=True)):
        final = i + 1 == len(groups)
        following, more = (0, 0) if final else (number_of[i + 1], len(groups[i + 1]))
        if number == here:
            size += len(group)
            continue
        if i == 0:
            stray = not final and following != number + 1 and len(group) < more
        elif final:
            stray = number != here + 1 and len(group) < size
        else:
            stray = following == here and len(group) <= size + more
        if stray:
            strays.append((int(group[0]), Status.GENERATION_MIXED, group.tolist(), here or following))
        else:
            here, size = number, len(group)
    kept = np.ones(len(batches), bool)
    for row, status, lost, other in sorted(strays):
        kept[lost] = False
        nbytes = int(batches["head"][lost].sum(dtype=np.int64) + batches["size"][lost].sum(dtype=np.int64))
        losses.add(
            slab.blame(status, row, int(batches["generation"][row]), other),
            human_count(nbytes, "byte is lost", "bytes are lost"),
        )
    rows_before = np.concatenate(([0], np.cumsum(kept)))
    lost_rows = [row for row, *_ in strays if batches["kind"][row] != BatchKind.END]
    slab.gaps = sorted(int(rows_before[row]) for row in [*slab.gaps, *lost_rows])
    slab.batches = batches[kept]


def _resume(window: Window, at: int) -> int:
    """Return the first index from ``at`` on where batches follow each other, -1 if there is none within reach."""
    end = at + _MAX_SKIP
    while at < end:
        stop = at + _MIN_BYTES
        while len(window.data) < stop + 2 * _ENOUGH_BATCHES * MAX_BATCH_SIZE and not window.last:
            window.more()
        stop = min(stop, len(window.data))
        place = _batch.resume(window.data, at, stop, window.last, _ENOUGH_BATCHES)
        if place >= 0 or stop == len(window.data):
            return place
        at = stop
    return -1


def _next_batch(window: Window, rows: Rows, at: int, status: int) -> int:
    """Return the index from which batches follow each other again after a fault at ``at``, or -1.

    It lies inside the last batch if the header of that one claims bytes of the next batches.
    """
    if status == Status.NEXT_TRACE:
        return -1
    inside = _batch_inside(window, rows, at)
    return inside if inside >= 0 else _resume(window, at + 1)


def _batch_inside(window: Window, rows: Rows, at: int) -> int:
    """Return the first index inside the last batch from which batches follow each other beyond its end, or -1."""
    if not len(rows) or rows["kind"][-1] == BatchKind.END:
        return -1
    start = int(rows["offset"][-1]) - window.base + int(rows["head"][-1])
    place = _batch.resume(window.data, start, at, window.last, _ENOUGH_BATCHES)
    while place >= 0:
        chain = np.empty(_ENOUGH_BATCHES, BATCH)
        n, end = _batch.scan(
            *(window.data, window.base, place, len(window.data), window.last, True, False, chain, 0, new_fault())
        )
        if end > at and n == _ENOUGH_BATCHES:
            return place
        place = _batch.resume(window.data, place + 1, at, window.last, _ENOUGH_BATCHES)
    return -1


def _none() -> npt.NDArray[np.uint64]:
    return np.empty(0, np.uint64)


def _scan(
    window: Window, version: Version, start: int, size: int, rows: Rows, gaps: list[tuple[int, int, np.void]] | None
) -> tuple[int, int, Rows, Rows, np.void | None]:
    """Scan one slab; return its number of batches, absolute end, fault, their rows, and the next batch if any.

    With ``gaps``, bytes that are not a batch are skipped and added there: the row after them, their number, and the
    fault. Below 0 is the number of bytes that a batch before that row claims of the next ones.
    """
    fault = new_fault()
    n = 0
    at = start - window.base
    stop = at + (size if gaps is None else 0)
    while True:
        n, at = _batch.scan(
            *(window.data, window.base, at, stop, window.last, version.sync_batches, version.end_marks),
            *(rows, n, fault),
        )
        status = int(fault[0]["status"])
        if status == Status.FULL:
            rows = np.concatenate((rows, np.empty(len(rows), BATCH)))
        elif status == Status.MORE:
            window.more()
        elif gaps is not None and status < 0 and (place := _next_batch(window, rows[:n], at, status)) >= 0:
            gaps.append((n, place - at, fault[0].copy()))
            if place < at:
                last = rows[n - 1]
                last["size"] = place - (int(last["offset"]) - window.base + int(last["head"]))
            at = place
        elif (
            gaps is not None
            and status == Status.OK
            and fault[0]["batch"] == n
            and _same_generation(window, version, at, rows, n)
        ):
            stop = at + 1
        else:
            more = status == Status.OK and fault[0]["batch"] == n
            return n, window.base + at, fault, rows, rows[n].copy() if more else None


def _same_generation(window: Window, version: Version, at: int, rows: Rows, n: int) -> bool:
    """True if the batch at index ``at``, with another number than the last one, does not start a new generation."""
    if version.end_marks:
        return False
    while len(window.data) < at + 3 * MAX_BATCH_SIZE and not window.last:
        window.more()
    two = np.empty(2, BATCH)
    n_two, _ = _batch.scan(
        *(window.data, window.base, at, len(window.data), window.last, version.sync_batches, False, two, 0, new_fault())
    )
    numbers = two["generation"][:n_two].tolist()
    number = int(rows["generation"][0])
    if numbers[0] - number == 1:
        return number in numbers
    agree = n_two == 2 and numbers[0] == numbers[1]
    return number in numbers or n_two == 1 or (n == 1 and agree)


def _cut_generations(slab: Slab, *, salvage: bool) -> None:
    """Find the generations of a slab from its batches alone; with ``salvage``, an end mark may be missing."""
    batches = slab.batches
    if not len(batches):
        return
    if slab.version.end_marks:
        marks = _marks(batches)
        new = np.flatnonzero(marks) + 1
        new = new[new < len(batches)]
        if salvage:
            changes = (batches["generation"][1:] != batches["generation"][:-1]) & ~marks[1:] & ~marks[:-1]
            new = np.union1d(new, np.flatnonzero(changes) + 1)
    else:
        new = np.flatnonzero(batches["generation"][1:] != batches["generation"][:-1]) + 1
    slab.starts = np.concatenate(([0], new, [len(batches)])).astype(np.int64)
    batches["gen"] = np.repeat(np.arange(len(slab.starts) - 1), np.diff(slab.starts))
    slab.numbers = batches["generation"][slab.starts[:-1]]


def _marks(batches: Rows) -> npt.NDArray[np.bool_]:
    marks: npt.NDArray[np.bool_] = (batches["kind"] == BatchKind.END) & (batches["head"] == 1)
    return marks


def _check_generations(slab: Slab, fault: np.void, first: bool, following: np.void | None, salvage: bool) -> None:
    """Apply the rules about generations: set the slab's fault and, unless with ``salvage``, drop what is not whole."""
    status = int(fault["status"])
    gen, row, broken = (0, 0, None) if salvage else _first_violation(slab, following)
    if broken is not None:
        slab.drop_from(gen, row, broken)
        return
    if status:
        error = from_fault(
            fault,
            path=slab.path,
            generation=int(slab.numbers[-1]) if slab.n_gens else None,
            **around(slab.data, slab.base, int(fault["offset"])),
        )
        if slab.version.end_marks and not salvage:
            slab.drop_from(_n_closed(slab), len(slab.batches), error)
        else:
            slab.fault = error
            slab.cut = slab.n_gens > 0
    elif following is None and slab.version.end_marks and _n_closed(slab) < slab.n_gens:
        number = int(slab.numbers[-1])
        error = from_fault(_fault_at(slab.end, Status.NO_END_MARK, number), path=slab.path, generation=number)
        if salvage:
            slab.fault, slab.cut = error, True
        else:
            slab.drop_from(slab.n_gens - 1, len(slab.batches), error)
    elif first and not slab.n_gens and not slab.version.end_marks:
        slab.fault = from_fault(_fault_at(slab.end, Status.NO_BATCHES), path=slab.path)


def _fault_at(offset: int, status: Status, detail: int = 0) -> np.void:
    fault = new_fault()
    fault["offset"], fault["status"], fault["detail"] = offset, status, detail
    return fault[0]  # type: ignore[no-any-return]


def _n_closed(slab: Slab) -> int:
    """Return the number of generations that an end mark closes."""
    return slab.n_gens - int(slab.n_gens > 0 and not _marks(slab.batches[-1:])[0])


def _first_violation(slab: Slab, following: np.void | None) -> tuple[int, int, TraceError | None]:
    """Find the first batch that breaks a rule; return the number of whole generations, its row and the error.

    Before 1.26, Go's reader finds a wrong number while it still collects the generation before, which is lost as well.
    """
    batches = slab.batches
    number = batches["generation"]
    marks = _marks(batches)
    found: list[tuple[int, Status, int, int]] = []

    def note(wrong: npt.NDArray[np.bool_], status: Status) -> None:
        if wrong.any():
            row = int(np.argmax(wrong))
            before = slab.numbers[batches["gen"][row]] if slab.version.end_marks else number[row - 1] if row else 0
            found.append((row, status, int(number[row]), int(before)))

    ends = batches["kind"] == BatchKind.END
    note(ends & ~marks, Status.END_MARK_IN_BATCH)
    if slab.version.end_marks:
        note((number == 0) & ~ends, Status.GENERATION_ZERO)
        note((number != slab.numbers[batches["gen"]]) & ~ends, Status.GENERATION_MIXED)
    else:
        note(number == 0, Status.GENERATION_ZERO)
        wrong = np.zeros(len(batches), bool)
        wrong[slab.starts[1:-1]] = (slab.numbers[1:] != slab.numbers[:-1] + np.uint64(1)) & (slab.numbers[1:] != 0)
        note(wrong, Status.GENERATION_ORDER)
    if found:
        row, status, detail, limit = min(found)
        lost = row and status in (Status.GENERATION_ORDER, Status.GENERATION_ZERO) and not slab.version.end_marks
        return int(batches["gen"][row - bool(lost)]), row, slab.blame(status, row, detail, limit)
    if following is not None and not slab.version.end_marks:
        last, coming = int(slab.numbers[-1]), int(following["generation"])
        if coming != (last + 1) % 2**64 or coming == 0:
            broken = Status.GENERATION_ORDER if coming else Status.GENERATION_ZERO
            fault = _fault_at(int(following["offset"]), broken, coming)
            fault["limit"] = last
            where = around(slab.data, slab.base, int(following["offset"]))
            error = from_fault(fault, path=slab.path, generation=coming, m=int(following["m"]), **where)
            return slab.n_gens - 1, len(batches), error
    return 0, 0, None


@dataclass(eq=False, repr=False)
class ThreadBatches:
    """Event batches by thread.

    ``order`` lists rows of BATCH, grouped by cursor; ``cursors`` has a CURSOR for each thread of each generation, by
    first appearance; those of generation i are ``cursors[first[i]:first[i + 1]]``.
    """

    order: I4
    cursors: Rows
    first: I4


def group_by_thread(slab: Slab) -> ThreadBatches:
    """Group the event batches of a slab by generation and thread, in file order."""
    rows = np.flatnonzero(slab.batches["kind"] == BatchKind.EVENTS)
    picked = slab.batches[rows]
    ms, m_of = np.unique(picked["m"], return_inverse=True)
    key = picked["gen"].astype(np.int64) * max(len(ms), 1) + m_of
    _, first, cursor_of = np.unique(key, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first, kind="stable")
    rank = np.empty(len(first), np.int64)
    rank[by_appearance] = np.arange(len(first))
    cursor_of = rank[cursor_of]
    cursors = np.zeros(max(len(first), 1), CURSOR)[: len(first)]
    heads = picked[first[by_appearance]]
    cursors["m"] = heads["m"]
    ends = np.cumsum(np.bincount(cursor_of, minlength=len(first)))
    cursors["last_batch"] = ends
    cursors["batch"] = np.concatenate(([0], ends[:-1])) - 1 if len(first) else 0
    return ThreadBatches(
        order=rows[np.argsort(cursor_of, kind="stable")].astype(np.int32),
        cursors=cursors,
        first=np.searchsorted(heads["gen"], np.arange(slab.n_gens + 1)).astype(np.int32),
    )


def decoded_rows(n: int, dtype: np.dtype[np.void] = DECODED) -> Rows:
    """Return n rows of DECODED, or COMPACT, for events decoded ahead; no row crosses a cache line."""
    room = np.zeros((n + 2) * dtype.itemsize, np.uint8)
    first = -room.ctypes.data % DECODED.itemsize
    return room[first : first + n * dtype.itemsize].view(dtype)
