"""Windows of utilization, against every position."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gotrace.analysis.mmu import MMU
from gotrace.analysis.utilization import UTIL

levels = st.lists(st.tuples(st.integers(1, 9), st.sampled_from((0.0, 0.25, 0.5, 1.0))), min_size=1, max_size=8)


@given(st.lists(levels, min_size=1, max_size=3), st.integers(1, 40))
def test_windows(functions: list[list[tuple[int, float]]], window: int) -> None:
    series, means, all_shorter = [], [], True
    for function in functions:
        times = np.append(0, np.cumsum([length for length, _ in function]))
        series.append(np.array(list(zip(1000 + times, [u for _, u in function] + [0.0], strict=True)), UTIL))
        instants = [util for length, util in function for _ in range(length)]
        width = min(window, len(instants))
        all_shorter &= len(instants) <= window
        means += [sum(instants[i : i + width]) / width for i in range(len(instants) - width + 1)]
    mmu = MMU(series)
    least = mmu.mmu(window)
    assert least == pytest.approx(min(means))
    quantiles = mmu.mud(window, [0, 0.3, 0.6, 1])
    assert (np.diff(quantiles) >= -1e-9).all()
    if all_shorter:
        assert quantiles == pytest.approx(np.full(4, least))
    worst = mmu.worst(window, 5)
    assert worst[0].util == least
    starts = sorted(one.start for one in worst)
    assert all(later - earlier >= window for earlier, later in pairwise(starts))


def test_distribution() -> None:
    series = np.array([(0, 1.0), (50, 0.0), (60, 1.0), (110, 0.0)], UTIL)
    # A window of 10 moves over 100 positions: over 80 of them it is at 1, and over 20 it goes to 0 and back.
    quantiles = MMU([series]).mud(10, [0, 0.1, 0.2, 0.5])
    assert quantiles == pytest.approx(np.array([0, 0.5, 1, 1]))
