"""Times the bulk encoders on arrays of real traces (events of their busiest thread, and varints), and the simulator.

Everything is warm: the first of each series is not counted. Lines go to RESULTS.md as they are. Never here: assertions;
no test measures time.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace import raw, simulation, varint
from gotrace.experiments import registry

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.event_arrays import Events, events_by_thread


class Nowhere(io.BytesIO):
    """A file that forgets."""

    def write(self, data: Any) -> int:
        """Take bytes."""
        return memoryview(data).nbytes


def report(what: str, n: int, unit: str, nbytes: int, task: Callable[[], object], runs: int) -> None:
    """Print one line of the table."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[1:])
    spread = f"{min(seconds[1:]) * 1e3:.1f} to {max(seconds[1:]) * 1e3:.1f}"
    rates = f"{n / median / 1e6:.0f} | {nbytes / median / 1e6:.0f}"
    print(f"| {what} | {n:,} {unit} | {median * 1e3:.1f} ms | {spread} | {rates} |")


def repeated(events: Events, n: int) -> Events:
    """The same events again and again, n or a few more in all; time goes on."""
    times = -(-n // len(events.types))
    step = np.uint64(int(events.times[-1]) - int(events.times[0]) + 1)
    shifts = np.repeat(np.arange(times, dtype=np.uint64) * step, len(events.types))
    return Events(np.tile(events.types, times), np.tile(events.times, times) + shifts, np.tile(events.args, (times, 1)))


def mix(types: npt.NDArray[np.uint8]) -> str:
    """The three most frequent events."""
    names = {spec.id: spec.name for spec in registry().events}
    return ", ".join(f"{n / len(types):.0%} {names[kind]}" for kind, n in Counter(types.tolist()).most_common(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, nargs="+")
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--events", type=int, default=4_000_000, help="events to encode or to simulate")
    args = parser.parse_args()
    print("| what | input | median | spread, ms | M a second | MB/s |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for path in args.trace:
        threads = events_by_thread(path, 300_000)
        for wanted, label in ((True, "alloc/free events"), (False, "scheduler events")):
            parts = [part.only((part.types >= 128) == wanted) for part in threads]
            events = max(parts, key=lambda part: len(part.types))
            if len(events.types) < 1000:
                continue
            events.times = np.maximum.accumulate(events.times)  # it may fall where a batch begins
            events = repeated(events, args.events)
            size = len(raw.Writer(26).events(1, 1, events.types, events.times, events.args).getvalue()) - 16

            task = partial(raw.Writer(26, Nowhere()).events, 1, 1, events.types, events.times, events.args)
            what = f"{label} of {path.name}: {mix(events.types)}"
            report(what, len(events.types), "events", size, task, args.runs)
            numbers = np.ascontiguousarray(events.args).reshape(-1)
            numbers = numbers[numbers > 0]
            size = len(varint.encode(numbers))
            report(
                "their arguments as varints",
                len(numbers),
                "numbers",
                size,
                lambda n=numbers: varint.encode(n),
                args.runs,
            )
    for shape in simulation.SHAPES:
        file = io.BytesIO()
        told = simulation.simulate(file, shape, events=args.events)
        task = partial(simulation.simulate, Nowhere(), shape, events=args.events)
        report(f"simulated: {shape}", told.events, "events", len(file.getvalue()), task, args.runs)


if __name__ == "__main__":
    main()
