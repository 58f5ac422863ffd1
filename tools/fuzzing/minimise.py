"""Smaller inputs with the same problem: batches, records and bytes are removed. Never here: what a problem is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from fuzzing.mutate import encoded, records, split
from gotrace.raw import Batch
from gotrace.wire.header import SIZE

Part = TypeVar("Part")
SECONDS = 60
FEW_BYTES = 600


def minimised(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Return a smaller input for which ``fails`` is true, as it is for this one."""
    end = time.monotonic() + SECONDS
    first, items = data[:SIZE], split(data)

    def still(whole: bytes) -> bool:
        return time.monotonic() < end and fails(whole)

    items = _fewer(items, lambda kept: still(first + encoded(kept)))
    for at, item in enumerate(items):
        if isinstance(item, Batch):

            def batch(kept: Sequence[bytes], item: Batch = item) -> Batch:
                return replace(item, data=b"".join(kept))

            def whole(kept: Sequence[bytes], at: int = at) -> bytes:
                return first + encoded([*items[:at], batch(kept), *items[at + 1 :]])

            parts = [record.encode() for record in records(item.data, item.experiment is not None)]
            items[at] = batch(_fewer(parts, lambda kept: still(whole(kept))))
    smallest = first + encoded(items)
    if not fails(smallest):  # numbers in another form than the shortest were at fault
        smallest = data
    if len(smallest) <= FEW_BYTES:
        smallest = b"".join(_fewer([bytes([byte]) for byte in smallest], lambda kept: still(b"".join(kept))))
    return smallest


def _fewer(parts: Sequence[Part], fails: Callable[[list[Part]], bool]) -> list[Part]:
    """Remove parts, many at a time at first, as long as ``fails`` stays true."""
    kept = list(parts)
    size = len(kept)
    while size:
        at = 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            if fails(fewer):
                kept = fewer
            else:
                at += size
        size //= 2
    return kept
