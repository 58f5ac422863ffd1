"""Timed events of traces as arrays, from a decoder in plain Python. Never here: assertions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gotrace.experiments import registry
from gotrace.raw import Batch, Reader

WIDTH = 4  # arguments of an event without its time, at most


@dataclass
class Events:
    """Events of one thread: wire types, times in clock units, arguments."""

    types: npt.NDArray[np.uint8]
    times: npt.NDArray[np.uint64]
    args: npt.NDArray[np.uint64]

    def only(self, which: npt.NDArray[np.bool_]) -> Events:
        """Return the events selected by a mask."""
        return Events(self.types[which], self.times[which], self.args[which])


def is_events(batch: Batch) -> bool:
    """Return True if the batch holds timed events."""
    return batch.experiment is None and bool(batch.data) and batch.data[0] not in (2, 4, 6, 8, 50)


def decode(batch: Batch) -> Iterator[tuple[int, int, list[int]]]:
    """Yield type, time and arguments of each event."""
    counts = {spec.id: len(spec.args) for spec in registry().events if spec.timed}
    data, at, time = batch.data, 0, batch.time
    while at < len(data):
        kind = data[at]
        at += 1
        values = []
        for _ in range(counts[kind]):
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            values.append(value)
        time += values[0]
        yield kind, time % (1 << 64), values[1:]


def events_of(rows: list[tuple[int, int, list[int]]]) -> Events:
    """Return decoded events as arrays."""
    args = np.zeros((len(rows), WIDTH), np.uint64)
    for i, (_, _, values) in enumerate(rows):
        args[i, : len(values)] = values
    return Events(
        np.array([kind for kind, _, _ in rows], np.uint8), np.array([time for _, time, _ in rows], np.uint64), args
    )


def events_by_thread(source: Path | bytes, most: int) -> list[Events]:
    """Decode about the first ``most`` events of a trace, thread by thread."""
    threads: dict[int, list[tuple[int, int, list[int]]]] = {}
    n = 0
    with Reader(source) as reader:
        for batch in reader:
            if batch is not None and is_events(batch):
                rows = list(decode(batch))
                threads.setdefault(batch.m, []).extend(rows)
                n += len(rows)
                if n >= most:
                    break
    return [events_of(rows) for rows in threads.values()]
