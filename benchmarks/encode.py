"""Time the bulk encoders on arrays of real traces (events of their busiest thread, and varints), and the simulator.

Everything is warm: the first run of each series is discarded. Lines go to RESULTS.md unchanged. Never here: assertions;
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


class NullFile(io.BytesIO):
    """A file that discards its data."""

    def write(self, data: Any) -> int:
        """Discard bytes; return their number."""
        return memoryview(data).nbytes


def report(what: str, n: int, unit: str, nbytes: int, task: Callable[[], object], runs: int) -> None:
    """Time a task and print one line of the table."""
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
    """Repeat the events until there are at least n, with rising times."""
    repeats = -(-n // len(events.types))
    step = np.uint64(int(events.times[-1]) - int(events.times[0]) + 1)
    shifts = np.repeat(np.arange(repeats, dtype=np.uint64) * step, len(events.types))
    return Events(
        np.tile(events.types, repeats), np.tile(events.times, repeats) + shifts, np.tile(events.args, (repeats, 1))
    )


def mix(types: npt.NDArray[np.uint8]) -> str:
    """Return the three most frequent event types, with shares."""
    names = {spec.id: spec.name for spec in registry().events}
    return ", ".join(f"{n / len(types):.0%} {names[kind]}" for kind, n in Counter(types.tolist()).most_common(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, nargs="+")
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--events", type=int, default=4_000_000, help="number of events to encode or to simulate")
    args = parser.parse_args()
    print("| what | input | median | spread, ms | M per second | MB/s |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for path in args.trace:
        threads = events_by_thread(path, 300_000)
        for experimental, label in ((True, "alloc/free events"), (False, "scheduler events")):
            selected = [thread.only((thread.types >= 128) == experimental) for thread in threads]
            events = max(selected, key=lambda thread: len(thread.types))
            if len(events.types) < 1000:
                continue
            events.times = np.maximum.accumulate(events.times)  # it may fall at the start of a batch
            events = repeated(events, args.events)
            size = len(raw.Writer(26).events(1, 1, events.types, events.times, events.args).getvalue()) - 16

            task = partial(raw.Writer(26, NullFile()).events, 1, 1, events.types, events.times, events.args)
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
        truth = simulation.simulate(file, shape, events=args.events)
        task = partial(simulation.simulate, NullFile(), shape, events=args.events)
        report(f"simulated: {shape}", truth.events, "events", len(file.getvalue()), task, args.runs)


if __name__ == "__main__":
    main()
