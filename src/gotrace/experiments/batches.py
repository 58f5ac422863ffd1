"""Experimental batches of a segment, grouped by generation and experiment.

Never here: what one experiment means.
"""

from __future__ import annotations

from collections.abc import Iterator

from gotrace.errors import ExperimentError, InternalError
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


def alloc_free(segment: Segment, registry: Registry) -> Iterator[tuple[int, AllocFreeData]]:
    """Yield the index of each generation with AllocFree batches, and their tables; an error names the generation."""
    for (gen, number), data in sorted(experiment_data(segment, registry).items(), key=lambda item: item[0]):
        if number != ALLOC_FREE:
            continue
        try:
            parsed = data.parsed
        except ExperimentError as error:
            batches = segment.slab.batches
            row = batches[(batches["gen"] == gen) & (batches["experiment"] == number)][0]
            placed = ExperimentError(
                error.detail,
                path=segment.slab.path,
                offset=int(row["offset"]),
                generation=data.generation,
                m=int(row["m"]),
            )
            if segment.losses is None:
                raise placed from None
            segment.losses.add(placed, "the experiment's tables are lost")
            continue
        if not isinstance(parsed, AllocFreeData):
            raise InternalError("AllocFree was registered with another parser")
        yield gen, parsed
