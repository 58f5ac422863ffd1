"""Compare columns, Arrow streams, data frames and exported files with what they can be measured against.

Both sides of a comparison take turns in one process, and a ratio is the median of the rounds' ratios. The first round
is discarded. CPU is that of all threads. Memory and whole commands have processes of their own. The table goes to
RESULTS.md unchanged. Never here: assertions; no test measures time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench import peak

import gotrace
from gotrace.columns.batch import Batch, Packer
from gotrace.columns.texts import Texts
from gotrace.export import COLUMNAR
from gotrace.tables import stream
from gotrace.tables.stream import batches, fields_to_read

FOUR = ["time", "size", "type", "op"]
EXPORTED = [*gotrace.ALLOC.names, "trace", "wall"]
DELTA = ("time", "wall", "offset")
PLAIN = (*DELTA, "address")

Task = Callable[[], object]


def cpu(task: Task) -> float:
    """CPU seconds of a task."""
    start = time.process_time()
    task()
    return time.process_time() - start


def wall(task: Task) -> float:
    """Seconds of a task."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def compare(what: str, ours: Task, theirs: Task, runs: int, clock: Callable[[Task], float] = cpu) -> str:
    """Return a line of the table: the medians of both sides, and of their ratios."""
    rounds = [(clock(ours), clock(theirs)) for _ in range(runs + 1)][1:]
    one, other = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratios = sorted(a / b for a, b in rounds)
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return f"| {what} | {one * 1e3:,.1f} ms | {other * 1e3:,.1f} ms | {statistics.median(ratios):.2f} | {spread} |"


def use(chunks: Iterator[object]) -> None:
    """Take all chunks, one at a time."""
    for _ in chunks:
        pass


class Converting:
    """One chunk of rows in memory, turned into columns in different ways."""

    def __init__(self, trace: gotrace.Trace, step: str) -> None:
        self.rows = next(trace.iterate("allocs", step_size=step))
        self._copy = np.empty_like(self.rows)
        self._columns = {name: np.empty(len(self.rows), self.rows.dtype[name]) for name in self.rows.dtype.names or ()}
        self._context: Any = self
        self._texts = Texts()
        self._places = np.arange(1 << 20, dtype=np.int32)

    def memcpy(self) -> None:
        """Copy the rows as bytes."""
        self._copy.view(np.uint8)[:] = self.rows.view(np.uint8)

    def numpy(self) -> None:
        """Copy each column with numpy."""
        for name, column in self._columns.items():
            column[:] = self.rows[name]

    def type_places(self) -> Any:
        """Return a map that changes nothing."""
        return self._places

    def dictionary(self, field: Any) -> Texts:
        """Return no values."""
        return self._texts

    def gotrace(self) -> None:
        """Make a batch of the rows."""
        packer = Packer(gotrace.ALLOC, fields_to_read("allocs", None), len(self.rows), self._context)
        use(packer.take(self.rows))
        use(packer.flush())


def of_stream(table: gotrace.Table) -> None:
    """Read a table through pyarrow's C++ reader."""
    use(iter(pa.RecordBatchReader.from_stream(table)))


def write(trace: gotrace.Trace, format: str, out: Any) -> None:
    """Decode and write table allocs, as ``gotrace export`` does."""
    kind = COLUMNAR[format]
    fields = fields_to_read("allocs", EXPORTED)
    writer = kind(out, fields)
    for _, batch in batches(trace.reader, {"allocs": fields}, {"allocs": kind.rows}):
        writer.write(batch)
    writer.finish()


def export(trace: Path, out: Path, jobs: int) -> None:
    command = [sys.executable, "-m", "gotrace", "export", trace, "-o", out, "-f", "-q", "-j", str(jobs)]
    subprocess.run(command, check=True)


def decoded(trace: gotrace.Trace, query: str) -> tuple[int, int]:
    """Return the batches that DuckDB takes of table allocs for a query, and all there are."""
    n = 0
    original: Callable[..., Iterator[Batch]] = stream.own_batches

    def counted(*args: Any) -> Iterator[Batch]:
        nonlocal n
        for batch in original(*args):
            n += 1
            yield batch

    stream.own_batches = counted  # type: ignore[assignment]
    try:
        with duckdb.connect() as connection:
            connection.register("t", trace.allocs)
            connection.sql(query).fetchall()
        taken = n
        of_stream(trace.allocs)
    finally:
        stream.own_batches = original  # type: ignore[assignment]
    return taken, n - taken


FRAME = """
import sys, gotrace, pandas
with gotrace.open(sys.argv[1]) as trace:
    if sys.argv[2] == "pandas":
        rows = trace.allocs.to_pandas()
    else:
        rows = next(trace.iterate("allocs", step_size="1 MB", library="pd"))
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


def frame_memory(trace: Path, nbytes: int) -> float:
    """Return the memory that ``to_pandas`` adds at its peak, as a multiple of the rows' size."""
    most, least = (
        int(subprocess.run([sys.executable, "-c", FRAME, trace, what], check=True, capture_output=True).stdout)
        for what in ("pandas", "one chunk")
    )
    return (most - least) * 1024 / nbytes


def parquet(table: pa.Table, out: Any, **options: Any) -> None:
    with pq.ParquetWriter(out, table.schema, **options) as writer:
        for batch in table.to_batches():
            writer.write_batch(batch)


def files(path: Path, trace: gotrace.Trace, runs: int, folder: Path) -> Iterator[str]:
    """Compare written files with those of the libraries' own writers, of columns in memory."""
    lengths = {"allocs": COLUMNAR["parquet"].rows}
    fields = {"allocs": fields_to_read("allocs", EXPORTED)}
    table = pa.Table.from_batches([pa.record_batch(batch) for _, batch in batches(trace.reader, fields, lengths)])
    same = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [name for name in EXPORTED if name not in PLAIN],
        "column_encoding": dict.fromkeys(DELTA, "DELTA_BINARY_PACKED"),
    }

    def ours() -> None:
        with (folder / "ours.parquet").open("wb") as out:
            write(trace, "parquet", out)

    def theirs(of: pa.Table = table, **options: Any) -> Callable[[], None]:
        def task() -> None:
            with (folder / "theirs.parquet").open("wb") as out:
                parquet(of, out, **options)

        return task

    yield compare("Parquet, decoding included / pyarrow's writer alone, same options", ours, theirs(**same), runs)
    what = "Parquet, decoding included / pyarrow's writer alone, zstd with its default options"
    yield compare(what, ours, theirs(compression="zstd"), runs)
    sizes = [(folder / name).stat().st_size for name in ("ours.parquet", "theirs.parquet")]
    yield f"| bytes of these files | {sizes[0]:,} | {sizes[1]:,} | {sizes[0] / sizes[1]:.2f} | |"
    one, two = (lambda jobs=jobs: export(path, folder / "out.parquet", jobs) for jobs in (1, 2))
    yield compare("export to Parquet with -j 2 / -j 1, whole commands, wall time", two, one, runs, wall)
    del table
    frame = trace.allocs.to_polars(EXPORTED)
    null = Path(os.devnull)
    for format, polars_write in (("csv", frame.write_csv), ("jsonl", frame.write_ndjson)):
        with null.open("wb") as out:
            what = f"{format}, decoding included / polars' writer alone"
            yield compare(what, lambda f=format, o=out: write(trace, f, o), lambda w=polars_write: w(null), runs)


def measure(path: Path, runs: int) -> Iterator[str]:
    with gotrace.open(path) as trace, tempfile.TemporaryDirectory() as folder:
        n_rows = len(trace.allocs)
        yield f"**{path.name}**: {n_rows:,} rows of `allocs`, {path.stat().st_size:,} bytes"
        yield ""
        yield "| what | this side | other side | ratio | spread |"
        yield "| --- | ---: | ---: | ---: | ---: |"
        for step in ("4 MB", "32 MB"):
            chunk = Converting(trace, step)
            what = f"columns of {step} of rows / "
            yield compare(f"{what}memcpy of the rows", chunk.gotrace, chunk.memcpy, 20 * runs)
            yield compare(f"{what}numpy, column by column", chunk.gotrace, chunk.numpy, 20 * runs)
        del chunk
        iterate = lambda: use(trace.iterate("allocs"))  # noqa: E731
        what = 'Arrow stream, all columns / `iterate("allocs")`'
        yield compare(what, lambda: of_stream(trace.allocs), iterate, runs)
        what = 'Arrow stream, four columns / `iterate("allocs")`'
        yield compare(what, lambda: of_stream(trace.allocs.select(FOUR)), iterate, runs)
        yield compare("`to_pandas` / `to_numpy`", trace.allocs.to_pandas, trace.allocs.to_numpy, runs, wall)
        nbytes = n_rows * gotrace.ALLOC.itemsize
        yield f"| memory that `to_pandas` adds / bytes of the rows | | | {frame_memory(path, nbytes):.2f} | |"
        taken, total = decoded(trace, "select * from t limit 3")
        yield f"| batches that DuckDB takes for `limit 3` / all | {taken} | {total} | | |"
        yield from files(path, trace, runs, Path(folder))
        size = peak("export", path, "-o", Path(folder) / "peak.parquet", "-q")
        yield f"| peak memory of the export to Parquet, mapped pages included | {size:.0f} MB | | | |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, nargs="+")
    parser.add_argument("-n", "--runs", type=int, default=5)
    args = parser.parse_args()
    for path in args.trace:
        for line in measure(path, args.runs):
            print(line, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
