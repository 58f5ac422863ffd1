"""Percentiles of durations, against sorted lists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gotrace.analysis.latency import Distributions, go_histogram

LARGEST = 2**62
values = st.one_of(st.integers(0, 300), st.integers(0, LARGEST), st.integers(0, 62).map(lambda k: 2**k))
samples = st.lists(st.tuples(st.integers(0, 5), values), max_size=60)


@given(st.lists(samples, max_size=4), st.floats(0.001, 1))
def test_percentiles(pieces: list[list[tuple[int, int]]], q: float) -> None:
    found = Distributions()
    for piece in pieces:
        found.add([group for group, _ in piece], [value for _, value in piece])
    percentiles = found.percentile(q).tolist()
    for group in range(len(found)):
        known = sorted(value for piece in pieces for g, value in piece if g == group)
        assert found.count[group] == len(known)
        assert sum(found.histogram(group)[1]) == len(known)
        if not known:
            assert (found.min[group], found.max[group], percentiles[group]) == (-1, -1, -1)
            continue
        assert (found.min[group], found.max[group]) == (known[0], known[-1])
        assert (int(found.sum[group]) - sum(known)) % 2**64 == 0
        rank = max(math.ceil(q * len(known)), 1)
        exact = known[rank - 1]
        assert abs(percentiles[group] - exact) <= 0.008 * exact
        if exact < 128 or rank in (1, len(known)):
            assert percentiles[group] == exact


@given(st.lists(st.integers(0, 10**14), min_size=1))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_buckets_of_go(durations: list[int]) -> None:
    durations += [10**k for k in range(15)]
    wanted = [int(math.log(d) / math.log(10**0.2)) if d else 0 for d in durations]
    assert go_histogram(durations).tolist() == np.bincount(wanted).tolist()
