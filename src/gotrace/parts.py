"""Parts: slabs with their tables, and what each stage asks of them.

Never here: rows of a user's table, the order of events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gotrace import _decode, clock
from gotrace.dtypes import GEN, MARK, BatchKind
from gotrace.errors import ExperimentError, InternalError, TraceError, new_fault
from gotrace.experiments import ExperimentData, Registry
from gotrace.experiments.allocfree import AllocFreeData
from gotrace.losses import Losses
from gotrace.slabs import Rows, Runs, Slab, group_runs, read_slabs
from gotrace.source import Source
from gotrace.spec import tables as spec_tables
from gotrace.spec.events import ALLOC_FREE
from gotrace.spec.versions import Version
from gotrace.tables import Tables, min_times, read_tables

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from gotrace.second import OneAhead

_TOLD = 64  # damaged batches of a part that are told one by one


class Part:
    """A slab with its tables: what builders are fed."""

    def __init__(
        self, slab: Slab, tables: Tables, registry: Registry, losses: Losses | None = None, *, torn: bool = False
    ) -> None:
        self.slab = slab
        self.losses = losses
        self.torn = torn  # something before it was lost
        self.notes: list[str] = []  # warnings, for when its turn comes
        self.helper: Executor | None = None  # the second thread, and
        self.following: OneAhead[Part] | None = None  # what it reads meanwhile
        self.tables = tables
        self.registry = registry
        self._experiments: dict[tuple[int, int], ExperimentData] | None = None
        self._runs: Runs | None = None

    @property
    def start(self) -> int:
        """Earliest time of its first generation, in ns; of a trace's first part, its start."""
        return int(clock.to_ns(min_times(self.slab)[:1], clock.factor(self.tables.clocks["frequency"][:1]))[0])

    def experiments(self) -> dict[tuple[int, int], ExperimentData]:
        """Batches of experiments by (generation of the slab, number of the experiment)."""
        if self._experiments is None:
            self._experiments = {}
            slab = self.slab
            rows = slab.batches[slab.batches["kind"] == BatchKind.EXPERIMENT]
            starts = rows["offset"] - slab.base + rows["head"]
            columns = (rows["gen"], rows["experiment"], rows["m"], starts, starts + rows["size"])
            for gen, number, m, start, end in zip(*(column.tolist() for column in columns), strict=True):
                data = self._experiments.get((gen, number))
                if data is None:
                    data = ExperimentData(self.registry[number], int(slab.numbers[gen]), [])
                    self._experiments[gen, number] = data
                data.batches.append((m, slab.data[start:end].tobytes()))
        return self._experiments

    def alloc_free(self) -> Iterator[tuple[int, AllocFreeData]]:
        """Yield what the AllocFree batches of each generation say; an error says which generation."""
        for (gen, number), data in sorted(self.experiments().items(), key=lambda item: item[0]):
            if number != ALLOC_FREE:
                continue
            try:
                parsed = data.parsed
            except ExperimentError as error:
                batches = self.slab.batches
                row = batches[(batches["gen"] == gen) & (batches["experiment"] == number)][0]
                placed = ExperimentError(
                    error.detail,
                    path=self.slab.path,
                    offset=int(row["offset"]),
                    generation=data.generation,
                    m=int(row["m"]),
                )
                if self.losses is None:
                    raise placed from None
                self.losses.add(placed, "the experiment's tables are lost")
                continue
            if not isinstance(parsed, AllocFreeData):
                raise InternalError("AllocFree was registered with another parser")
            yield gen, parsed

    def runs(self) -> Runs:
        """Event batches by thread; the RUN rows are a fresh copy at each call."""
        if self._runs is None:
            self._runs = group_runs(self.slab)
        return Runs(self._runs.order, self._runs.runs.copy(), self._runs.first)

    def gens(self, runs: Runs) -> Rows:
        """Rows of GEN with clock and runs."""
        gens = np.zeros(self.slab.n_gens, GEN)
        gens["number"] = self.slab.numbers
        gens["factor"] = clock.factor(self.tables.clocks["frequency"])
        gens["first_run"] = runs.first[:-1]
        gens["n_runs"] = np.diff(runs.first)
        return gens

    def trim(self) -> int:
        """Leave out events that cannot be decoded, and what stands behind them; from how many batches."""
        runs = self.runs()
        if not len(runs.runs) or self.losses is None:
            return 0
        faults = np.repeat(new_fault(), _TOLD)
        slab = self.slab
        n, nbytes = _decode.trim(
            *(slab.data, slab.base, slab.batches, runs.order, spec_tables.timed_args(self.registry.events)),
            *(runs.runs, faults),
        )
        for fault in faults[:n]:
            self.losses.add(self.error(fault), f"{int(fault['limit']):,} bytes of a batch are lost")
        if n > _TOLD:
            more = nbytes - int(faults["limit"].sum())
            self.losses.note(f"{self.place(0)}: {more:,} bytes of {n - _TOLD:,} more batches are lost")
        return n

    def marks(self, registry: Registry, kinds: tuple[int, ...]) -> Rows:
        """Pick out the events of some types, thread by thread; the snapshot events of a thread are one row."""
        runs = self.runs()
        if not len(runs.runs):
            return np.empty(0, MARK)
        slab = self.slab
        wanted = np.zeros(256, np.uint8)
        wanted[list(kinds)] = 1
        n_args, gens = spec_tables.timed_args(registry.events), self.gens(runs)
        marks = np.empty(64, MARK)
        while True:
            rows = runs.runs.copy()
            n = _decode.marks(slab.data, slab.base, slab.batches, runs.order, n_args, gens, rows, wanted, marks)
            if n <= len(marks):
                return marks[:n]
            marks = np.empty(n, MARK)

    def pass_over(self, fault: np.void, briefs: Rows) -> bool:
        """To salvage, make an event that makes no sense one without effect; whether that was done."""
        if self.losses is None:
            return False
        self.losses.add(self.error(fault), "an event is left out")
        briefs["place"][briefs["place"] >> 8 == int(fault["offset"]) - self.slab.base] &= ~0xFF
        return True

    def n_events(self, registry: Registry) -> int:
        """How many events there are."""
        runs = self.runs()
        counts = np.zeros((self.slab.n_gens, 256), np.int64)
        ends = np.zeros(self.slab.n_gens, np.int64)
        n_args = spec_tables.timed_args(registry.events)
        if len(runs.runs):
            slab = self.slab
            _decode.count(
                *(slab.data, slab.base, slab.batches, runs.order, n_args, self.gens(runs), runs.runs, counts, ends),
                new_fault(),
            )
        return int(counts.sum())

    def place(self, gen: int) -> str:
        """Say where a generation is, for warnings."""
        offset = int(self.slab.batches["offset"][self.slab.starts[gen]])
        return f"generation {int(self.slab.numbers[gen])} (byte {offset})"

    def drop(self) -> None:
        """Let go of the input's bytes, so that a stream's block is free before the next one fills."""
        self.slab.data = self.tables.data = np.empty(0, np.uint8)

    def error(self, fault: np.void) -> TraceError:
        """Make the exception of an event's fault."""
        return self.slab.error(fault, self.registry.event_names.get(int(fault["type"])))


def read_parts(
    source: Source,
    version: Version,
    start: int,
    registry: Registry,
    losses: Losses | None = None,
    *,
    ahead: bool = False,
) -> Iterator[Part]:
    """Yield the parts of a trace; raises what ends it after the last one, or notes ``losses`` and goes on.

    With ``ahead``, a part is still in use when the next one is asked for.
    """
    last: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
    frequency = 0
    torn = False
    for slab in read_slabs(source, version, start, losses, ahead=ahead):
        tables = read_tables(slab, losses, frequency)
        if slab.n_gens:
            numbers = np.concatenate((last, slab.numbers))
            leaps = np.flatnonzero(numbers[1:] != numbers[:-1] + np.uint64(1))
            torn |= bool(len(leaps)) and not version.end_marks
            part = Part(slab, tables, registry, losses, torn=torn)
            for leap in leaps.tolist():
                gen = leap + 1 - len(last)
                note = losses.note if losses is not None and torn else part.notes.append
                note(f"{part.place(gen)}: follows generation {int(numbers[leap])}")
            last = slab.numbers[-1:]
            frequency = int(tables.clocks["frequency"][-1])
            torn = part.trim() + slab.gaps > 0
            yield part
        if slab.fault is not None:
            if losses is None:
                raise slab.hand_over()
            losses.add(slab.fault, "what comes next is lost")
            torn = True
