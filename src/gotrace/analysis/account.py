"""Sentences that describe the samples and the accuracy of an estimate by site. Never here: the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gotrace.heap.table import SampleCounts
from gotrace.tables.sites import WITHIN
from gotrace.units import human_time

if TYPE_CHECKING:
    from gotrace.analysis.sites import Sites
    from gotrace.analysis.stacks import HeapStacks


def account_of_samples(counts: SampleCounts) -> list[str]:
    """Return one or two sentences on the number of samples and what they matched."""
    if not counts.samples:
        return ["No CPU samples: run a CPU profile (pprof.StartCPUProfile) while tracing to estimate allocation sites."]
    sentence = (
        f"{counts.allocating:,} of {counts.samples:,} CPU samples are in the allocator: {counts.matched:,} matched an "
        f"allocation (within {human_time(WITHIN)}), {counts.unclear:,} are ambiguous, {counts.unmatched:,} matched no "
        "allocation."
    )
    return [sentence] if counts.matched else [sentence, "Allocation sites are therefore unknown."]


def account(result: Sites | HeapStacks) -> list[str]:
    """Return sentences on the samples and the accuracy of allocations by site."""
    sentences = account_of_samples(result)
    if not result.matched:
        return sentences
    return [
        *sentences,
        f"Totals by type are exact; shares by site are estimates. Types with samples have {result.covered:.1%} of the "
        "allocated bytes.",
    ]
