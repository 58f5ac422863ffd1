"""What an estimate of sites rests on, in words. Never here: the estimate."""

from __future__ import annotations

from gotrace.analysis.sites import WITHIN, Sites
from gotrace.report.common import human_time


def account(found: Sites) -> list[str]:
    """Say how many samples there were, what became of them, and what that means: a few sentences."""
    if not found.samples:
        return ["No CPU samples: run a CPU profile (pprof.StartCPUProfile) while tracing to learn who allocates."]
    said = [
        f"{found.allocating:,} of {found.samples:,} CPU samples stand in the allocator: {found.matched:,} found the "
        f"allocation they belong to (within {human_time(WITHIN)}), {found.unclear:,} stand where it is not clear, "
        f"{found.unmatched:,} found none."
    ]
    if not found.matched:
        return [*said, "So it is not known who allocates."]
    rows = found.table
    told = int(rows["bytes"][rows["samples"] > 0].sum()) / max(int(rows["bytes"].sum()), 1)
    return [
        *said,
        f"Numbers of each type are exact, its shares by site are estimates; types with samples have {told:.1%} of the "
        "allocated bytes.",
    ]
