"""Commands over several traces: ``rank``, ``find``, and what they share with ``info``, ``validate`` and ``export``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.http_server import serving
from support.processes import interruptible
from support.trace_builder import alloc_trace, new, span

import gotrace
from gotrace.analysis.find import find
from gotrace.analysis.rank import METRICS, measure
from gotrace.cli import main

GOOD = alloc_trace([span(0), new(0), new(2)])
HEAP = "heap-go1.27-allocfree"
SCHED = "sched-go1.27"
NAMES = [HEAP, "frees-go1.26-allocfree", SCHED, "coro-go1.25", "sched-go1.26-tiny"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with good traces, a damaged one, text, and a larger one."""
    place = tmp_path_factory.mktemp("many") / "traces"
    place.mkdir()
    for name in NAMES:
        shutil.copy(reference.DATA / f"{name}.trace.gz", place)
    (place / "damaged.trace").write_bytes(GOOD + b"\7\7\7")
    (place / "README").write_text("these are traces\n")
    gotrace.simulate(str(place / "simulated.trace"), events=400_000, seed=3)
    return place


def run(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "gotrace", *map(str, args)]
    return subprocess.run(command, capture_output=True, check=False, cwd=cwd)


# --- rank ---------------------------------------------------------------------------------------------------


def waits(trace: gotrace.Trace) -> list[tuple[int, int]]:
    """Return length and start of each time from runnable to running, in plain Python."""
    found = []
    since: dict[int, int] = {}
    for row in trace.transitions.to_numpy(["time", "id", "resource", "old", "new"]).tolist():
        time, id, resource, old, new_state = row
        if resource != gotrace.Resource.GOROUTINE or old == new_state:
            continue
        start = since.pop(id, None)
        if start is not None and new_state == gotrace.GoState.RUNNING:
            found.append((time - start, start))
        if new_state == gotrace.GoState.RUNNABLE and old != gotrace.GoState.UNDETERMINED:
            since[id] = time
    return found


def pauses(trace: gotrace.Trace) -> list[tuple[int, int]]:
    found = []
    since: dict[int, int] = {}
    for row in trace.ranges.to_numpy(["time", "id", "start", "kind"]).tolist():
        time, id, start, kind = row
        if start == 26 and kind == gotrace.Kind.RANGE_BEGIN:
            since[id] = time
        elif start == 26 and kind == gotrace.Kind.RANGE_END and id in since:
            found.append((time - since[id], since.pop(id)))
    return found


@pytest.mark.parametrize("name", [*NAMES, "simulated"])
def test_waits_and_pauses(name: str, folder: Path) -> None:
    with gotrace.open(next(folder.glob(f"{name}.*"))) as trace:
        lengths = waits(trace)
        exact = sorted(lengths)[-(-99 * len(lengths) // 100) - 1][0]
        found = measure(trace, "sched_p99")
        assert found.value is not None
        assert exact <= found.value <= exact * (1 + 1 / 128)
        assert found.time == min(start for length, start in lengths if length == found.value)
        assert found.start == trace.start
        found = measure(trace, "stw_max")
        longest = max(pauses(trace), key=lambda pause: (pause[0], -pause[1]), default=(None, -1))
        assert (found.value, found.time) == longest
        assert bool(found.missing) == (found.value is None)


@pytest.mark.parametrize("name", [HEAP, "simulated"])
def test_heap_metrics(name: str, folder: Path) -> None:
    with gotrace.open(next(folder.glob(f"{name}.*"))) as trace:
        found = measure(trace, "alloc_rate")
        seconds = (trace.end - trace.start) / 1e9
        assert found.value == pytest.approx(trace.heap().table["alloc_bytes"].sum() / seconds, rel=1e-12)
        assert found.time == trace.end
        found = measure(trace, "inuse_bytes")
        assert found.value == trace.heap().table["inuse_bytes"].sum()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("jobs", [1, 3])
def test_rank(metric: str, jobs: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", str(folder), "/no/such", "--metric", metric, "-j", str(jobs)]) == 3
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[0] == f"gotrace: {folder}: 1 file is not a trace: {folder}/README"
    assert lines[1].startswith(f"gotrace: {folder}/damaged.trace: expected a batch")
    assert lines[2] == "gotrace: /no/such: No such file or directory"
    assert len(lines) == 3
    title, *lines = out.partition("\n\nnext  ")[0].splitlines()
    assert title.split() == [metric, "at", "trace"]
    values = {}
    for path in sorted(map(str, folder.glob("*.trace*"))):
        if not path.endswith("damaged.trace"):
            with gotrace.open(path) as trace:
                values[path] = measure(trace, metric)
    want = sorted(values, key=lambda path: (values[path].value is None, -(values[path].value or 0)))
    assert [str(folder) + line.partition(str(folder))[2].partition(" (")[0] for line in lines] == want
    for line, path in zip(lines, want, strict=True):
        assert line.endswith(f" ({values[path].missing})") == (values[path].value is None)

    assert main(["rank", str(folder), "/no/such", "--metric", metric, "--json", "-n", "2"]) == 3
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["trace"] for document in documents] == [*want[:2], f"{folder}/damaged.trace", "/no/such"]
    for document, path in zip(documents[:2], want, strict=False):
        assert document["schema"] == "rank/1"
        time = values[path].time if values[path].value is not None else None
        assert document["rows"] == [{"trace": path, "value": values[path].value, "time": time}]
        assert document["error"] is None
    assert [document["error"]["class"] for document in documents[2:]] == ["MalformedError", "FileNotFoundError"]


def test_rank_reads_what_is_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rank", str(folder / "damaged.trace"), "--metric", "inuse_bytes", "--salvage"]) == 3
    out, err = capsys.readouterr()
    assert "32 B" in out
    assert "lost: " in err
    (folder.parent / "good.trace").write_bytes(GOOD)
    assert main(["rank", str(folder.parent / "good.trace"), "--metric", "stw_max"]) == 0
    assert "no complete stop-the-world pause" in capsys.readouterr().out


# --- find ---------------------------------------------------------------------------------------------------


def matches(functions: list[str], patterns: list[str]) -> bool:
    """Return True if the patterns match functions in this order, in plain Python."""
    rest = iter(functions)
    return all(any(name == pattern or fnmatchcase(name, pattern) for name in rest) for pattern in patterns)


@pytest.fixture(scope="session")
def stacks(folder: Path) -> tuple[Path, Any, dict[int, list[str]]]:
    path = folder / f"{SCHED}.trace.gz"
    with gotrace.open(path) as trace:
        events = trace.events.to_numpy()
        functions = {row: [frame.function for frame in trace.stack(row)] for row in set(events["stack"].tolist())}
    return path, events, functions


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_find_is_brute_force(stacks: tuple[Path, Any, dict[int, list[str]]], data: st.DataObject) -> None:
    path, events, functions = stacks
    names = sorted({name for stack in functions.values() for name in stack})
    part = st.sampled_from(names).flatmap(
        lambda name: st.sampled_from([name, f"{name[:8]}*", f"*{name[-6:]}", name.swapcase(), f"?{name[1:]}", "*"])
    )
    patterns = data.draw(st.lists(part, max_size=3))
    kinds = data.draw(st.sets(st.sampled_from([gotrace.Kind.STATE_TRANSITION, gotrace.Kind.RANGE_BEGIN])))
    most = data.draw(st.one_of(st.none(), st.integers(1, 50)))
    wanted = [
        i
        for i, event in enumerate(events)
        if (not kinds or event["kind"] in kinds) and matches(functions[int(event["stack"])], patterns)
    ][:most]
    with gotrace.open(path) as trace:
        found = find(trace, kinds, patterns, most)
        assert found.start == trace.start
    assert (found.events == events[wanted]).all()
    assert len(found.events) == len(wanted)
    for event, function in zip(found.events, found.functions.tolist(), strict=True):
        of_stack = functions[int(event["stack"])]
        first = patterns[0] if patterns else "*"
        assert found.names[function] == next((name for name in of_stack if matches([name], [first])), "")


def test_a_pattern_may_be_the_name_of_a_generic_function() -> None:
    assert matches(["main.Map[...]"], ["main.Map[...]"])
    path = reference.DATA / "heap-go1.27-allocfree.trace.gz"
    with gotrace.open(path) as trace:
        generic = [text for text in trace.strings["text"] if text.endswith("[...]")]
        events = trace.events.to_numpy(["stack"])["stack"]
        frames = {row: [frame.function for frame in trace.stack(row)] for row in set(events.tolist())}
        for name in generic[:3]:
            n = sum(name in frames[row] for row in events.tolist())
            assert len(find(trace, patterns=[name]).events) == n


@pytest.mark.parametrize("jobs", [1, 3])
def test_find(jobs: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--kind", "StateTransition", "--stack", "runtime.chansend1", "--stack", "main.*", "-j", str(jobs)]
    assert main(["find", str(folder), *flags]) == 3
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(err.splitlines()) == 2
    assert lines
    traces = list(dict.fromkeys(line.partition("  ")[0] for line in lines))
    assert traces == sorted(traces)
    path = traces[0]
    with gotrace.open(path) as trace:
        found = find(trace, [gotrace.Kind.STATE_TRANSITION], ["runtime.chansend1", "main.*"])
        time, offset = int(found.events["time"][0]) - trace.start, int(found.events["offset"][0])
        type = trace.experiments.event_names[int(found.events["type"][0])]
    assert lines[0].startswith(f"{path}  {time / 1e9:.9f} s  offset {offset}  g ")
    assert lines[0].endswith("  runtime.chansend1")

    assert main(["find", str(folder), *flags, "--json"]) == 3
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["schema"] for document in documents] == ["find/1"] * len(documents)
    assert sum(len(document["rows"]) for document in documents) == len(lines)
    row = next(document for document in documents if document["trace"] == path)["rows"][0]
    assert row["offset"] == offset
    assert row["kind"] == "StateTransition"
    assert (row["type"], row["function"]) == (type, "runtime.chansend1")

    assert main(["find", str(folder / f"{SCHED}.trace.gz"), str(folder), *flags, "-n", "3"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_find_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder / f"{SCHED}.trace.gz")
    assert main(["find", path, "--stack", "MAIN.*"]) == 1
    assert main(["find", path, "/no/such", "--stack", "MAIN.*"]) == 3
    assert not capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["find", path])
    assert caught.value.code == 2


# --- what commands over several traces share ----------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["info"],
        ["info", "--json"],
        ["validate"],
        ["validate", "--json"],
        ["rank", "--metric", "sched_p99"],
        ["rank", "--metric", "inuse_bytes", "--json"],
        ["find", "--kind", "RangeBegin"],
        ["find", "--stack", "main.*", "-n", "100", "--csv"],
    ],
)
def test_threads_change_nothing(command: list[str], folder: Path) -> None:
    one, *others = (run(*command, "*.trace*", "none*", "-j", jobs, cwd=folder) for jobs in (1, 2, 4))
    assert one.returncode in (0, 3)
    assert one.stdout
    for other in others:
        assert (other.returncode, other.stdout, other.stderr) == (one.returncode, one.stdout, one.stderr)


@pytest.mark.parametrize("format", ["npy", "csv", "jsonl", "arrow", "parquet", "collapsed"])
def test_threads_change_no_file(format: str, folder: Path, tmp_path: Path) -> None:
    tables = [] if format == "collapsed" else ["--table", "transitions", "--table", "generations"]
    made = []
    for jobs in (1, 2, 4):
        out = tmp_path / str(jobs)
        assert main(["export", str(folder), "-o", str(out), "--format", format, *tables, "-j", str(jobs), "-q"]) == 3
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    without_heap = 2 if format == "collapsed" else 0
    assert len(made[0]) == (len(NAMES) + 2 - without_heap) * max(len(tables) // 2, 1)
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("format", ["csv", "arrow", "parquet"])
def test_threads_change_no_shared_file(format: str, folder: Path, tmp_path: Path) -> None:
    made = []
    for jobs in (1, 2, 4):
        out = tmp_path / f"{jobs}.{format}"
        assert main(["export", f"{folder}/*.trace*", "-o", str(out), "--table", "ranges", "-j", str(jobs), "-q"]) == 3
        made.append(out.read_bytes())
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("command", ["info", "validate"])
def test_a_bad_trace_is_one_line(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.trace"
    bad.write_bytes(b"these are words, no trace")
    good = str(folder / f"{SCHED}.trace.gz")
    (tmp_path / "empty").mkdir()
    assert main([command, good, str(bad), str(tmp_path / "empty"), f"{tmp_path}/*.none", good]) == 3
    out, err = capsys.readouterr()
    assert out.count(good) >= 2
    lines = err.splitlines()
    assert lines[0].startswith(f"gotrace: {bad}: not a Go execution trace")
    assert lines[1:] == [f"gotrace: {tmp_path}/{name}: no traces here" for name in ("empty", "*.none")]


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet", "md"])
def test_a_name_that_is_not_utf8(suffix: str, folder: Path, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path / "a") + b"\xff.trace")
    shutil.copy(folder / f"{SCHED}.trace.gz", name)
    out = tmp_path / f"out.{suffix}"
    for command in (["rank", "--metric", "stw_max"], ["find", "--kind", "RangeBegin"]):
        assert main([*command, name, "-o", str(out), "-f"]) == 0
        assert f"{tmp_path}/a".encode() in out.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_threads_wait_for_a_server(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()
    data = (folder / f"{SCHED}.trace.gz").read_bytes()

    def stall(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(data[:-100])
        asked.set()
        answer.wait(60)

    with serving() as server:
        server.answers["a.trace"] = stall
        command = [
            "export",
            f"{server.url}a.trace",
            str(folder),
            "--format",
            "csv",
            "-o",
            str(tmp_path / "out"),
            "-j",
            "2",
            "-q",
        ]
        with subprocess.Popen(interruptible(command), stderr=subprocess.DEVNULL) as process:
            assert asked.wait(60)
            process.send_signal(number)
            assert process.wait(60) == 128 + number
        answer.set()
    assert not list(tmp_path.rglob(".*"))


def test_a_url_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "nonsense://user:secret@host/a.trace", "nonsense://user:secret@host/*.trace", "--json"]) == 3
    out, err = capsys.readouterr()
    assert "secret" not in out + err
    assert len(err.splitlines()) == 2
