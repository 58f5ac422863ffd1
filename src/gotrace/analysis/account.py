"""What an estimate of sites rests on, in words. Never here: the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gotrace.heap.table import SampleCounts
from gotrace.tables.sites import WITHIN
from gotrace.units import human_time

if TYPE_CHECKING:
    from gotrace.analysis.sites import Sites


def account_of_samples(counts: SampleCounts) -> list[str]:
    """Say how many samples there were and what became of them: a sentence or two."""
    if not counts.samples:
        return ["No CPU samples: run a CPU profile (pprof.StartCPUProfile) while tracing to learn who allocates."]
    said = (
        f"{counts.allocating:,} of {counts.samples:,} CPU samples stand in the allocator: {counts.matched:,} found the "
        f"allocation they belong to (within {human_time(WITHIN)}), {counts.unclear:,} stand where it is not clear, "
        f"{counts.unmatched:,} found none."
    )
    return [said] if counts.matched else [said, "So it is not known who allocates."]


def account(found: Sites) -> list[str]:
    """Say what an estimate of what was allocated rests on: a few sentences."""
    said = account_of_samples(found)
    if not found.matched:
        return said
    rows = found.table
    told = int(rows["bytes"][rows["samples"] > 0].sum()) / max(int(rows["bytes"].sum()), 1)
    return [
        *said,
        f"Numbers of each type are exact, its shares by site are estimates; types with samples have {told:.1%} of the "
        "allocated bytes.",
    ]
