"""Tables as files: what is read back is what the table holds."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import reference
from support.columns import DAMAGED, Columns, as_lines, empty_trace, exported, odd_trace, of_arrow
from support.trace_builder import alloc_trace, new, span

import gotrace
from gotrace.cli import main
from gotrace.columns.batch import Context, Packer
from gotrace.columns.fields import SCHEMA_VERSION, fields_of
from gotrace.dtypes import narrow
from gotrace.export import COLUMNAR, replacing
from gotrace.export.npy import NpyWriter
from gotrace.tables.catalog import TABLES

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"
PLAIN = [name for name, table in TABLES.items() if not table.dtype.hasobject]
FIXTURES = ["heap-go1.22.trace.gz", "session-go1.25-allocfree.trace.gz", "sched-go1.26-tiny.trace.gz"]


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged.trace"
    path.write_bytes(alloc_trace([span(0), new(0), new(2)]) + b"\7\7\7")
    return path


def named(*tables: str) -> list[str]:
    return [f"--table={table}" for table in tables]


def unpacked(name: str, folder: Path) -> Path:
    path = folder / "app.trace"
    path.write_bytes(reference.load(reference.DATA / name))
    return path


def run(*args: object, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gotrace", "export", *map(str, args)]
    return subprocess.run(command, capture_output=True, input=input, check=False)


@pytest.mark.parametrize("name", FIXTURES)
def test_npy(name: str, tmp_path: Path) -> None:
    path, out = unpacked(name, tmp_path), tmp_path / "out"
    assert main(["export", str(path), "-o", str(out), "--format", "npy", *named(*PLAIN)]) == 0
    assert sorted(file.name for file in out.iterdir()) == sorted(f"app.{table}.npy" for table in PLAIN)
    with gotrace.open(path) as trace:
        for table in PLAIN:
            rows = np.load(out / f"app.{table}.npy", mmap_mode="r")
            want = getattr(trace, table).to_numpy()
            assert rows.dtype == want.dtype
            for field in want.dtype.names:
                np.testing.assert_array_equal(rows[field], want[field])


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


@pytest.mark.parametrize("format", COLUMNAR)
@pytest.mark.parametrize("name", [*FIXTURES, "odd", "empty"])
def test_columnar(name: str, format: str, tmp_path: Path) -> None:
    """Every table of every format is read back as what numpy holds."""
    path, out = tmp_path / "app.trace", tmp_path / "out"
    path.write_bytes(
        {"odd": odd_trace, "empty": empty_trace}.get(name, lambda: reference.load(reference.DATA / name))()
    )
    assert main(["export", str(path), "-o", str(out), "--format", format, *named(*TABLES)]) == 0
    with gotrace.open(path) as trace:
        for table in TABLES:
            want, file = exported(trace, table), out / f"app.{table}.{format}"
            if format == "csv":
                lines = [{key: "" if v is None else str(v) for key, v in line.items()} for line in as_lines(want)]
                assert read_csv(file) == lines
                assert file.read_text("utf-8").partition("\n")[0] == ",".join(want)
            elif format == "jsonl":
                assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == as_lines(want)
            elif format == "parquet":
                assert of_arrow(pq.read_table(file)) == want
            else:
                assert of_arrow(pa.ipc.open_file(file).read_all()) == want


def test_lines_by_eye() -> None:
    """Quotes, control characters, bytes that are not UTF-8, nulls, empty texts, the largest and smallest numbers."""
    dtype = np.dtype([("name", "O"), ("args", "u8", (2,)), ("wall", "M8[ns]"), ("g", "i8"), ("p", "i4")])
    rows = np.array(
        [
            ('a,"b"\n', (0, 2**64 - 1), "2026-01-02T03:04:05.000000006", -1, -(2**31)),
            (b"\xff\xc3\xa9\\\x01".decode("utf-8", "surrogateescape"), (1, 2), "NaT", -(2**63), -1),
            ("a\rb", (3, 4), "1969-02-28T23:59:59.999999999", 1, 0),
            ("", (5, 6), "2000-02-29T00:00:00", 1, 0),
        ],
        dtype,
    )
    fields = list(fields_of(dtype).values())
    (batch,) = Packer(dtype, fields, 10, cast(Context, None)).take(np.resize(rows, 10))
    written = {}
    for format in ("csv", "jsonl"):
        out = io.BytesIO()
        COLUMNAR[format](out, fields).write(batch)
        written[format] = out.getvalue().splitlines(keepends=True)
    assert b"".join(written["csv"][:6]) == (
        b"name,args0,args1,wall,g,p\n"
        b'"a,""b""\n",0,18446744073709551615,2026-01-02T03:04:05.000000006Z,,-2147483648\n'
        b"\xef\xbf\xbd\xc3\xa9\\\x01,1,2,,-9223372036854775808,\n"
        b'"a\rb",3,4,1969-02-28T23:59:59.999999999Z,1,0\n'
    )
    assert written["csv"][6] == b'"",5,6,2000-02-29T00:00:00.000000000Z,1,0\n'
    assert b"".join(written["jsonl"][1:3]) == (
        b'{"name":"\xef\xbf\xbd\xc3\xa9\\\\\\u0001","args0":1,"args1":2,"wall":null,"g":-9223372036854775808,"p":null}\n'
        b'{"name":"a\\u000db","args0":3,"args1":4,"wall":"1969-02-28T23:59:59.999999999Z","g":1,"p":0}\n'
    )


def test_long_lines() -> None:
    """A line may be longer than what is written at a time."""
    dtype = np.dtype([("name", "O")])
    rows = np.array([("x" * 3_000_000,), ("y",)], dtype)
    fields = list(fields_of(dtype).values())
    (batch,) = Packer(dtype, fields, 2, cast(Context, None)).take(rows)
    out = io.BytesIO()
    COLUMNAR["csv"](out, fields).write(batch)
    assert out.getvalue() == b"name\n" + b"x" * 3_000_000 + b"\ny\n"


@pytest.mark.parametrize("format", COLUMNAR)
def test_several_traces_in_one_file(format: str, tmp_path: Path) -> None:
    """Column trace tells the rows apart; a damaged one gives its rows before the fault."""
    traces = [EXAMPLE, unpacked(FIXTURES[1], tmp_path), tmp_path / "cut.trace"]
    traces[2].write_bytes(EXAMPLE.read_bytes()[:-1000])
    out = tmp_path / f"all.{format}"
    assert main(["export", *map(str, traces), "-o", str(out), "--format", format, "--table", "objects"]) == 3
    want: Columns = {}
    for path in traces:
        with gotrace.open(path) as trace:
            try:
                columns = exported(trace, "objects")
            except gotrace.TraceError:
                continue
        want = {name: want.get(name, []) + values for name, values in columns.items()}
    if format in ("csv", "jsonl"):
        first, *_, last = as_lines(want)
        lines = read_csv(out) if format == "csv" else list(map(json.loads, out.read_text().splitlines()))
        assert len(lines) == len(want["trace"])
        assert [line["trace"] for line in lines] == want["trace"]
        if format == "jsonl":
            assert (lines[0], lines[-1]) == (first, last)
    else:
        table = pq.read_table(out) if format == "parquet" else pa.ipc.open_file(out).read_all()
        assert of_arrow(table) == want
    if format == "parquet":
        groups = [pq.ParquetFile(out).read_row_group(i)["trace"].unique() for i in range(2)]
        assert [len(group) for group in groups] == [1, 1]


def test_a_shared_file_that_cannot_be_written_does_not_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(COLUMNAR["csv"], "write", fill)
    assert main(["export", str(EXAMPLE), str(EXAMPLE), "-o", str(tmp_path / "out.csv")]) == 3
    assert capsys.readouterr().err.count("No space left on device") == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", COLUMNAR)
@pytest.mark.parametrize("name", DAMAGED)
def test_damage(name: str, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rows before the fault, and the message of the library."""
    path, out = tmp_path / "app.trace", tmp_path / f"out.{format}"
    path.write_bytes(DAMAGED[name]())
    n = 0
    with gotrace.open(path) as trace:
        try:
            for chunk in trace.iterate("events"):
                n += len(chunk)
        except gotrace.TraceError as fault:
            message = str(fault)
    assert main(["export", str(path), "--table", "events", "-o", str(out), "-q"]) == 3
    err = capsys.readouterr().err
    assert f"{out}: {n:,} row{'s' * (n != 1)} before the fault" in err
    assert message in err
    if format in ("csv", "jsonl"):
        assert len(out.read_text().splitlines()) == n + (format == "csv")
    else:
        assert (pq.read_table(out) if format == "parquet" else pa.ipc.open_file(out).read_all()).num_rows == n


def test_folders_below_the_common_one_are_kept(tmp_path: Path) -> None:
    for host in "ab":
        (tmp_path / "in" / f"host={host}" / "date=1").mkdir(parents=True)
        (tmp_path / "in" / f"host={host}" / "date=1" / "x.trace").write_bytes(EXAMPLE.read_bytes())
    traces = sorted(map(str, (tmp_path / "in").rglob("*.trace")))
    assert main(["export", *traces, "-o", str(tmp_path / "out"), "--format", "parquet"]) == 0
    table = pl.scan_parquet(tmp_path / "out", hive_partitioning=True)
    counts = table.group_by("host").len().sort("host").collect()
    assert counts.rows() == [("a", 40772), ("b", 40772)]


@pytest.mark.parametrize("format", COLUMNAR)
def test_threads_change_nothing(format: str, tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.{format}"
        assert main(["export", str(EXAMPLE), "-o", str(out), "-j", jobs]) == 0
    assert (tmp_path / f"1.{format}").read_bytes() == (tmp_path / f"2.{format}").read_bytes()


def test_parquet_as_documented(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    assert main(["export", str(EXAMPLE), "-o", str(out)]) == 0
    file = pq.ParquetFile(out)
    assert file.schema_arrow.metadata == {
        b"gotrace.schema": str(SCHEMA_VERSION).encode(),
        b"gotrace.version": gotrace.__version__.encode(),
    }
    columns = {c.path_in_schema: c for c in (file.metadata.row_group(0).column(i) for i in range(15))}
    assert {c.compression for c in columns.values()} == {"ZSTD"}
    assert all(c.is_stats_set for c in columns.values())
    plain = {name for name, column in columns.items() if not column.has_dictionary_page}
    assert plain == {"time", "wall", "address", "offset"}
    delta = {name for name, column in columns.items() if "DELTA_BINARY_PACKED" in column.encodings}
    assert delta == {"time", "wall", "offset"}


def test_export_without_pyarrow(tmp_path: Path) -> None:
    program = "import sys; sys.modules['pyarrow'] = None\nfrom gotrace.cli import main\nsys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "export", str(EXAMPLE), "-o"]
    done = subprocess.run([*command, str(tmp_path / "out.parquet")], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith('export needs pyarrow: pip install "gotrace[arrow]"\n')
    assert subprocess.run([*command, str(tmp_path / "out.jsonl")]).returncode == 0
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("n", [0, 1, 10**6])
def test_npy_is_as_numpy_writes_it(n: int) -> None:
    dtype = narrow(TABLES["allocs"].dtype, ["op", "time"])  # seven bytes of nothing between them
    rows = np.empty(n, dtype)
    rows.view(np.uint8)[:] = 0xAA
    rows["op"], rows["time"] = 1, np.arange(n)
    out = io.BytesIO()
    writer = NpyWriter(out, dtype)
    writer.write(rows[: n // 2])
    writer.write(rows[n // 2 :])
    writer.finish()
    out.seek(0)
    back = np.load(out)
    np.testing.assert_array_equal(back, rows)
    assert back.dtype == dtype
    data = np.frombuffer(out.getvalue(), np.uint8)[-rows.nbytes or out.tell() :].reshape(n, dtype.itemsize)
    assert not data[:, 1:8].any()


def test_columns(tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = [*named("types", "generations"), "--columns", "size,start,address", "--format", "npy"]
    assert main(["export", str(EXAMPLE), "-o", str(out), *args]) == 0
    assert np.load(out / "heap.types.npy").dtype.names == ("size", "address")
    assert np.load(out / "heap.generations.npy").dtype.names == ("start",)


def test_a_file_or_a_folder(tmp_path: Path) -> None:
    other, example = unpacked(FIXTURES[1], tmp_path), tmp_path / "heap.trace"
    example.write_bytes(EXAMPLE.read_bytes())
    folder = tmp_path / "made" / "here"
    assert main(["export", str(EXAMPLE), "-o", str(tmp_path / "one.npy")]) == 0
    assert main(["export", str(example), str(other), "-o", str(folder), "--format", "npy"]) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["app.allocs.npy", "heap.allocs.npy"]
    assert (tmp_path / "one.npy").read_bytes() == (folder / "heap.allocs.npy").read_bytes()
    assert main(["export", str(EXAMPLE), "-o", str(folder), "--format", "csv"]) == 0
    assert (folder / "heap.allocs.csv").is_file()


def test_streams(tmp_path: Path) -> None:
    whole = tmp_path / "whole.csv"
    columns = ("--columns", "row,name,address,size,ptr_bytes")
    assert main(["export", str(EXAMPLE), "-o", str(whole), "--table", "types", *columns]) == 0
    done = run("-", "-o", "-", "--table", "types", *columns, input=EXAMPLE.read_bytes())
    assert (done.returncode, done.stdout) == (0, whole.read_bytes())
    args = ("-o", tmp_path / "out", "--format", "csv", *named("allocs", "types"), *columns)
    assert run("-", *args, input=EXAMPLE.read_bytes()).returncode == 0
    assert (tmp_path / "out" / "stdin.types.csv").read_bytes() == whole.read_bytes()


def test_nothing_is_overwritten_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.npy"
    out.write_text("precious")
    with pytest.raises(SystemExit) as caught:
        main(["export", str(EXAMPLE), "-o", str(out)])
    assert caught.value.code == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert main(["export", str(EXAMPLE), "-o", str(out), "-f"]) == 0
    assert len(np.load(out))


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.csv"

    def appear(*_: object) -> None:
        out.write_text("precious")

    monkeypatch.setattr(COLUMNAR["csv"], "write", appear)
    assert main(["export", str(EXAMPLE), "-o", str(out)]) in (2, 3)
    assert out.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [out]


def test_force_keeps_the_mode(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")
    out.chmod(0o640)
    assert main(["export", str(EXAMPLE), "-f", "--table", "types", "-o", str(out)]) == 0
    assert out.stat().st_mode & 0o777 == 0o640


def test_temporary_files_follow_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".o.csv.{os.getpid()}").symlink_to(victim)
    assert main(["export", str(EXAMPLE), "--table", "strings", "-o", str(tmp_path / "o.csv")]) == 0
    assert victim.read_text() == "precious"


def test_damage_keeps_the_rows_before_it(damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.npy"
    assert main(["export", str(damaged), str(tmp_path / "absent"), "-o", str(tmp_path), "--format", "csv"]) == 3
    err = capsys.readouterr().err
    assert "damaged.allocs.csv: 3 rows before the fault" in err
    assert "expected a batch, found byte 7" in err
    assert "No such file" in err
    assert main(["export", str(damaged), "-o", str(out)]) == 3
    assert len(np.load(out)) == 3
    assert main(["export", str(damaged), "-o", "-"]) == 3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["damaged.allocs.csv", "damaged.trace", "out.npy"]


def test_no_trace_no_file(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("these are words, not a trace\n")
    assert main(["export", str(path), "-o", str(tmp_path / "out.npy")]) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"
    with replacing(path) as out:
        out.write(b"new")
        assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"new"


def test_a_folder_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "heap.allocs.csv").mkdir()
    with pytest.raises(SystemExit):
        main(["export", str(EXAMPLE), "--table", "allocs", "--format", "csv", "-f", "-o", str(tmp_path)])
    assert "is not a file" in capsys.readouterr().err


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    trace, pipe = tmp_path / "good.trace", tmp_path / "pipe"
    trace.write_bytes(alloc_trace([span(0), new(0)]))
    got: list[bytes] = []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    assert main(["export", str(trace), "--table", "allocs", "--format", "csv", "-q", "-o", str(pipe)]) == 0
    reader.join(60)
    assert pipe.is_fifo()
    assert got[0].startswith(b"time,")


@pytest.mark.parametrize("format", COLUMNAR)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(
    number: signal.Signals, format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = getattr(COLUMNAR[format], "write")  # noqa: B009 - of a class

    def interrupt(*arguments: object) -> None:
        write(*arguments)
        signal.raise_signal(number)

    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    monkeypatch.setattr(COLUMNAR[format], "write", interrupt)
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, default)  # processes in the background ignore some
    try:
        assert main(["export", str(EXAMPLE), "-o", str(tmp_path / f"out.{format}")]) == 128 + number
    finally:
        signal.signal(number, before)
    assert not list(tmp_path.iterdir())
    gc.collect()
    assert not unraisable


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "out.txt"], "unknown format"),
        (["-o", "out", *named("allocs", "types")], "unknown format"),
        (["-o", "no/such/out.npy"], "does not exist"),
        (["-o", "types.npy", "--table", "types"], "--columns address,size,ptr_bytes"),
        (["-o", "a.npy", "--columns", "time,luck"], "no column 'luck'"),
        (["-o", "a.npy", "--columns", "time,time"], "names 'time' twice"),
        (["-o", "out", "--format", "csv", *named("types", "allocs"), "--columns", "time"], "no column of table types"),
        (["-o", "-", "--format", "npy"], "as csv"),
        (["-o", "-", *named("types", "allocs")], "as csv"),
        (["-o", "a.npy", "--table", "luck"], "invalid choice"),
        ([str(EXAMPLE), "-o", "out", "--format", "csv"], f"{EXAMPLE} and {EXAMPLE} would write the same file"),
        ([], "required"),
    ],
)
def test_usage(
    args: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["export", str(EXAMPLE), *args])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_compressed_trace(tmp_path: Path) -> None:
    trace = tmp_path / "a.trace.gz"
    trace.write_bytes(gzip.compress(EXAMPLE.read_bytes()))
    assert main(["export", str(trace), "-o", f"{tmp_path}/", "--format", "csv", "--table", "types"]) == 0
    assert (tmp_path / "a.types.csv").exists()
