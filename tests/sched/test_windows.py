"""Overlap of intervals with windows, against sets of instants."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gotrace.analysis.windows import Windows

intervals = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(0, 30)), max_size=12)


@given(intervals, intervals)
def test_overlap(windows: list[tuple[int, int, int]], queries: list[tuple[int, int, int]]) -> None:
    columns = np.array(windows, np.int64).reshape(-1, 3).T
    union = Windows.union(*columns)
    covered = {(key, t) for key, start, end in windows for t in range(start, end)}
    assert sum(union.end - union.start) == len(covered)
    key, start, end = np.array(queries, np.int64).reshape(-1, 3).T
    wanted = [sum((k, t) in covered for t in range(a, b)) for k, a, b in queries]
    assert union.overlap(key, start, end).tolist() == wanted
