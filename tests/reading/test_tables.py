"""The hash tables' multiplier."""

from __future__ import annotations

import numpy as np

from gotrace.hashing import MULTIPLIER, spreads


def crowd(multiplier: int, bits: int) -> int:
    """Most of the numbers 0, 1, 2, ... that share a place, when they are half as many as there are places."""
    keys = np.arange(1 << (bits - 1), dtype=np.uint64)
    places = (keys * np.uint64(multiplier)) >> np.uint64(64 - bits)
    return int(np.bincount(places.astype(np.int64)).max())


def test_numbers_that_follow_each_other_spread() -> None:
    assert spreads(MULTIPLIER)
    assert max(crowd(MULTIPLIER, bits) for bits in range(2, 17)) <= 3


def test_a_bad_multiplier_is_not_drawn() -> None:
    for bad in (1, 3, (1 << 63) + 1, (1 << 64) // 3 | 1, 0x0001000000000001):
        assert not spreads(bad)
    assert crowd(0x0001000000000001, 10) == 64
