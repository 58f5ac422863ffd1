"""Experimental batches of a segment, grouped by generation and experiment.

Never here: what one experiment means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gotrace.errors import InternalError
from gotrace.experiments import ExperimentData, Registry
from gotrace.experiments.allocfree import AllocFreeData
from gotrace.spec.events import ALLOC_FREE
from gotrace.wire.rows import BatchKind
from gotrace.wire.segments import Segment

_KEY = "experiments"  # in Segment.derived


def experiment_data(segment: Segment, registry: Registry) -> dict[tuple[int, int], ExperimentData]:
    """Return the batches of experiments by index of the generation in the segment, and id of the experiment."""
    found: dict[tuple[int, int], ExperimentData] | None = segment.derived.get(_KEY)
    if found is None:
        found = segment.derived[_KEY] = {}
        slab = segment.slab
        rows = slab.batches[slab.batches["kind"] == BatchKind.EXPERIMENT]
        starts = rows["offset"] - slab.base + rows["head"]
        columns = (rows["gen"], rows["experiment"], rows["m"], starts, starts + rows["size"])
        for gen, number, m, start, end in zip(*(column.tolist() for column in columns), strict=True):
            data = found.get((gen, number))
            if data is None:
                data = found[gen, number] = ExperimentData(registry[number], int(slab.numbers[gen]), [])
            data.batches.append((m, slab.data[start:end].tobytes()))
    return found


def alloc_free(
    segment: Segment, registry: Registry, warn: Callable[[str], None] = lambda note: None
) -> Iterator[tuple[int, AllocFreeData]]:
    """Yield the AllocFree tables of each generation; ``warn`` is called with what is odd or damaged about them."""
    for (gen, number), data in sorted(experiment_data(segment, registry).items(), key=lambda item: item[0]):
        if number != ALLOC_FREE:
            continue
        tables = data.parsed
        if not isinstance(tables, AllocFreeData):
            raise InternalError("AllocFree was registered with another parser")
        for note in tables.notes:
            warn(f"{segment.place(gen)}: {note}")
        if tables.damage:
            batches = segment.slab.batches
            rows = batches[(batches["gen"] == gen) & (batches["experiment"] == number)]
            for damage in tables.damage:
                row = rows[damage.batch]
                offset = int(row["offset"]) + int(row["head"]) + damage.at
                warn(f"generation {data.generation} (byte {offset}): {damage.detail}")
        yield gen, tables
