"""Structural tables: the structural batches of a slab become strings, stacks, frames, CPU samples and clocks.

Text is decoded on access. Never here: events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import I4, I8, Rows
from gotrace.errors import Status, TraceError, new_fault
from gotrace.hashing import MULTIPLIER, Index, make_index
from gotrace.units import human_count
from gotrace.wire import _structure, clock
from gotrace.wire.losses import Losses
from gotrace.wire.rows import CLOCK, PC_CACHE, RAW_PC, RAW_SAMPLE, RAW_STACK, RAW_STRING, BatchKind
from gotrace.wire.slabs import Slab
from gotrace.wire.source import Bytes

_STRUCTURAL = (BatchKind.STRINGS, BatchKind.STACKS, BatchKind.SAMPLES, BatchKind.SYNC)
_PC_CACHE_SIZE = 1 << 12  # a generation's stacks have a few hundred to a few thousand different pcs
_MAX_TRIES = 64  # attempts to read the damaged tables of a slab


class Frame(NamedTuple):
    """One frame of a call stack."""

    function: str
    file: str
    line: int
    pc: int


@dataclass(eq=False, repr=False)
class Tables:
    """Tables of a slab. Rows are in file order; column ``gen`` is the index of the generation in the slab."""

    data: Bytes
    strings: Rows
    stacks: Rows
    frames: I4  # rows of pcs: the first row of the pc in its generation, which defines it
    pcs: Rows
    samples: Rows
    clocks: Rows
    string_index: Index
    stack_index: Index
    functions: I8  # rows of strings by row of pcs, set for rows in frames; -1 none
    files: I8
    dangling_pc: int  # first row of pcs that names an unknown string, or -1

    def text(self, row: int) -> str:
        """Decode one string; bytes that are not valid UTF-8 become surrogate escapes."""
        if row < 0:
            return ""
        at, size = int(self.strings[row]["at"]), int(self.strings[row]["length"])
        return self.data[at : at + size].tobytes().decode("utf-8", "surrogateescape")

    def stack(self, row: int) -> list[Frame]:
        """Return the frames of one stack, leaf first."""
        first, n = int(self.stacks[row]["first"]), int(self.stacks[row]["n_frames"])
        return [
            Frame(self.text(int(self.functions[i])), self.text(int(self.files[i])),
                  int(self.pcs[i]["line"]), int(self.pcs[i]["pc"]))
            for i in self.frames[first : first + n].tolist()
        ]  # fmt: skip

    def keep(self, n_gens: int) -> None:
        """Keep only the rows of the first generations."""
        self.strings = self.strings[: np.searchsorted(self.strings["gen"], n_gens)]
        self.stacks = self.stacks[: np.searchsorted(self.stacks["gen"], n_gens)]
        self.frames = self.frames[: self.stacks["n_frames"].sum(dtype=np.int64)]
        self.pcs = self.pcs[: np.searchsorted(self.pcs["gen"], n_gens)]
        self.samples = self.samples[: np.searchsorted(self.samples["gen"], n_gens)]
        self.clocks = self.clocks[:n_gens]


def read_tables(slab: Slab, losses: Losses | None = None, frequency: int = 0) -> Tables:
    """Read the tables of a slab. Generations from the first faulty one on are dropped from the slab.

    With ``losses``, only faulty records are dropped; a generation without a clock gets the ``frequency`` of the one
    before.
    """
    fault = new_fault()
    sizes = {
        kind: int(slab.batches["size"][slab.batches["kind"] == kind].sum())
        for kind in (BatchKind.STRINGS, BatchKind.STACKS, BatchKind.SAMPLES)
    }
    strings = np.empty(sizes[BatchKind.STRINGS] // 3 + 1, RAW_STRING)
    stacks = np.empty(sizes[BatchKind.STACKS] // 3 + 1, RAW_STACK)
    frames = np.empty(sizes[BatchKind.STACKS] // 4 + 1, np.int32)
    pcs = np.empty(len(frames), RAW_PC)
    samples = np.empty(sizes[BatchKind.SAMPLES] // 6 + 1, RAW_SAMPLE)
    clocks = np.zeros(max(slab.n_gens, 1), CLOCK)
    tries = 0
    while True:
        near = np.zeros(_PC_CACHE_SIZE, PC_CACHE)
        records = _structure.Records(strings, stacks, frames, pcs, samples, clocks, near, MULTIPLIER)
        n_strings, n_stacks, n_frames, n_pcs, n_samples = records.parse(
            slab.data, slab.base, slab.batches, slab.version.sync_batches, fault
        )
        if losses is None or fault[0]["status"] == Status.OK:
            break
        tries += 1
        record = {
            BatchKind.STRINGS: strings[n_strings : n_strings + 1],
            BatchKind.STACKS: stacks[n_stacks : n_stacks + 1],
            BatchKind.SAMPLES: samples[n_samples : n_samples + 1],
        }.get(slab.batches["kind"][fault[0]["batch"]], fault)
        _truncate_batch(slab, fault[0], int(record[0]["offset"]), losses, rest=tries == _MAX_TRIES)
        clocks[:] = 0
    clocks = clocks[: slab.n_gens]
    strings, stacks, samples = strings[:n_strings], stacks[:n_stacks], samples[:n_samples]
    frames, pcs = frames[:n_frames], pcs[:n_pcs]
    string_index = make_index(strings["id"], strings["gen"], slab.n_gens)
    stack_index = make_index(stacks["id"], stacks["gen"], slab.n_gens)
    pc_index = Index(pcs["gen"], slab.n_gens)
    functions, files = np.empty(len(pcs), np.int64), np.empty(len(pcs), np.int64)
    dangling = _structure.resolve(pcs, pc_index.kernel, string_index.kernel, pc_index.first, functions, files, frames)
    tables = Tables(
        *(slab.data, strings, stacks, frames, pcs, samples, clocks, string_index, stack_index),
        *(functions, files, dangling),
    )
    found = _structure_faults(slab, tables, fault[0])
    if losses is not None:
        _repair(slab, tables, found, losses, frequency)
        found = None
    if found is None and slab.n_whole is not None and slab.fault is not None:
        found = slab.n_whole, slab.fault
    if found is not None:
        _drop(slab, tables, *found)
    ends = [_clock_fault(slab, tables, snapshots=losses is None)]
    if losses is None:
        ends.append(_dangling_reference(slab, tables))
    finish = [found for found in ends if found is not None]
    if finish:
        _drop(slab, tables, *min(finish, key=lambda found: found[0]))
    return tables


def _truncate_batch(slab: Slab, fault: np.void, record: int, losses: Losses, *, rest: bool) -> None:
    """End a structural batch before the record at fault; with ``rest``, drop all later structural batches, too."""
    row = int(fault["batch"])
    batch = slab.batches[row]
    error = slab.error(fault)
    size = max(record - int(batch["offset"]) - int(batch["head"]), 0)
    if size >= batch["size"]:
        size = 0
    losses.add(error, human_count(int(batch["size"]) - size, "byte of a table is lost", "bytes of a table are lost"))
    batch["size"] = size
    if rest:
        others = slab.batches[row:]
        others["size"][np.isin(others["kind"], _STRUCTURAL)] = 0
        losses.add(error, "all tables after it are lost")


def _repair(
    slab: Slab, tables: Tables, duplicate: tuple[int, TraceError] | None, losses: Losses, frequency: int
) -> None:
    """Report inconsistent and missing records, and fill in missing clocks."""
    if duplicate is not None:
        losses.add(duplicate[1], "the first definition is used")
    dangling = _dangling_reference(slab, tables)
    if dangling is not None:
        losses.add(dangling[1], "names and stacks with unknown ids are left out")
    without = _clock_fault(slab, tables, snapshots=True)
    known = tables.clocks["frequency"][tables.clocks["frequency"] != 0]
    frequency = frequency or int(known[0] if len(known) else 0)
    if without is not None and frequency:
        losses.add(without[1], "its clock is lost")
        blank = tables.clocks["n_frequencies"] == 0
        tables.clocks["frequency"][blank] = frequency
        tables.clocks["n_frequencies"] = 1


def _drop(slab: Slab, tables: Tables, gen: int, error: TraceError) -> None:
    if gen < slab.n_gens:
        slab.keep(gen, error)
        tables.keep(gen)


def _fault_at(slab: Slab, gen: int, offset: int, status: Status, detail: int) -> TraceError:
    fault = new_fault()
    fault["offset"], fault["status"], fault["detail"] = offset, status, detail
    inside = np.searchsorted(slab.batches["offset"], offset, side="right") - 1
    fault["batch"] = inside
    return slab.error(fault[0])


def _structure_faults(slab: Slab, tables: Tables, fault: np.void) -> tuple[int, TraceError] | None:
    """Find the first fault of a record in file order; return its generation and the error."""
    found: list[tuple[int, int, TraceError]] = []
    if fault["status"]:
        found.append((int(fault["offset"]), int(slab.batches[fault["batch"]]["gen"]), slab.error(fault)))
    for rows, index, status in (
        (tables.strings, tables.string_index, Status.DUPLICATE_STRING),
        (tables.stacks, tables.stack_index, Status.DUPLICATE_STACK),
    ):
        duplicates = np.flatnonzero(index.first != np.arange(len(rows)))
        if len(duplicates):
            row = rows[duplicates[0]]
            offset, gen = int(row["offset"]), int(row["gen"])
            found.append((offset, gen, _fault_at(slab, gen, offset, status, int(row["id"]))))
    if not found:
        return None
    _, gen, error = min(found, key=lambda f: f[0])
    return gen, error


def _clock_fault(slab: Slab, tables: Tables, *, snapshots: bool) -> tuple[int, TraceError] | None:
    """Find the first generation without a clock frequency or, with ``snapshots``, a clock snapshot (FORMAT 3.7)."""
    clocks = tables.clocks
    bad = clocks["n_frequencies"] == 0
    if slab.version.sync_batches and snapshots:
        bad |= clocks["n_snapshots"] == 0
    if not bad.any():
        return None
    gen = int(np.argmax(bad))
    status = Status.NO_CLOCK if clocks[gen]["n_frequencies"] else Status.NO_FREQUENCY
    return gen, slab.blame(status, int(slab.starts[gen]))


def _dangling_reference(slab: Slab, tables: Tables) -> tuple[int, TraceError] | None:
    """Find the first generation with a frame or sample that names a missing string or stack (FORMAT 3.7)."""
    stack_of_sample = tables.stack_index.find(tables.samples["args"][:, 4], tables.samples["gen"])
    dangling = np.flatnonzero((tables.samples["args"][:, 4] != 0) & (stack_of_sample < 0))
    sample_gens = tables.samples["gen"][dangling]
    if 0 <= tables.dangling_pc < len(tables.pcs):
        frame = tables.pcs[tables.dangling_pc]
        gen = int(frame["gen"])
        if not (len(sample_gens) and sample_gens[0] < gen):
            name = "function" if frame["function"] and tables.functions[tables.dangling_pc] < 0 else "file"
            offset = int(tables.stacks[frame["stack"]]["offset"])
            return gen, _fault_at(slab, gen, offset, Status.UNKNOWN_STRING, int(frame[name]))
    if len(sample_gens):
        row = tables.samples[dangling[0]]
        gen = int(sample_gens[0])
        return gen, _fault_at(slab, gen, int(row["offset"]), Status.UNKNOWN_STACK, int(row["args"][4]))
    return None


def min_times(slab: Slab) -> npt.NDArray[np.uint64]:
    """Return the smallest base time of each generation in clock units; 0 counts as unset (FORMAT 4.5)."""
    times = slab.batches["time"].copy()
    marks = slab.batches["kind"] == BatchKind.END
    times[marks] = np.iinfo(np.uint64).max
    if not slab.n_gens:
        return np.empty(0, np.uint64)
    lowest = np.minimum.reduceat(times, slab.starts[:-1])
    for gen in np.flatnonzero(lowest == 0):
        rest = times[slab.starts[gen] : slab.starts[gen + 1]]
        rest = rest[~marks[slab.starts[gen] : slab.starts[gen + 1]]]
        rest = rest[np.flatnonzero(rest == 0)[-1] + 1 :]
        lowest[gen] = rest.min() if len(rest) else 0
    return lowest


def sample_times(tables: Tables) -> I8:
    """Return the times of the CPU samples in ns."""
    factors = clock.factor(tables.clocks["frequency"])
    return clock.to_ns(tables.samples["args"][:, 0], factors[tables.samples["gen"]])


class StringTable(Mapping[int, str]):
    """Strings of one generation by id; 0 is the empty string. Text is decoded on each access."""

    def __init__(self, tables: Tables, first: int, last: int) -> None:
        self._tables = tables
        self._rows = {int(i): first + row for row, i in enumerate(tables.strings["id"][first:last])}

    def __getitem__(self, key: int) -> str:
        return "" if key == 0 else self._tables.text(self._rows[key])

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class StackTable(Mapping[int, "list[Frame]"]):
    """Call stacks of one generation by id, leaf first; 0 is no stack."""

    def __init__(self, tables: Tables, first: int, last: int) -> None:
        self._tables = tables
        self._rows = {int(i): first + row for row, i in enumerate(tables.stacks["id"][first:last])}

    def __getitem__(self, key: int) -> list[Frame]:
        return [] if key == 0 else self._tables.stack(self._rows[key])

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
