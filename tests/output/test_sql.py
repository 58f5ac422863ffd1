"""SQL over several traces: the rows are those that DuckDB computes from the tables as data frames."""

from __future__ import annotations

import itertools
import json
import os
import pty
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from support import reference
from support.columns import NEW_DUCKDB, odd_trace
from support.http_server import serving
from support.processes import interruptible
from support.trace_builder import alloc_trace, new, span

import gotrace
from gotrace.analysis import sql
from gotrace.cli import main
from gotrace.columns.fields import extras_of
from gotrace.tables import stream
from gotrace.tables.catalog import TABLES

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"

QUERIES = {
    "aggregate": "select trace, type, op, count(*) n, sum(size) s from allocs group by all",
    "filters": "select time from allocs where size > 100 and op = 'alloc' and g is not null",
    "star": "select * from spans",
    "extra columns": "select trace, type_row, wall, max(time) m from objects group by all",
    "no column": "select count(*) from allocs",
    "self-join": "select a.address, b.time - a.time d from allocs a join allocs b using (trace, address) "
    "where a.op = 'alloc' and b.op = 'free' and a.what = 'span' and b.what = 'span'",
    "two tables": "select t.name, t.trace, count(*) n from allocs a join types t on t.row = a.type_row "
    "and t.trace = a.trace group by all",
    "subqueries": "select number, (select count(*) from allocs a where a.trace = g.trace and a.time >= g.start) n "
    "from generations g where exists (select 1 from events e where e.trace = g.trace)",
    "common table": "with big as (select * from objects where size >= 64) select x.trace, count(*) n "
    'from big x join big y using (trace, "offset") group by all',
    "windows": 'select time, sum(size) over (partition by trace order by "offset") s from spans qualify s % 3 = 0',
    "set operations": "select time, size from spans union all select time, size from goroutine_stacks "
    "except select time, size from spans where op = 'alloc'",
    "aliases by position": "select e from spans t(a, b, c, d, e), (select count(*) n from types) where c > 8192",
    "row": "select s.trace, s from spans s",
    "text": "select row, text, trace from strings union all select line, file, trace from frames",
    "ordered": "select kind, type, old, new, count(*) n from events e left join transitions t "
    "using (trace, time, type) group by all",
    "by name": "select trace, count(name) n, count(message) k from (select * from tasks union all by name "
    "select * from logs) group by all",
    "as of": "select a.offset, r.kind from spans a asof join ranges r on a.trace = r.trace and a.time >= r.time",
    "recursive": "with recursive r as (select 0 n union all select n + 1 from r "
    "where n < (select count(*) from generations)) select * from r",
    "comments": "-- first\nselect 'é;' x, count(*) n from spans; -- last",
}


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three traces, whose types and strings differ."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "odd.trace").write_bytes(odd_trace())
    (folder / "session.trace").write_bytes(reference.load(reference.DATA / "session-go1.25-allocfree.trace.gz"))
    (folder / "heap.trace").write_bytes(EXAMPLE.read_bytes())
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def tables(traces: list[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with every table of the traces, made from data frames."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name in TABLES:
            frames = []
            for path in traces:
                with gotrace.open(path) as trace:
                    table = getattr(trace, name)
                    frame = table.to_polars([*table.columns, *extras_of(TABLES[name].dtype)])
                frames.append(frame.with_columns(pl.col(pl.Categorical).cast(pl.String)))
            frame = pl.concat(frames)
            connection.register("frame", frame)
            connection.execute(f"create table {name} as from frame")
        yield connection


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("name", QUERIES)
def test_rows(
    name: str, jobs: int, traces: list[str], tables: duckdb.DuckDBPyConnection, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("gotrace.analysis.sql.STEP", 100_000)
    out = tmp_path / "out.jsonl"
    assert main(["sql", QUERIES[name], *traces, "-o", str(out), "-j", str(jobs)]) == 0
    found = sorted(out.read_text().splitlines())
    want = tmp_path / "want.jsonl"
    tables.execute(f"copy ({QUERIES[name].removesuffix('; -- last')}) to '{want}' (format json)")
    assert found == sorted(want.read_text().splitlines())
    assert found


def test_only_needed_columns_are_decoded(traces: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[list[str]] = []
    original = stream.batches

    def spy(reader: Any, keep: dict[str, list[Any]], *args: Any, **options: Any) -> Any:
        decoded.extend([field.name for field in fields] for fields in keep.values())
        return original(reader, keep, *args, **options)

    monkeypatch.setattr("gotrace.analysis.sql.batches", spy)
    for query, want in {
        "select max(time) from allocs where size > 100 and op = 'alloc'": ["time", "size", "op"],
        "select count(*) from allocs where wall is not null": ["wall"],
        "select t.name from types t join objects o on o.type_row = t.row": ["name", "row", "type_row"],
        "select count(*) from spans": ["time"],
        "select 1": [],
    }.items():
        decoded.clear()
        assert main(["sql", query, traces[0], "-o", str(tmp_path / "out.csv"), "-f"]) == 0
        assert sorted(name for names in decoded for name in names) == sorted(want)


def run(*args: object, stdin: Any = subprocess.DEVNULL, without: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the command, in a Python that lacks a library."""
    code = f"import sys; sys.modules['{without}'] = None; from gotrace.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "sql", *map(str, args)]
    return subprocess.run(command, stdin=stdin, capture_output=True, check=False)


@pytest.mark.parametrize(
    "query",
    [
        "select 1 from allocs a join allocs b using (time)",
        "select (select count(*) from allocs) + (select count(*) from events)",
        "select time from spans union all select time from goroutine_stacks",
        "select 1 from allocs where size > (select avg(size) from objects)",
        "with recursive r as (select 0 n union all select n + 1 from r where n < (select count(*) from spans)) from r",
        *(["pivot allocs on op using count(*)"] if NEW_DUCKDB else []),
    ],
)
def test_standard_input_is_not_scanned_twice(query: str) -> None:
    """It is rejected before anything is read: nothing is ever written to this pipe."""
    reader, writer = os.pipe()
    done = run(query, "-", stdin=reader)
    os.close(reader)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr.startswith(b"gotrace: standard input can be read only once")
    assert not done.stdout


def test_standard_input_named_twice() -> None:
    with EXAMPLE.open("rb") as file:
        assert run("select count(*) from allocs", "-", "-", stdin=file).returncode == 2


@pytest.mark.parametrize(
    "query",
    [
        "select trace, count(*) n from allocs group by 1",
        "with a as materialized (select * from allocs) select any_value(x.trace) trace, count(*) n from a x "
        'semi join a y using ("offset")',
    ],
)
def test_standard_input_is_scanned_once(query: str) -> None:
    with gotrace.open(EXAMPLE) as trace, EXAMPLE.open("rb") as file:
        done = run(query, "-", "--format", "jsonl", stdin=file)
        assert json.loads(done.stdout) == {"trace": "<stdin>", "n": len(trace.allocs)}
        with EXAMPLE.open("rb") as file:
            assert run(query, "-", "--json", stdin=file).stdout == done.stdout


@pytest.mark.parametrize("format", ["table", *sql.OPTIONS])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_damaged_trace_gives_no_result(
    place: int, format: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad, out = tmp_path / "bad.trace", tmp_path / "out"
    bad.write_bytes(alloc_trace([span(0), new(0), new(2)]) + b"\7\7\7")
    traces = [str(EXAMPLE)] * 2
    traces.insert(place, str(bad))
    for query in ("select * from allocs", "select op, count(*) from allocs group by 1"):
        for output in ([], ["-o", str(out)]):
            assert main(["sql", query, *traces, "--format", format, *output]) == 3
            printed = capfd.readouterr()
            assert not printed.out
            assert printed.err.startswith(f"gotrace: {bad}: ")
    assert list(tmp_path.iterdir()) == [bad]


def test_a_url_that_gives_another_trace_each_time(capfd: pytest.CaptureFixture[str]) -> None:
    """The endpoint of a running program: rows of two traces must not be joined as if they were of one."""
    traces = [reference.load(reference.DATA / f"heap-go1.{release}-allocfree.trace.gz") for release in (25, 26)]
    rest = itertools.cycle(traces)

    def next_trace(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(next(rest))

    with serving() as server:
        server.answers["trace"] = next_trace
        url = f"{server.url}trace"
        assert main(["sql", "select count(*) n from types", url, url, "--format", "csv"]) == 0
        assert int(capfd.readouterr().out.split()[1]) == sum(len(gotrace.open(trace).types) for trace in traces)
        assert main(["sql", "select count(*) from types a join types b using (trace, row)", url]) == 3
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "the input begins differently each time it is read: save it to a file first" in printed.err


def test_salvage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.trace"
    bad.write_bytes(alloc_trace([span(0), new(0), new(2)]) + b"\7\7\7")
    assert main(["sql", "select count(*) n from objects", str(bad), str(bad), "--salvage", "--format", "csv"]) == 3
    printed = capfd.readouterr()
    assert printed.out == "n\n4\n"
    assert printed.err.count(f"gotrace: {bad}: lost: ") == 1


def test_a_missing_trace_gives_no_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["sql", "select count(*) from allocs", str(EXAMPLE), str(tmp_path / "none")]) == 3
    printed = capfd.readouterr()
    assert not printed.out
    assert printed.err == f"gotrace: {tmp_path / 'none'}: No such file or directory\n"


def test_folders(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A folder stands for its traces; one without any gives no result."""
    (tmp_path / "a").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("x.trace", "a/y.trace"):
        (tmp_path / name).write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "other.txt").write_text("no trace")
    query = "select trace from generations order by 1"
    assert main(["sql", query, str(tmp_path), "--format", "csv"]) == 0
    printed = capfd.readouterr()
    assert printed.out.splitlines() == ["trace", str(tmp_path / "a" / "y.trace"), str(tmp_path / "x.trace")]
    assert printed.err == f"gotrace: {tmp_path}: 1 file is not a trace: {tmp_path / 'other.txt'}\n"
    assert main(["sql", query, str(tmp_path / "a"), str(tmp_path / "empty")]) == 3
    printed = capfd.readouterr()
    assert not printed.out
    assert printed.err == f"gotrace: {tmp_path / 'empty'}: no traces here\n"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec", "syntax error"),
        ("select nothing from allocs", '"nothing" not found'),
        ("select * from nothing", "Table with name nothing does not exist"),
        ("select 'x'::int from allocs", "Could not convert"),
        ("from hidden", "hidden does not exist"),
        ("select 1; select 2", "write one query"),
        ("", "write one query"),
        ("create table x as select 1", "CREATE is not a query"),
        ("copy allocs to 'x.csv'", "COPY is not a query"),
    ],
)
def test_wrong_queries(query: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    hidden = pl.DataFrame({"x": [1]})  # no variable is a table
    assert main(["sql", query, str(EXAMPLE)]) == 2, hidden
    printed = capfd.readouterr()
    assert message in printed.err
    assert not printed.out


def test_formats(tmp_path: Path) -> None:
    """The suffix chooses the format; nulls, texts and large numbers are kept."""
    query = "select 18446744073709551615::ubigint u, null::int n, '' e, 'a,\"b' q, 'NULL' t, max(wall) w from allocs"
    for format in sql.OPTIONS:
        assert main(["sql", query, str(EXAMPLE), "-o", str(tmp_path / f"x.{format}")]) == 0
    text = (tmp_path / "x.csv").read_text().splitlines()
    assert text[0] == "u,n,e,q,t,w"
    assert text[1].startswith('18446744073709551615,,"","a,""b",NULL,2026-11-23 05:20:01')
    row = json.loads((tmp_path / "x.jsonl").read_text())
    assert (row["u"], row["n"], row["e"], row["q"], row["t"]) == (2**64 - 1, None, "", 'a,"b', "NULL")
    assert pl.read_parquet(tmp_path / "x.parquet").row(0)[:5] == (2**64 - 1, None, "", 'a,"b', "NULL")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.jsonl", "x.parquet"]


def test_outputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.csv"
    out.write_text("kept")
    command = ["sql", f"select count(*) n from '{tmp_path / 'in.csv'}'", str(EXAMPLE), "-o"]
    (tmp_path / "in.csv").write_text("a\n1\n2\n")  # DuckDB's own readers work
    for output in (out, tmp_path / "x.unknown", tmp_path / "none" / "x.csv"):
        with pytest.raises(SystemExit) as exited:
            main([*command, str(output)])
        assert exited.value.code == 2
    assert out.read_text() == "kept"
    assert main([*command, str(out), "--force"]) == 0
    assert out.read_text() == "n\n2\n"
    assert capfd.readouterr().err.endswith(f"gotrace: wrote {out} (4 B)\n")
    assert main([*command, "-"]) == 0
    assert capfd.readouterr().out == "n\n2\n"


def test_json_has_no_nan(capfd: pytest.CaptureFixture[str]) -> None:
    query = """select 'nan'::double as "a""b", 1 / 0 as x, 1 / 0 as x, 'inf'::float f, 0.5::double d, 'nan' t; -- end"""
    assert main(["sql", query, str(EXAMPLE), "--json"]) == 0
    row = json.loads(capfd.readouterr().out, parse_constant=pytest.fail)
    assert row == {'a"b': None, "x": None, "x_1": None, "f": None, "d": 0.5, "t": "nan"}
    assert main(["sql", "select 1 as x, 2 as X, 3 as x_1, 4 as x", str(EXAMPLE), "--json"]) == 0
    assert list(json.loads(capfd.readouterr().out).values()) == [1, 2, 3, 4]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("format", ["table", *sql.OPTIONS])
def test_a_full_device(format: str) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "gotrace", "sql", "select * from spans", str(EXAMPLE), "--format", format]
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (process.returncode, process.stderr) == (3, b"gotrace: No space left on device\n")


@pytest.mark.skipif(not NEW_DUCKDB, reason="DuckDB 1 has other messages")
@pytest.mark.parametrize("name", ["out.csv", "-"])
def test_a_file_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    code = f"{limit}; from gotrace.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, "sql", "select * from allocs", str(EXAMPLE), "-o", name, "--format", "csv"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.run(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, check=False)
    place = name if name != "-" else str(tmp_path)
    assert (process.returncode, process.stderr.decode()) == (3, f"gotrace: {place}: File too large\n")
    assert not list(tmp_path.iterdir())


def test_order_and_limit(traces: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    query = 'select time, "offset" from allocs order by time desc, "offset" limit 20'
    assert main(["sql", query, *traces, "--format", "csv"]) == 0
    lines = [tuple(map(int, line.split(","))) for line in capfd.readouterr().out.splitlines()[1:]]
    assert lines == sorted(lines, key=lambda line: (-line[0], line[1]))
    assert len(lines) == 20


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal(columns: int) -> None:
    import fcntl
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-m", "gotrace", "sql", "select *, 'é\t' x from allocs limit 2", str(EXAMPLE)]
    env = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    subprocess.run(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=env, check=True)
    os.close(theirs)
    lines = os.read(ours, 1 << 16).decode().splitlines()
    os.close(ours)
    assert max(map(len, lines)) <= columns + len("\x1b[1m\x1b[0m")
    assert "time         address" in lines[0]
    assert "5348930742720  24464575479808" in lines[1]
    assert "too narrow for: " in lines[3] if columns < 200 else len(lines) == 3


def test_table_as_text(capfd: pytest.CaptureFixture[str]) -> None:
    query = "select * from (values ('a\nb', 1, null, 1.5), ('', -20, null, null)) t(name, n, none, x)"
    assert main(["sql", query, str(EXAMPLE)]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "name      n  none     x",
        "a\\x0ab    1  NULL   1.5",
        "        -20  NULL  NULL",
    ]


@pytest.mark.parametrize("jobs", [1, 2])
def test_interrupted_while_it_waits_for_input(jobs: int, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command: list[str | Path] = [
        "sql",
        "select count(*) from allocs",
        pipe,
        "-o",
        tmp_path / "out.csv",
        "-j",
        str(jobs),
    ]
    process = subprocess.Popen(interruptible(command))
    with pipe.open("wb"):  # opens when the other side does
        while process.poll() is None:  # a signal just before a read is noticed after it
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == [pipe]


def test_without_duckdb() -> None:
    done = run("select 1", EXAMPLE, without="duckdb")
    assert done.returncode == 2
    assert done.stderr == b'gotrace: sql needs duckdb: pip install "gotrace[sql]"\n'


def test_without_pyarrow() -> None:
    done = run(
        "select count(*) n from allocs where size > 0 and op <> 'free'", EXAMPLE, "--format", "csv", without="pyarrow"
    )
    with gotrace.open(EXAMPLE) as trace:
        rows = trace.allocs.to_numpy()
        n = ((rows["size"] > 0) & (rows["op"] != gotrace.Op.FREE)).sum()
    assert done.stdout == f"n\n{n}\n".encode()


def test_tables_are_found_by_duckdb_itself() -> None:
    """In Python, a variable is a table."""
    with gotrace.open(EXAMPLE) as trace:
        t = trace.allocs
        assert duckdb.execute("select count(*) from t").fetchall() == [(len(t),)]


def test_streams_are_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[gotrace.Trace] = []
    original = gotrace.open

    def spy(*args: Any, **options: Any) -> gotrace.Trace:
        opened.append(original(*args, **options))
        return opened[-1]

    monkeypatch.setattr("gotrace.analysis.sql.open_trace", spy)
    monkeypatch.setattr("gotrace.analysis.sql.STEP", 64_000)
    assert main(["sql", "select time from allocs limit 1", *[str(EXAMPLE)] * 3, "-o", str(tmp_path / "x.csv")]) == 0
    assert opened
    for trace in opened:
        with pytest.raises(ValueError, match="closed"):
            next(trace.iterate("allocs"))
