"""One generation of a trace: a segment comes in; its strings, stacks, samples and experiments go out by id.

Never here: decoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gotrace.experiments import ExperimentData, Registry
from gotrace.experiments.batches import experiment_data
from gotrace.order.driver import time_order
from gotrace.tables.passes import TraceReader
from gotrace.tables.table import Table
from gotrace.units import human_count
from gotrace.views import View, Viewed
from gotrace.wire.clock import Clock, to_ns, wall_ns
from gotrace.wire.segments import Segment
from gotrace.wire.structure import StackTable, StringTable


class Generations(Table):
    """Table ``generations``; iteration yields :class:`Generation` objects."""

    def __iter__(self) -> Iterator[Generation]:
        reader = self._reader
        for segment in reader.segments():
            if reader.source.once:  # the window moves on
                segment.tables.data = segment.tables.data.copy()
            for gen in range(segment.slab.n_gens):
                yield Generation(reader, segment, gen)


class Generation(Viewed):
    """One generation of a trace.

    Attributes
    ----------
    number : int
        Number in the trace.
    offset, nbytes : int
        Absolute byte of its first batch, and size of all its batches.
    clock : Clock
    experiments : ExperimentTable
    """

    def __init__(self, reader: TraceReader, segment: Segment, gen: int) -> None:
        slab, tables = segment.slab, segment.tables
        self.number = int(slab.numbers[gen])
        self.offset = int(slab.batches["offset"][slab.starts[gen]])
        after = slab.starts[gen + 1]
        self.nbytes = (int(slab.batches["offset"][after]) if after < len(slab.batches) else slab.end) - self.offset
        row = tables.clocks[gen]
        ns = 1.0 / (float(row["frequency"]) / 1e9)
        snapped = bool(row["n_snapshots"])
        self.clock = Clock(
            int(row["frequency"]),
            int(to_ns(row["time"].reshape(1), ns)[0]) if snapped else None,
            int(row["mono"]) if snapped else None,
            wall_ns(int(row["sec"]), int(row["nsec"])) if snapped else None,
        )
        self.experiments = ExperimentTable(
            reader.experiments,
            {
                number: reader.experiment_data.setdefault((self.offset, number), data)
                for (of, number), data in experiment_data(segment, reader.experiments).items()
                if of == gen
            },
        )
        self._tables = tables
        self._strings = np.searchsorted(tables.strings["gen"], [gen, gen + 1])
        self._stacks = np.searchsorted(tables.stacks["gen"], [gen, gen + 1])
        self._samples = np.searchsorted(tables.samples["gen"], [gen, gen + 1])
        self._factor = ns

    def view(self) -> View:
        """Return where it is in the trace, and how much it contains."""
        counts = {"strings": len(self.strings), "stacks": len(self.stacks), "samples": int(np.diff(self._samples)[0])}
        counts |= {f"batches of {data.experiment.name}": len(data.batches) for data in self.experiments.values()}
        facts = f"number {self.number}, {human_count(self.nbytes, 'byte')} at {self.offset:,}"
        return View(facts, ("content", "number"), counts.items(), len(counts), str(self.clock))

    @property
    def strings(self) -> StringTable:
        """Strings by id."""
        return StringTable(self._tables, *map(int, self._strings))

    @property
    def stacks(self) -> StackTable:
        """Call stacks by id: lists of :class:`Frame`, leaf first."""
        return StackTable(self._tables, *map(int, self._stacks))

    @property
    def samples(self) -> list[tuple[int, int, int, int, int]]:
        """CPU samples by time, as in table ``samples``: time in ns, m, p, g and stack id; -1 for none."""
        args = self._tables.samples["args"][slice(*map(int, self._samples))]
        times = to_ns(args[:, 0], self._factor)
        signed = args.astype(np.int64)
        signed[:, 3][signed[:, 3] == 0] = -1
        return [
            (int(times[i]), int(signed[i, 1]), int(signed[i, 2]), int(signed[i, 3]), int(args[i, 4]))
            for i in time_order(times, np.array([0, len(times)]))
        ]


class ExperimentTable(Mapping[int | str, ExperimentData]):
    """Experiments of one generation that have batches, by number or name."""

    def __init__(self, known: Registry, data: dict[int, ExperimentData]) -> None:
        self._known = known
        self._data = data

    def __getitem__(self, key: int | str) -> ExperimentData:
        return self._data[self._known[key].id if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"<experiments {', '.join(data.experiment.name for data in self._data.values()) or 'none'}>"
