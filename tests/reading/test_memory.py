"""Memory by the operating system's accounting: it does not grow with the length of a trace, whatever its shape."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import trace_builder
from support.shapes import SHAPES

from gotrace.raw import Writer, allocfree_info, event
from gotrace.tables.catalog import TABLES

MB = 1 << 20
N_GENERATIONS = 8
N_BATCHES = 400  # in each
STATUS = Path("/proc/self/status")
PEAK = f"print(open({str(STATUS)!r}).read().split('VmHWM:')[1].split()[0])"
ITERATE = """
import sys, gotrace
with gotrace.open(sys.argv[1]) as trace:
    for rows in trace.iterate({table!r}):
        pass
"""
COMMAND = """
import os, sys
from gotrace.cli import main
out = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
try:
    assert main(sys.argv[1:]) in (0, None)
finally:
    sys.stdout.flush()
    os.dup2(out, 1)
"""


EVERY = f"""
import os, sys, gotrace
from gotrace.analysis.info import info as inspect

def use(rows):
    for _ in rows:
        pass

jobs = {{table: lambda trace, table=table: use(trace.iterate(table)) for table in {list(TABLES)!r}}}
jobs |= {{mode: lambda trace, mode=mode: use(trace.text(mode)) for mode in ("wire", "parsed")}}
jobs |= {{by: lambda trace, by=by: trace.heap(by=by) for by in ("type", "goroutine", "task", "region")}}
jobs["info"] = inspect
for name, errors in [*((name, "raise") for name in jobs), ("events", "salvage"), ("region", "salvage")]:
    if os.fork() == 0:
        with gotrace.open(sys.argv[1], errors=errors) as trace:
            jobs[name](trace)
        print(name, errors, open({str(STATUS)!r}).read().split("VmHWM:")[1].split()[0], flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""
SIZE = 1_000_000  # bytes of a trace of the worst shapes
MOST = {"spans": 64, "scattered spans": 96, "one object spans": 140, "threads": 24}
"""Bytes of memory per byte of input where it is more than 16, see docs/reliability.md."""
SCHEDULING = {
    *("states", "goroutines", "goroutine_times", "region_times", "task_times", "pauses", "cycles", "procs", "threads"),
}
"""Tables of one pass, with 64 bytes of memory per byte of input: 400 for a live goroutine, whose status takes 6."""


def peak(program: str, *args: str, stdin: Path | None = None) -> int:
    """Most bytes that a process held, mapped files included."""
    command = [sys.executable, "-c", program + PEAK, *args]
    with (stdin or Path("/dev/null")).open("rb") as file:
        said = subprocess.run(command, stdin=file, check=True, capture_output=True, text=True).stdout
    return int(said.split()[-1]) * 1024


@pytest.fixture(scope="module")
def long_trace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A trace of many generations, and the bytes of one."""
    objects = b"".join(trace_builder.new(6 * slot) for slot in range(170))
    batch = objects * (60_000 // len(objects))
    spans = b"".join(trace_builder.span(page) for page in range(8))
    path = tmp_path_factory.mktemp("memory") / "long.trace"
    sizes = []
    with path.open("wb") as file:
        for number in range(1, N_GENERATIONS + 1):
            trace = Writer(26).frequency(number, 100)
            if number == 1:
                trace.batch(1, -1, 100, allocfree_info(trace_builder.BASE), experiment=1)
                trace.batch(1, 1, 100, spans)
            for i in range(N_BATCHES):
                trace.batch(number, 1 + i % 3, 1_000_000 * number + 10_000 * i, batch)
            data = trace.end_of_generation().getvalue()
            sizes.append(file.write(data if number == 1 else data[16:]))
    return path, max(sizes)


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer holds back what is freed")
def test_peak_does_not_grow_with_the_trace(long_trace: tuple[Path, int]) -> None:
    path, generation = long_trace
    limit = peak("import numpy\n") + 2 * generation + 64 * MB
    assert path.stat().st_size > limit
    peaks = {
        **{
            " ".join(args): peak(COMMAND, *args, str(path))
            for args in (["heap"], ["info"], ["report", "-o", "-"], ["dump"], ["dump", "--mode", "wire"])
        },
        "heap -": peak(COMMAND, "heap", "-", stdin=path),
        **{table: peak(ITERATE.format(table=table), str(path)) for table in ("allocs", "experimental", "events")},
        "allocs of a stream": peak(ITERATE.format(table="allocs"), "-", stdin=path),
    }
    assert {name: size // MB for name, size in peaks.items() if size >= limit} == {}, limit // MB
    print({name: size // MB for name, size in peaks.items()}, limit // MB)


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer holds back what is freed")
@pytest.mark.parametrize("shape", SHAPES)
def test_peak_of_the_worst_shapes(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "worst.trace"
    size = path.write_bytes(SHAPES[shape](SIZE))
    assert size > SIZE // 2
    said = subprocess.run([sys.executable, "-c", EVERY, str(path)], check=True, capture_output=True, text=True).stdout
    peaks = [(int(line.split()[-1]) * 1024, line) for line in said.splitlines()]
    assert len(peaks) == len(TABLES) + 9
    for nbytes, line in peaks:
        least = 64 if line.split()[0] in SCHEDULING else 16
        assert nbytes < 64 * MB + max(MOST.get(shape, 0), least) * size, line


def short_lives(n: int) -> bytes:
    """Return a trace in which a goroutine creates others, one after the other."""
    events = [trace_builder.PROC, trace_builder.GO, event("ProcsChange", 1, 1, 0)]
    for i in range(1, n + 1):
        events += [event("GoCreate", 1, 1 + i, 0, 0), event("GoStop", 1, 0, 0), event("GoStart", 1, 1 + i, 1)]
        events += [event("GoDestroy", 1), event("GoStart", 1, 1, i)]
    trace = Writer(26).frequency(1, 100)
    for i in range(0, len(events), 5000):
        trace.batch(1, 1, 100 + i, b"".join(events[i : i + 5000]))
    return trace.end_of_generation().getvalue()


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer holds back what is freed")
@pytest.mark.parametrize(
    "command",
    ["goroutines", "sched", "gc", "mmu", "export -f --profile wall", "export -f --profile wall --function="],
)
def test_peak_does_not_grow_with_lives_that_ended(command: str, tmp_path: Path) -> None:
    peaks = []
    for n in (40_000, 160_000):
        path = tmp_path / f"{n}.trace"
        path.write_bytes(short_lives(n))
        output = ["-o", str(tmp_path / "profile.pb.gz")] if command.startswith("export") else []
        peaks.append(peak(COMMAND, *command.split(), str(path), *output))
    assert peaks[1] - peaks[0] < 24 * MB, [size // MB for size in peaks]
