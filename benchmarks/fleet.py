"""Compare what reads many or compressed traces with what it can be measured against.

All sides of a comparison take turns in one process, and a ratio is the median of the rounds' ratios. The first round is
discarded. CPU is that of all threads. Memory and whole commands have processes of their own. The table goes to
RESULTS.md unchanged. ``MEASURES`` lists the parts. Never here: assertions; no test measures time.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from bench import peak
from columns import Task, cpu, use, wall

import gotrace
from gotrace.analysis.rank import METRICS
from gotrace.cli import main

BLOCK = 1 << 20
EVENT_BYTES = 6.56  # bytes of an event of the simulated trace, roughly


@dataclass
class Setup:
    """What is measured: a trace, the number of rounds, the size of a long pipe in bytes, and a folder for files."""

    trace: Path
    runs: int
    long: float
    folder: Path


def compare(
    what: str,
    ours: Task,
    theirs: Sequence[Task],
    runs: int,
    *,
    clock: Callable[[Task], float] = cpu,
    combine: Callable[[Sequence[float]], float] = sum,
) -> str:
    """Return a line of the table: the medians of both sides, and of their ratios; the other side combines tasks."""
    rounds = [(clock(ours), combine([clock(task) for task in theirs])) for _ in range(runs + 1)][1:]
    one, other = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratios = sorted(a / b for a, b in rounds)
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return f"| {what} | {one * 1e3:,.1f} ms | {other * 1e3:,.1f} ms | {statistics.median(ratios):.2f} | {spread} |"


def packed(data: bytes, form: str) -> bytes:
    """Return compressed bytes, with the default level of the command-line tools."""
    if form == "gzip":
        return gzip.compress(data, 6)
    zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    options = {zstd.CompressionParameter.compression_level: 3, zstd.CompressionParameter.checksum_flag: 1}
    out: bytes = zstd.compress(data, options=options)
    return out


def unpack(path: Path, opener: Callable[[Path], Any]) -> Task:
    """Return a task that decompresses a file with a library's file object, and drops what it holds."""

    def task() -> None:
        with opener(path) as file:
            while file.read(BLOCK):
                pass

    return task


def decode(path: Path, jobs: int = 1) -> Task:
    """Return a task that reads table allocs."""

    def task() -> None:
        with gotrace.open(path, jobs=jobs) as trace:
            use(trace.iterate("allocs"))

    return task


def compressed(setup: Setup) -> Iterator[str]:
    """Compressed inputs against decompression and decoding."""
    zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    openers: dict[str, Callable[[Path], Any]] = {"gzip": import_module("isal.igzip").open, "zstd": zstd.open}
    files = {form: setup.folder / f"{form}.trace" for form in openers}
    for form, path in files.items():
        path.write_bytes(packed(setup.trace.read_bytes(), form))
    alone = decode(setup.trace)
    for form, path in files.items():
        what = f"{form} input, one thread / decompression + decoding alone, CPU"
        yield compare(what, decode(path), (unpack(path, openers[form]), alone), setup.runs)
    what = "gzip input, two threads / the slower of decompression and decoding alone, wall time"
    sides = (unpack(files["gzip"], openers["gzip"]), alone)
    yield compare(what, decode(files["gzip"], 2), sides, setup.runs, clock=wall, combine=max)


def peak_of_pipe(nbytes: float, *command: str | Path) -> float:
    """Return the memory in MB that a gotrace command takes for a simulated trace of this length."""
    events = str(int(nbytes / EVENT_BYTES))
    simulate = [sys.executable, "-m", "gotrace", "simulate", "-o", "-", "--events", events, "--generation", "0.1"]
    with subprocess.Popen(simulate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        return peak(*command, stdin=writer.stdout)


def long_pipes(setup: Setup) -> Iterator[str]:
    """Memory for a pipe of any length."""
    out = setup.folder / "out.parquet"
    for what, command in (("heap", ["heap", "-", "-q"]), ("Parquet export", ["export", "-", "-q", "-f", "-o", out])):
        peaks = [peak_of_pipe(size, *command) for size in (setup.long, setup.long / 10)]
        title = f"memory of `{what}` for a pipe of {setup.long / 1e9:g} GB / of {setup.long / 1e10:g} GB"
        yield f"| {title} | {peaks[0]:.0f} MB | {peaks[1]:.0f} MB | {peaks[0] / peaks[1]:.2f} | |"
        out.unlink(missing_ok=True)


def sql(setup: Setup) -> Iterator[str]:
    """Memory of a query over few and many traces."""
    query = "select type, count(*), sum(size) from allocs where op = 'alloc' group by type"
    names = copies(setup.trace, setup.folder / "sql", 16)
    peaks = [peak("sql", query, *names[:n], "-q", "-f", "-o", setup.folder / "out.csv") for n in (16, 4)]
    title = "memory of `sql`, a group by over 16 traces / over 4"
    yield f"| {title} | {peaks[0]:.0f} MB | {peaks[1]:.0f} MB | {peaks[0] / peaks[1]:.2f} | |"


def together(*commands: Sequence[str | Path]) -> Task:
    """Return a task that runs gotrace commands at the same time."""

    def task() -> None:
        started = [
            subprocess.Popen([sys.executable, "-m", "gotrace", *command], stdout=subprocess.DEVNULL)
            for command in commands
        ]
        if any(process.wait() for process in started):
            raise RuntimeError(f"failed: {commands}")

    return task


def two_threads(setup: Setup) -> Iterator[str]:
    """Two threads on eight equal traces against two processes on four each; the ratio must be at least 0.85."""
    traces = copies(setup.trace, setup.folder / "equal", 8)
    out = setup.folder / "out"
    for name, command in (
        *((f"rank --metric {metric}", ["rank", "--metric", metric]) for metric in METRICS),
        *((f"export to {format}", ["export", "-qf", "--format", format, "-o", out]) for format in ("npy", "parquet")),
    ):
        halves = together([*command, *traces[:4]], [*command, *traces[4:]])
        what = f"`{name}` of 8 traces, two processes / `-j 2`, wall time"
        yield compare(what, halves, (together([*command, "-j", "2", *traces]),), setup.runs, clock=wall)


def copies(trace: Path, folder: Path, n: int) -> list[Path]:
    """Return names of a trace in a folder."""
    folder.mkdir()
    for i in range(n):
        (folder / f"{i:04}.trace").symlink_to(trace.resolve())
    return sorted(folder.iterdir())


def small_traces(setup: Setup) -> Iterator[str]:
    """`rank` of a thousand small traces against decoding alone; the difference must be at most 3 ms for each."""
    small = setup.folder / "small.trace"
    gotrace.simulate(str(small), events=2000)
    traces = copies(small, setup.folder / "small", 1000)
    for metric, table in zip(METRICS, ("allocs", "allocs", "pauses", "states"), strict=True):

        def rank(metric: str = metric) -> None:
            with redirect_stdout(StringIO()):
                main(["rank", str(setup.folder / "small"), "--metric", metric])

        def decoding(table: str = table) -> None:
            for trace in traces:
                with gotrace.open(trace) as opened:
                    use(opened.iterate(table))

        rounds = [(cpu(rank), cpu(decoding)) for _ in range(setup.runs + 1)][1:]
        one, other = (statistics.median(side) for side in zip(*rounds, strict=True))
        more = statistics.median(a - b for a, b in rounds)
        what = f"`rank --metric {metric}` of 1,000 small traces / decoding alone, CPU; ms more per trace"
        yield f"| {what} | {one * 1e3:,.1f} ms | {other * 1e3:,.1f} ms | {more:.2f} ms | |"


MEASURES: list[Callable[[Setup], Iterator[str]]] = [compressed, long_pipes, sql, two_threads, small_traces]
"""The parts; each yields lines of the table."""


def measure_all() -> None:
    names = [measure.__name__ for measure in MEASURES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, help="a trace with alloc/free events, tens of megabytes")
    parser.add_argument("-n", "--runs", type=int, default=5)
    parser.add_argument("--long", type=float, default=10.0, metavar="GB", help="length of a long pipe (default: 10)")
    parser.add_argument("--only", choices=names, action="append", help="parts to measure (default: all)")
    args = parser.parse_args()
    print("| what | this side | other side | ratio | spread |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(args.trace, args.runs, args.long * 1e9, Path(folder))
        for measure in MEASURES:
            if measure.__name__ in (args.only or names):
                for line in measure(setup):
                    print(line, flush=True)


if __name__ == "__main__":
    measure_all()
