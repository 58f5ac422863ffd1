"""Hash tables over ids: a random multiplier, an index of ids by generation, and maps. Never here: what an id means."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from gotrace._hashmap import HashMap, IdIndex
from gotrace.dtypes import I4, I8


def spreads(multiplier: int) -> bool:
    """True if the multiplier spreads consecutive numbers evenly over a hash table of any size.

    By the three-distance theorem, it does so if no early term of the continued fraction of ``multiplier / 2**64`` is
    large.
    """
    whole, part = 1 << 64, multiplier
    for _ in range(_TERMS):
        term, rest = divmod(whole, part)
        if term > _LARGEST_TERM or not rest:
            return False
        whole, part = part, rest
    return True


def _draw() -> int:
    while not spreads(multiplier := int.from_bytes(os.urandom(8), "little") | 1):
        pass
    return multiplier


_TERMS, _LARGEST_TERM = 16, 8  # about one number in 20 passes: too many to guess
MULTIPLIER: int = _draw()
"""Multiplier of all hash tables of this process, random so that a hostile trace cannot make ids collide."""


class Index:
    """Index of the ids of each generation of a segment, with the row that defines each id.

    Attributes
    ----------
    at, bits, keys, vals : ndarray
        The hash tables of all generations, in the layout of :class:`gotrace._hashmap.IdIndex`.
    first : ndarray of int64
        For each row, the first row with the same id in its generation.
    kernel : IdIndex
        The same tables, for kernels.
    """

    def __init__(self, gens: I4, n_gens: int) -> None:
        counts = np.bincount(gens, minlength=n_gens)
        some = counts > 0
        self.bits = np.zeros(n_gens, np.uint8)
        self.bits[some] = np.ceil(np.log2(counts[some] + 1)).astype(np.uint8) + 1
        sizes = np.where(some, np.int64(1) << self.bits.astype(np.int64), 0)
        self.at: I8 = np.cumsum(sizes) - sizes
        total = int(sizes.sum())
        self.keys = np.empty(total, np.uint64)
        self.vals = np.zeros(total, np.int32)
        self.first: I8 = np.empty(len(gens), np.int64)
        self.kernel = IdIndex(self.at, self.bits, self.keys, self.vals, MULTIPLIER)

    def find(self, ids: npt.NDArray[np.uint64], gens: I4) -> I8:
        """Return the rows of ``ids`` in their generations, -1 for an unknown id."""
        rows = np.empty(len(ids), np.int64)
        self.kernel.find(np.ascontiguousarray(ids), np.ascontiguousarray(gens), rows)
        return rows


def make_index(ids: npt.NDArray[np.uint64], gens: I4, n_gens: int) -> Index:
    """Return an index of ids by generation."""
    index = Index(gens, n_gens)
    index.kernel.add(np.ascontiguousarray(ids), np.ascontiguousarray(gens), index.first)
    return index


def new_map(places: int) -> HashMap:
    """Return an empty map; ``places``, its capacity, is a power of two."""
    return HashMap(np.empty(places, np.uint64), np.zeros(places, np.int32), MULTIPLIER)


def rehashed(old: HashMap) -> HashMap:
    """Return a map twice as large with the same keys."""
    new = new_map(2 * old.places)
    new.fill(old)
    return new
