"""Tables as files: what is read back is what the table holds."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.trace_builder import alloc_trace, new, span

import gotrace
from gotrace.cli import main
from gotrace.export import FORMATS, replacing
from gotrace.tables.catalog import TABLES
from gotrace.tables.table import narrow

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


def cells(rows: np.ndarray[Any, Any]) -> list[list[str]]:
    """What a csv file of these rows says, made cell by cell."""
    lines = []
    for row in rows:
        line: list[str] = []
        for name in rows.dtype.names or ():
            value = row[name]
            line += map(str, value) if isinstance(value, np.ndarray) else [str(value)]
        lines.append(line)
    return lines


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


@pytest.mark.parametrize("name", FIXTURES)
def test_csv(name: str, tmp_path: Path) -> None:
    path, out = unpacked(name, tmp_path), tmp_path / "out"
    assert main(["export", str(path), "-o", str(out), "--format", "csv", *named(*TABLES)]) == 0
    with gotrace.open(path) as trace:
        for table in TABLES:
            text = (out / f"app.{table}.csv").read_text("utf-8", "surrogateescape")
            _, *lines = csv.reader(io.StringIO(text, newline=""))
            assert lines == cells(getattr(trace, table).to_numpy())


def test_csv_by_eye() -> None:
    dtype = np.dtype([("name", "O"), ("args", "u8", (2,)), ("wall", "M8[ns]"), ("g", "i8")])
    rows = np.array(
        [
            ('a,"b"\n', (0, 2**64 - 1), "2026-01-02T03:04:05.000000006", -1),
            (b"\xff\xc3\xa9".decode("utf-8", "surrogateescape"), (1, 2), "NaT", 0),
            ("a\rb", (3, 4), "NaT", 1),
        ],
        dtype,
    )
    out = io.BytesIO()
    FORMATS["csv"](out, dtype).write(rows)
    assert out.getvalue() == (
        b"name,args0,args1,wall,g\n"
        b'"a,""b""\n",0,18446744073709551615,2026-01-02T03:04:05.000000006,-1\n'
        b"\xff\xc3\xa9,1,2,NaT,0\n"
        b'"a\rb",3,4,NaT,1\n'
    )


@pytest.mark.parametrize("n", [0, 1, 10**6])
def test_npy_is_as_numpy_writes_it(n: int) -> None:
    dtype = narrow(TABLES["allocs"].dtype, ["op", "time"])  # seven bytes of nothing between them
    rows = np.empty(n, dtype)
    rows.view(np.uint8)[:] = 0xAA
    rows["op"], rows["time"] = 1, np.arange(n)
    out = io.BytesIO()
    writer = FORMATS["npy"](out, dtype)
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
    other = unpacked(FIXTURES[1], tmp_path)
    folder = tmp_path / "made" / "here"
    assert main(["export", str(EXAMPLE), "-o", str(tmp_path / "one.npy")]) == 0
    assert main(["export", str(EXAMPLE), str(other), "-o", str(folder), "--format", "npy"]) == 0
    assert sorted(file.name for file in folder.iterdir()) == ["app.allocs.npy", "heap.allocs.npy"]
    assert (tmp_path / "one.npy").read_bytes() == (folder / "heap.allocs.npy").read_bytes()
    assert main(["export", str(EXAMPLE), "-o", str(folder), "--format", "csv"]) == 0
    assert (folder / "heap.allocs.csv").is_file()


def test_streams(tmp_path: Path) -> None:
    whole = tmp_path / "whole.csv"
    assert main(["export", str(EXAMPLE), "-o", str(whole), "--table", "types"]) == 0
    done = run("-", "-o", "-", "--table", "types", input=EXAMPLE.read_bytes())
    assert (done.returncode, done.stdout) == (0, whole.read_bytes())
    args = ("-o", tmp_path / "out", "--format", "csv", *named("allocs", "types"))
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

    monkeypatch.setattr(FORMATS["csv"], "write", appear)
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(FORMATS["csv"], "write", interrupt)
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, default)  # processes in the background ignore some
    try:
        assert main(["export", str(EXAMPLE), "-o", str(tmp_path / "out.csv")]) == 128 + number
    finally:
        signal.signal(number, before)
    assert not list(tmp_path.iterdir())


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
        ([str(EXAMPLE), "-o", "out", "--format", "csv"], "same name"),
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
