"""Builders of generations, strings, stacks, frames, samples and types: segments come in, rows go out.

Never here: events.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gotrace.dtypes import (
    FRAME,
    GENERATION,
    SAMPLE,
    STACK,
    STRING,
    TYPE,
    Rows,
    State,
    opaque,
)
from gotrace.experiments.batches import alloc_free
from gotrace.order.driver import time_order
from gotrace.tables.builder import Builder
from gotrace.tables.passes import ReadPass
from gotrace.wire import clock
from gotrace.wire.segments import Segment
from gotrace.wire.structure import min_times, sample_times


class GenerationBuilder(Builder):
    """Rows of GENERATION; also counts events by type in ``counts``."""

    dtype = GENERATION

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        self.registry = read_pass.registry
        self._warn = read_pass.warn
        self.counts = np.zeros(256, np.int64)

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield a row for each generation of a segment."""
        slab, tables = segment.slab, segment.tables
        by_thread = segment.by_thread()
        counts, ends, fault = segment.count(by_thread)
        self.counts += counts.sum(axis=0)
        for event in (e for e in self.registry.events if e.timed and e.since > slab.version.number):
            for newer in np.flatnonzero(counts[:, event.id]).tolist():
                self._warn(
                    f"{segment.place(newer)}: {event.name} events, which header 1.{slab.version.number} does not define"
                )
        table = np.zeros(slab.n_gens, GENERATION)
        factors = clock.factor(tables.clocks["frequency"])
        first = slab.batches["offset"][slab.starts[:-1]]
        table["number"] = slab.numbers
        table["offset"] = first
        table["nbytes"] = np.diff(np.concatenate((first, [slab.end])))
        table["start"] = clock.to_ns(min_times(slab), factors)
        table["end"] = np.maximum(ends, table["start"])
        table["frequency"] = tables.clocks["frequency"]
        table["events"] = counts.sum(axis=1)
        table["batches"] = np.diff(slab.starts)
        if slab.version.end_marks:
            table["batches"] -= 1
        table["threads"] = np.bincount(
            np.repeat(np.arange(slab.n_gens), np.diff(by_thread.first))[by_thread.cursors["m"] != -1],
            minlength=slab.n_gens,
        )
        for name, rows in (("strings", tables.strings), ("stacks", tables.stacks), ("samples", tables.samples)):
            table[name] = np.bincount(rows["gen"], minlength=slab.n_gens)
        for gen, data in alloc_free(segment, self.registry, self._warn):
            table["types"][gen] = len(data.types)
        table["wall"] = wall_at(tables.clocks, factors, table["start"])
        if slab.cut:
            table["state"][-1] = State.CUT
        if fault["status"] < 0:
            whole = int(slab.batches[fault["batch"]]["gen"])
            yield table[:whole]
            raise segment.error(fault)
        yield table


def wall_at(clocks: Rows, factors: npt.NDArray[np.float64], times: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Return the wall-clock times of ``times`` in ns, one per generation; NaT without a clock snapshot."""
    snapped = clock.to_ns(clocks["time"], factors)
    wall = np.full(len(times), np.datetime64("NaT", "ns"))
    for i in np.flatnonzero(clocks["n_snapshots"]):
        wall[i] = clock.wall_ns(int(clocks["sec"][i]), int(clocks["nsec"][i]) + int(times[i]) - int(snapped[i]))
    return wall  # type: ignore[return-value]


class _LookupBuilder(Builder):
    """A table that other tables refer to by row: row 0 means none, and rows are numbered over the whole trace."""

    lookup = True

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        self._pass = read_pass
        self._none_yielded = False

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield a segment's rows, with row 0 before the first ones."""
        yield from self.flush()
        yield self.rows(segment)

    def flush(self) -> Iterator[Rows]:
        """Yield row 0 unless it was already yielded."""
        if not self._none_yielded:
            self._none_yielded = True
            yield self.none()

    def none(self) -> Rows:
        """Return row 0."""
        return np.zeros(1, self.dtype)

    def rows(self, segment: Segment) -> Rows:
        """Return the rows of a segment."""
        raise NotImplementedError


class StringBuilder(_LookupBuilder):
    """Rows of STRING."""

    dtype = STRING

    def none(self) -> Rows:
        """Return row 0, the empty string."""
        row = super().none()
        row["text"] = ""
        return row

    def rows(self, segment: Segment) -> Rows:
        """Return the decoded strings of a segment."""
        strings = segment.tables.strings
        table = np.zeros(len(strings), STRING)
        table["text"] = [segment.tables.text(row) for row in range(len(strings))]
        table["id"] = strings["id"]
        table["generation"] = segment.slab.numbers[strings["gen"]]
        return table


class StackBuilder(_LookupBuilder):
    """Rows of STACK."""

    dtype = STACK

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        super().__init__(read_pass, length)
        self._n_frames = 0

    def rows(self, segment: Segment) -> Rows:
        """Return the stacks of a segment, as ranges of the table of frames."""
        stacks = segment.tables.stacks
        table = np.zeros(len(stacks), STACK)
        table["id"] = stacks["id"]
        table["first"] = stacks["first"] + self._n_frames
        table["n_frames"] = stacks["n_frames"]
        table["generation"] = segment.slab.numbers[stacks["gen"]]
        self._n_frames += len(segment.tables.frames)
        return table


class FrameBuilder(Builder):
    """Rows of FRAME, stack by stack, leaf first."""

    dtype = FRAME
    lookup = True

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        self._n_strings = self._n_stacks = 1

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield a segment's frames; they refer to strings and stacks by row."""
        tables = segment.tables
        pcs = tables.pcs[tables.frames]
        table = np.zeros(len(pcs), FRAME)
        table["pc"] = pcs["pc"]
        table["line"] = pcs["line"]
        for name, rows in (("function", tables.functions[tables.frames]), ("file", tables.files[tables.frames])):
            table[name] = np.where(rows < 0, 0, rows + self._n_strings)
        table["stack"] = np.repeat(np.arange(len(tables.stacks)), tables.stacks["n_frames"]) + self._n_stacks
        self._n_strings += len(tables.strings)
        self._n_stacks += len(tables.stacks)
        yield table


class SampleBuilder(Builder):
    """Rows of SAMPLE: CPU samples of each generation by time, equal times in Go's order."""

    dtype = SAMPLE

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        self._n_stacks = 1

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield a segment's samples."""
        tables = segment.tables
        samples = tables.samples
        args = samples["args"].astype(np.int64)
        table = np.zeros(len(samples), SAMPLE)
        table["time"] = sample_times(tables)
        table["offset"] = samples["offset"]
        table["m"] = args[:, 1]
        table["p"] = np.clip(args[:, 2], -(2**31), 2**31 - 1)
        table["g"] = np.where(args[:, 3] == 0, -1, args[:, 3])
        rows = tables.stack_index.find(samples["args"][:, 4], samples["gen"])
        table["stack"] = np.where(rows < 0, 0, rows + self._n_stacks)
        table["generation"] = segment.slab.numbers[samples["gen"]]
        self._n_stacks += len(tables.stacks)
        firsts = np.searchsorted(samples["gen"], np.arange(segment.slab.n_gens + 1))
        yield opaque(table)[time_order(table["time"], firsts)].view(SAMPLE)


class TypeBuilder(Builder):
    """Rows of TYPE: 0 untyped, 1 unresolved, then each descriptor as it first appears."""

    dtype = TYPE
    lookup = True

    def __init__(self, read_pass: ReadPass, length: int) -> None:
        self._pass = read_pass
        self._n_yielded = 0

    def feed(self, segment: Segment) -> Iterator[Rows]:
        """Yield the types that a segment adds."""
        self._pass.types.enter([data for _, data in alloc_free(segment, self._pass.registry, self._pass.warn)])
        yield from self.flush()

    def flush(self) -> Iterator[Rows]:
        """Yield the rows that were not yielded yet."""
        if self._n_yielded < len(self._pass.types):
            rows = self._pass.types.rows(self._n_yielded)
            self._n_yielded = len(self._pass.types)
            yield rows
