"""The command line, as a user meets it: text, JSON, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import reference
from support.trace_builder import alloc_trace, free, new, span, types

import gotrace
from gotrace.analysis.ages import lifespans
from gotrace.cli import main
from gotrace.raw import Writer, allocfree_types

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.trace"
    path.write_bytes(alloc_trace([span(0), new(0), new(2)]))
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.trace"
    path.write_bytes(alloc_trace([], info=False))
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "damaged.trace"
    path.write_bytes(alloc_trace([span(0), new(0), new(2)]) + b"\7\7\7")
    return path


def run(*args: object, input: bytes | None = None, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gotrace", *map(str, args)]
    return subprocess.run(command, capture_output=True, input=input, check=False, env={**os.environ, **env})


def test_heap(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", str(good)]) == 0
    out, err = capsys.readouterr()
    assert "(untyped) 16 B" in out
    assert "32 B in use" in out
    assert not err


@pytest.mark.parametrize("command", ["heap", "stats", "spans", "lifetimes", "diff"])
def test_a_heap_of_nothing_is_an_error(command: str, plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = [command, *[str(plain)] * (2 if command == "diff" else 1)]
    assert main(args) == 3
    out, err = capsys.readouterr()
    assert not out
    assert "GODEBUG=traceallocfree=1" in err
    assert main([*args, "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["rows"] == []
    assert document["error"]["class"] == "NoHeapDataError"


def test_heap_json(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", "--json", "--by", "class", str(good)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "heap/1"
    assert answer["trace"] == str(good)
    assert answer["rows"] == [{
        "name": "16 B", "inuse_objects": 2, "inuse_bytes": 32, "alloc_objects": 2, "alloc_bytes": 32,
        "free_objects": 0, "free_bytes": 0, "start_objects": 0, "start_bytes": 0,
    }]  # fmt: skip
    assert (answer["anomalies"], answer["warnings"], answer["losses"], answer["error"]) == ({}, [], [], None)


def test_a_profile_of_nothing_is_not_written(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = plain.parent / "heap.pb.gz"
    assert main(["export", str(plain), "-o", str(out)]) == 3
    assert "GODEBUG=traceallocfree=1" in capsys.readouterr().err
    assert not out.exists()


def test_top(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", "-n", "3", str(EXAMPLE)]) == 0
    short = capsys.readouterr().out
    assert "more rows" in short
    assert main(["heap", "--top", "0", str(EXAMPLE)]) == 0
    assert len(capsys.readouterr().out) > len(short)
    assert main(["heap", "--top", "500", str(EXAMPLE)]) == 0
    assert "more rows" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "args",
    [
        *(["heap", "--by", by] for by in ("type", "task", "region", "package")),
        *(["info"], ["stats"], ["spans"], ["lifetimes"], ["validate"], ["diff", str(EXAMPLE)]),
    ],
    ids="-".join,
)
def test_names_are_printable(args: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names.trace"
    path.write_bytes(reference.load(reference.DATA / "cases" / "names-go1.27-allocfree.trace.gz"))
    assert main([*args, str(path)]) == 0
    out, err = capsys.readouterr()
    assert out
    assert not [c for c in out + err if c != "\n" and not c.isprintable()]


def test_damage_is_said_after_what_could_be_read(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", str(damaged)]) == 3
    out, err = capsys.readouterr()
    assert "(untyped) 16 B" in out
    assert "expected a batch, found byte 7" in err
    assert "[07]" in err
    assert main(["heap", "--json", str(damaged)]) == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"]["class"] == "MalformedError"
    assert answer["error"]["offset"] == damaged.stat().st_size - 3
    assert answer["rows"]


def test_damage_before_anything_could_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cut.trace"
    path.write_bytes(EXAMPLE.read_bytes()[:100_000])
    assert main(["heap", str(path)]) == 3
    out, err = capsys.readouterr()
    assert not out
    assert "the input ends" in err


def test_heap_by_at_and_ages(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args, said in (
        (["--at", "start"], "heap at the start: 2.3 MiB in use"),
        (["--at", "peak"], "heap at the peak, 4.71 ms after the start: 3.3 MiB in use"),
        (["--at", "gc:2"], "heap at the start of mark phase 2, 2.99 ms after the start"),
        (["--at", "3ms"], "heap 3 ms after the start"),
        (["--leaks"], "284.4 KiB in use, 2 GC cycles old or more"),
        (["--leaks", "--max-age", "3"], "in use, 2 to 3 GC cycles old"),
        (["--temporary"], "2.0 MiB freed, 1 GC cycle old or less"),
        (["--by", "goroutine"], "main.main.func1"),
        (["--by", "package"], "  main\n"),
    ):
        assert main(["heap", *args, str(EXAMPLE)]) == 0
        out, err = capsys.readouterr()
        assert said in out
        assert not err
    assert main(["heap", "--json", "--temporary", "--by", "region", str(EXAMPLE)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["by"], answer["at"], answer["min_age"], answer["max_age"]) == ("region", "end", None, 1)
    assert answer["unaged"] == {"inuse_objects": 113, "inuse_bytes": 2419736, "free_objects": 13, "free_bytes": 3416}
    freed = [row["free_bytes"] for row in answer["rows"]]
    assert freed == sorted(freed, reverse=True)
    assert main(["heap", "--by", "task", str(good)]) == 0
    assert "(none)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "args",
    [
        ["--by", "luck"],
        ["--at", "noon"],
        ["--at", "gc:99"],
        ["--min-age", "-1"],
        ["--leaks", "--at", "peak"],
        ["--leaks", "--min-age", "1"],
        ["--leaks", "--temporary"],
        ["--temporary", "--max-age", "1"],
    ],
)
def test_heap_usage(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["heap", *args, str(EXAMPLE)])
    assert caught.value.code == 2
    assert not capsys.readouterr().out


def test_heap_by_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "sites.trace"
    trace.write_bytes(reference.load(reference.DATA / "sites-go1.27-allocfree.trace.gz"))
    assert main(["heap", "--by", "site", "-n", "2", str(trace)]) == 0
    out = capsys.readouterr().out
    assert "in use  live  samples" in out
    assert re.search(r"236\.0 MiB ± +24% +59 +1 +5\.6 GiB ± +9%", out)
    assert "main.(*keep).six (sites.go:47)" in out
    assert "166 matched an allocation" in " ".join(out.split())
    assert main(["heap", "--by", "site", "--temporary", "--json", str(trace)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["samples"]["matched"] == 166
    freed = [(row["free_bytes"], row["free_samples"]) for row in answer["rows"]]
    assert freed == sorted(freed, reverse=True)
    assert sum(samples for _, samples in freed) == 157
    assert main(["heap", "--by", "site", str(EXAMPLE)]) == 0
    assert "No CPU samples: run a CPU profile" in capsys.readouterr().out
    assert main(["heap", "--json", str(EXAMPLE)]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] is None


def test_a_terminal_that_cannot_show_a_name(tmp_path: Path) -> None:
    trace = tmp_path / "umlaut.trace"
    table = allocfree_types(types("main.Gr\u00f6\u00dfe"))
    trace.write_bytes(alloc_trace([span(0), new(0, 1)], tables=[table]))
    done = run("heap", str(trace), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"main.Gr\\xf6\\xdfe" in done.stdout


def test_heap_of_a_stream_at_its_peak() -> None:
    assert run("heap", "--at", "peak", "-", input=EXAMPLE.read_bytes()).returncode == 0
    done = run("heap", "--at", "peak", "--min-age", "1", "-", input=EXAMPLE.read_bytes())
    assert done.returncode == 2
    assert b"save it to a file" in done.stderr


def test_lifetimes(good: Path, damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lifetimes", "-n", "1", str(EXAMPLE)]) == 0
    out = capsys.readouterr().out
    assert "19,293 objects died (2.0 MiB) in 5.93 ms and 4 GC cycles, 1,860 still live (2.6 MiB)" in out
    assert "main.Order" in out
    assert "main.LineItem" not in out
    assert main(["lifetimes", "--json", "--sort", "died_objects", "--by", "class", str(EXAMPLE)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["by"], answer["cycles"]) == ("lifetimes/1", "class", 4)
    died = [row["died_objects"] for row in answer["rows"]]
    assert died == sorted(died, reverse=True)
    assert {row["median_cycles"] for row in answer["rows"]} >= {None, 1}
    assert main(["lifetimes", "--sort", "name", str(good)]) == 0
    assert "0 objects died" in capsys.readouterr().out
    assert main(["lifetimes", "--top", "0", str(damaged)]) == 3
    out, err = capsys.readouterr()
    assert "2 still live" in out
    assert "expected a batch" in err


def test_info(good: Path, plain: Path, damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(good), str(plain)]) == 0
    out = capsys.readouterr().out
    assert "HeapObjectAlloc" in out
    assert "missing  no alloc/free events" in out
    assert f"next     gotrace rank --metric inuse_bytes {good} {plain}" in out
    assert main(["info", str(good)]) == 0
    assert f"next     gotrace heap {good}" in capsys.readouterr().out
    assert main(["info", str(damaged), "/no/such", str(good)]) == 3
    out, err = capsys.readouterr()
    assert "No such file" in err
    assert out.count("header 1.23") == 2


def test_info_of_times_beyond_int64(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They become the lowest number, as in Go: the trace is longer than int64 can express."""
    path = tmp_path / "x.trace"
    trace = Writer(26)
    for gen, base in ((1, 2**64 - 1), (2, 100)):
        trace.frequency(gen, base, 10**9).end_of_generation()
    path.write_bytes(trace.getvalue())
    assert main(["info", str(path)]) == 0
    assert "0 events of 0 threads in 106,752 d" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["info"], ["info", "--salvage"], ["lifetimes"], ["stats"], ["spans"]])
@pytest.mark.parametrize("times", [(100, 2**64 - 2**20), (2**64 - 2**20, 100), (2**62, 2**64 - 1), (2**64 - 1, 2**62)])
def test_lives_beyond_int64(
    flags: list[str], times: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A time beyond int64 becomes the lowest number: lives and generations are longer than int64, or end early."""
    path = tmp_path / "x.trace"
    trace = Writer(26).frequency(1, 100, 10**9)
    trace.batch(1, 1, times[0], span(0) + new(0)).batch(1, 1, times[1], free(0))
    path.write_bytes(trace.end_of_generation().getvalue())
    assert main([*flags, str(path)]) == 0
    assert capsys.readouterr().out
    with gotrace.open(path) as opened:
        (row,) = lifespans(opened).table
        assert row["died_objects"] == 1
        assert row["median_time"] == (1 if times[0] < times[1] else 2**63 - 1024)


def test_info_json(good: Path, plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", str(good), str(plain)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["schema"] == second["schema"] == "info/1"
    assert first["rows"][0]["events"] == 3
    assert first["rows"][0]["wall"] is None
    assert first["events"] == {"HeapObjectAlloc": 2, "SpanAlloc": 1}
    assert second["events"] == {}


def test_dump(good: Path) -> None:
    wire = run("dump", "--mode", "wire", good)
    assert wire.returncode == 0
    assert wire.stdout.splitlines()[1] == b"Frequency freq=15625000"
    done = run("dump", good)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == b"M=-1 P=-1 G=-1 Sync Time=6400 N=1"
    for mode, text in (("wire", wire.stdout), ("parsed", done.stdout)):
        assert run("dump", "--mode", mode, "-", input=good.read_bytes()).stdout == text


def test_dump_of_damage(damaged: Path, good: Path) -> None:
    for mode in ("wire", "parsed"):
        done = run("dump", "--mode", mode, damaged)
        assert done.returncode == 3
        assert done.stdout == run("dump", "--mode", mode, good).stdout
        assert b"expected a batch" in done.stderr


@pytest.mark.parametrize("command", ["heap", "lifetimes", "info", "dump"])
def test_no_trace(command: str, tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("these are words, not a trace\n")
    done = run(command, path)
    assert done.returncode == 3
    assert not done.stdout
    assert b"not a Go execution trace" in done.stderr
    assert run(command, tmp_path / "absent").returncode == 3
    assert run(command, tmp_path).returncode == 3


@pytest.mark.parametrize("command", ["heap", "info"])
def test_standard_input(command: str, good: Path) -> None:
    done = run(command, "-", input=good.read_bytes())
    assert done.returncode == 0
    assert b"16 B" in done.stdout or b"HeapObjectAlloc" in done.stdout


@pytest.mark.parametrize("args", [[], ["nothing"], ["heap"], ["heap", "x", "--by", "luck"], ["heap", "x", "-n", "-1"]])
def test_usage(args: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["heap", "--help"],
        ["info", "--help"],
        ["dump", "--help"],
        ["lifetimes", "--help"],
        ["export", "--help"],
        ["help"],
        ["help", "diff"],
    ],
)
def test_help(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", ["heap", "info", "stats", "spans", "lifetimes", "validate", "diff"])
@pytest.mark.parametrize("name", ["text", "absent"])
def test_json_of_an_input_that_cannot_be_opened(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("this is text, not a trace\n")
    path = str(tmp_path / name)
    assert main([command, "--json", *[path] * (2 if command == "diff" else 1)]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == f"{command}/1"
    assert document["error"]["class"] == ("HeaderError" if name == "text" else "FileNotFoundError")


@pytest.mark.parametrize("query", [["--at", "gc:1000"], ["--at", "peak", "--min-age", "1"]])
def test_json_of_a_damaged_trace_without_the_instant(
    query: list[str], damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mark phase may come after the fault; ages at the peak need a second pass."""
    assert main(["heap", "--json", *query, str(damaged)]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "heap/1"
    assert document["error"]["class"] == "MalformedError"


@pytest.mark.parametrize("command", ["heap", "info", "dump", "export --table types --format csv -o -"])
@pytest.mark.parametrize(("stream", "code"), [("0", 3), ("1", 3), ("2", 0)])
def test_a_closed_standard_stream(command: str, stream: str, code: int) -> None:
    source = "-" if stream == "0" else str(EXAMPLE)
    ends = [f"{stream}<&-" if stream == "0" else f"{stream}>&-", *([">/dev/null"] if stream != "1" else [])]
    shell = f"exec {sys.executable} -m gotrace {command} {source} {' '.join(ends)}"
    assert subprocess.run(["/bin/sh", "-c", shell], stderr=subprocess.DEVNULL, check=False).returncode == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("command", "place"),
    [
        (["completion", "bash"], ""),
        (["heap", EXAMPLE], ""),
        (["find", EXAMPLE, "--kind", "RangeBegin", "--markdown"], ""),
        (["export", EXAMPLE, "-o", "-"], ""),
        (["export", EXAMPLE, "--format", "parquet", "-o", "/dev/full"], "/dev/full: "),
        (["sql", "select 1", EXAMPLE, "--format", "csv", "-o", "/dev/full"], "/dev/full: "),
    ],
)
def test_a_full_device(command: list[object], place: str) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [sys.executable, "-m", "gotrace", *map(str, command)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (process.returncode, process.stderr.decode()) == (3, f"gotrace: {place}No space left on device\n")


def test_an_empty_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", ""]) == 3
    assert capsys.readouterr().err == "gotrace: '': No such file or directory\n"


def test_a_closed_pipe_ends_quietly() -> None:
    command = [sys.executable, "-m", "gotrace", "dump", str(EXAMPLE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


def test_a_closed_pipe_on_stderr(tmp_path: Path) -> None:
    cut = tmp_path / "cut.trace"
    cut.write_bytes(EXAMPLE.read_bytes()[:-100])
    command = [sys.executable, "-m", "gotrace", "heap", str(cut)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 3


def test_interrupt() -> None:
    program = (  # a shell's background jobs ignore it
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys, gotrace.cli; print('ready', file=sys.stderr, flush=True)\n"
        "sys.exit(gotrace.cli.main(['heap', '-']))"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(EXAMPLE.read_bytes()[:1000])
        process.stdin.flush()
        process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 130
        finally:
            process.kill()


def test_a_bug_of_ours(good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise gotrace.InternalError("impossible")

    monkeypatch.setattr("gotrace.cli.heap.heap_at", fail)
    assert main(["heap", str(good)]) == 70
    assert "bug" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["hepa", "x"], "did you mean heap?"),
        (["help", "lifetime"], "did you mean lifetimes?"),
        (["heap", "x", "--fliter=y"], "did you mean --filter?"),
        (["heap", "--leeks"], "did you mean --leaks?"),
        (["heap", "x", "--by", "tpye"], "did you mean type?"),
        (["heap", "x", "--sort", "free_byte"], "did you mean free_bytes?"),
        (["export", str(EXAMPLE), "-o", "out.csv", "--table", "alocs"], "did you mean allocs?"),
        (["export", str(EXAMPLE), "-o", "out.csv", "--columns", "tiem"], "did you mean time?"),
        (["dump", "x", "--kind", "Lable"], "did you mean Label?"),
        (["simulate", "-o", "out.trace", "--release", "1.21"], "--release '1.21': expected one of 1.22, "),
        ([str(EXAMPLE)], f"run gotrace info {EXAMPLE}"),
        (["heap"], "go test -trace app.trace"),
        (["diff"], "go test -trace app.trace"),
        (["report", "-o", "x.html"], "go test -trace app.trace"),
        (["report", "-", "-o", "x.html"], "save it to a file"),
        (["lifetimes", str(reference.DATA / "heap-go1.2*.trace.gz")], "has 6 traces, but one is needed"),
    ],
    ids=str,
)
def test_usage_errors_say_what_is_meant(args: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(args)
    assert said in capsys.readouterr().err


def test_the_version_needs_no_imports() -> None:
    program = "import sys; from gotrace.cli import main; main(['--version']); print('numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == f"gotrace {gotrace.__version__}\nFalse\n"


def test_a_pattern_of_one_trace(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lifetimes", str(good.parent / "g*d.trace")]) == 0
    assert "0 objects died" in capsys.readouterr().out
    odd = good.parent / "odd[1].trace"
    odd.write_bytes(good.read_bytes())
    assert main(["lifetimes", str(odd)]) == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "man"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for word in ("lifetimes", "salvage", "goroutine", "simulate"):
        assert word in text
    if shell == "man":
        assert ".SH NAME\ngotrace \\- decode Go execution traces\n" in text
        assert re.search(r"^\.nf\nusage: gotrace stats (.+\n)+\.fi$", text, re.MULTILINE)


def test_an_export_without_heap_data(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", str(plain), "-o", str(tmp_path / "allocs.csv")]) == 3
    err = capsys.readouterr().err
    assert "allocs.csv (0 rows, " in err
    assert "no alloc/free events: start the program with GODEBUG=traceallocfree=1" in err
    tables = ["--table", "allocs", "--table", "events"]
    assert main(["export", *tables, "--format", "csv", str(plain), "-o", str(out)]) == 0


def test_commands_say_what_they_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, table, trace = tmp_path / "heap.html", tmp_path / "allocs.csv", tmp_path / "new.trace"
    for args, out in (
        (["report", str(EXAMPLE), "-o", str(page)], page),
        (["export", str(EXAMPLE), "-o", str(table)], table),
        (["simulate", "-o", str(trace), "--events", "1000"], trace),
    ):
        assert main(args) == 0
        assert re.search(rf"wrote {out} \(.*[\d.]+ (B|KiB|MiB)\)\n", capsys.readouterr().err)
    assert main(["export", str(EXAMPLE), "-q", "-f", "-o", str(table)]) == 0
    assert not capsys.readouterr().err
