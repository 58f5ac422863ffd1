"""What a terminal shows: tables of any width, numbers for humans, files that reports write."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import reference
from support.trace_builder import alloc_trace, new, span, types

import gotrace
from gotrace.cli import main
from gotrace.raw import allocfree_types
from gotrace.units import human_bytes, human_change, human_count, human_mean, human_share, human_time

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"
WIDTHS = [20, 40, 60, 80, 100, 120, 200]
REPORTS = [
    *(["heap"], ["heap", "--by", "goroutine", "--temporary"], ["heap", "--leaks", "--sort", "start_bytes"]),
    *(["stats"], ["spans"], ["lifetimes"], ["info"], ["diff"]),
]
SCHEDULING = [
    *(["goroutines"], ["goroutines", "--goroutine", "1"], ["sched"], ["block", "--by", "waker"], ["net"]),
    *(["syscalls"], ["gc"], ["mmu"], ["tasks"], ["tasks", "--task", "1"], ["regions"], ["procs"]),
    *(["critical", "--name", "whole"], ["critical", "--region", "locked"]),
]
NUMBER = re.compile(r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?: (?:[KMG]i)?B| [mµn]?s|%)?")


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("terminal") / "sites.trace"
    path.write_bytes(reference.load(reference.DATA / "sites-go1.27-allocfree.trace.gz"))
    return path


def shown(
    args: list[str], width: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a command prints on a terminal of this width, without styles; without a width, to a file."""
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout.isatty", lambda: width is not None)
        patch.setenv("COLUMNS", str(width or 80))
        assert main(args) == 0
    return re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)


def columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) != 0 for char in text)


def command(args: list[str], path: Path) -> list[str]:
    return [*args, *[str(path)] * (2 if args[0] == "diff" else 1)]


@pytest.mark.parametrize("width", WIDTHS[1:])
@pytest.mark.parametrize("args", SCHEDULING, ids=" ".join)
def test_scheduling_fits(
    args: list[str], width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bars are as long as there is room for, in proportion to their values."""
    path = tmp_path / "sched.trace"
    path.write_bytes(reference.load(reference.DATA / "sched-go1.27.trace.gz"))
    text = shown([*args, str(path)], width, monkeypatch, capsys)
    assert [line for line in text.splitlines() if columns(line) > width and "gotrace " not in line] == []
    bars = re.findall(r"^ *from .* ([\d,]+)  (#*)$", text, re.MULTILINE)
    most, longest = max((int(value), len(bar)) for value, bar in bars) if bars else (1, 0)
    assert [len(bar) for _, bar in bars] == [-(-longest * int(value) // most) for value, _ in bars]
    assert bool(bars) == (args[0] in ("sched", "block", "net", "syscalls"))


def test_who_delays_the_world_fits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(reference.DATA / "sched-go1.27.trace.gz")
    assert "  GOMAXPROCS: P0 G25 (blocked or ended)\n" in shown(["gc", trace], 80, monkeypatch, capsys)
    text = shown(["block", "--by", "waker", trace], 80, monkeypatch, capsys)
    names = [line for line in text.splitlines() if "…" in line]
    assert names
    assert all(len(line.split("  ")[-1]) >= 50 for line in names)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("args", [*REPORTS, ["heap", "--by", "site"]], ids=" ".join)
def test_tables_fit_and_keep_their_numbers(
    args: list[str], width: int, sites: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (EXAMPLE, sites):
        narrow, whole = (shown(command(args, path), at, monkeypatch, capsys) for at in (width, None))
        lines = [line for line in narrow.splitlines() if not re.search(r"gotrace |/", line)]
        if width >= 40:
            assert [line for line in lines if columns(line) > width] == []
        if args[0] == "heap" or width >= 40:
            kept = [line for line in lines if "per character" not in line]
            assert set(NUMBER.findall("\n".join(kept))) <= set(NUMBER.findall(whole))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("args", [*REPORTS, ["heap", "--by", "site"]], ids=" ".join)
def test_titles_are_there_once(
    args: list[str], width: int, sites: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout.isatty", lambda: True)
        patch.setenv("COLUMNS", str(width))
        patch.delenv("NO_COLOR", raising=False)
        patch.setenv("TERM", "xterm")
        assert main(command(args, sites)) == 0
    titles = re.findall(r"\x1b\[1m(.*?)\x1b\[0m", capsys.readouterr().out)
    assert titles
    for line in titles:
        words = re.split(r" {2,}", line.strip())
        assert len(words) == len(set(words)), line


def test_the_name_goes_last(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["heap", "-n", "8", str(EXAMPLE)]
    found = {width: shown(args, width, monkeypatch, capsys) for width in WIDTHS}
    for width, text in found.items():
        assert "210.9 KiB" in text
        assert ("main.Order\n" in text) == (width >= 40)
        assert ("2,625" in text) == (width >= 80)
    assert re.search(r"too narrow for: allocated, allocs,\s+freed, frees", found[40])
    assert "too narrow" not in found[80]


def test_wide_characters_and_long_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "long.trace"
    name = "example.com/" + "path/" * 30 + "pkg.\u5927\u304d\u3044" + "\u540d" * 20
    trace.write_bytes(alloc_trace([span(0), new(0, 1)], tables=[allocfree_types(types(name))]))
    for width in (40, 80):
        text = shown(["heap", str(trace)], width, monkeypatch, capsys)
        assert max(map(columns, text.splitlines())) <= width
        assert re.search(r"\u2026.*\u540d\n", text)
    assert name in shown(["heap", str(trace)], None, monkeypatch, capsys)


def test_no_color(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["heap", str(EXAMPLE)]) == 0
    assert "\x1b" not in capsys.readouterr().out


@given(st.integers(-(2**63), 2**64))
def test_sizes_are_close_and_readable(n: int) -> None:
    text = human_bytes(n)
    number, unit = text.split(" ")
    scale = 1024 ** ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].index(unit)
    assert abs(float(number.replace(",", "")) * scale - n) <= scale * 0.0501
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d)? \w+", text)
    assert unit == "PiB" or abs(float(number.replace(",", ""))) < 1024


@given(st.integers(-(2**63), 2**63))
def test_times_are_close_and_readable(ns: int) -> None:
    text = human_time(ns)
    units = {"ns": 1, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
    parts = re.findall(r"([\d.,]+) (\S+)", text)
    total = sum(float(number.replace(",", "")) * units[unit] for number, unit in parts)
    assert abs(total - abs(ns)) <= max(0.021 * abs(ns), 1)
    assert "e" not in text
    assert text.startswith("-") == (ns < 0)
    for (number, unit), most in zip(parts, (None, None), strict=False):
        limit = {"h": 24, "min": 60, "d": 10**9}.get(unit, 60 if unit == "s" else 1000)
        assert float(number.replace(",", "")) < limit, most


@given(st.integers(0, 2**62), st.integers(1, 2**62))
def test_shares_are_exact_at_both_ends(part: int, whole: int) -> None:
    text = human_share(part, whole)
    assert (text == "0.0%") == (part == 0)
    assert part > whole or (text == "100.0%") == (part == whole)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (8.333, "8.3"), (-0.024, "-0.024"), (0.96, "1"), (1234.56, "1,234.6"), (1e-12, "0"), (0.5, "0.5")],
)
def test_means_keep_two_digits(value: float, text: str) -> None:
    assert human_mean(value) == text


def test_counts() -> None:
    assert [human_count(n, "batch", "batches") for n in (0, 1, 3600)] == ["0 batches", "1 batch", "3,600 batches"]
    assert human_count(1, "event") == "1 event"
    assert (human_change(1500, 1), human_change(1, 0)) == ("+149,900.0%", "")


def test_files_of_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", "--json", str(EXAMPLE)]) == 0
    document = json.loads(capsys.readouterr().out)
    for suffix in ("json", "csv", "parquet", "md"):
        assert main(["heap", str(EXAMPLE), "-o", str(tmp_path / f"heap.{suffix}")]) == 0
        out, err = capsys.readouterr()
        assert not out
        assert re.search(rf"wrote .*heap\.{suffix} \(", err)
        assert main(["heap", str(EXAMPLE), "-q", "-f", "-o", str(tmp_path / f"heap.{suffix}")]) == 0
        assert not capsys.readouterr().err
    assert json.loads((tmp_path / "heap.json").read_text()) == document
    rows = [{"trace": str(EXAMPLE), **row} for row in document["rows"]]
    assert pq.read_table(tmp_path / "heap.parquet").to_pylist() == rows
    read = list(csv.DictReader(io.StringIO((tmp_path / "heap.csv").read_text())))
    assert read == [{name: str(value) for name, value in row.items()} for row in rows]
    assert main(["heap", str(EXAMPLE), "--csv"]) == 0
    assert capsys.readouterr().out == (tmp_path / "heap.csv").read_text()
    assert "| in use | live |" in (tmp_path / "heap.md").read_text()
    assert main(["heap", str(EXAMPLE), "--markdown"]) == 0
    assert capsys.readouterr().out == (tmp_path / "heap.md").read_text()


@pytest.mark.parametrize("name", ["stats", "spans", "lifetimes", "info", "validate", "diff"])
@pytest.mark.parametrize("suffix", ["json", "csv", "parquet", "md"])
def test_every_report_can_be_a_file(name: str, suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"report.{suffix}"
    assert main([*command([name], EXAMPLE), "-o", str(out)]) == 0
    assert out.stat().st_size


@pytest.mark.parametrize("args", [["-o", "heap.xls"], ["-o", "heap"], ["--json", "--csv"], ["-o", str(EXAMPLE)]])
def test_wrong_outputs(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["heap", str(EXAMPLE), *args])
    assert capsys.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", str(EXAMPLE), "-o", str(tmp_path / "no" / "heap.csv")]) == 3
    assert "No such file or directory" in capsys.readouterr().err


def test_sort_and_filter(sites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args, column in ((["--sort", "alloc_objects"], "alloc_objects"), (["--temporary"], "free_bytes")):
        assert main(["heap", "--json", *args, str(EXAMPLE)]) == 0
        values = [row[column] for row in json.loads(capsys.readouterr().out)["rows"]]
        assert values == sorted(values, reverse=True)
    assert main(["heap", "--json", "--sort", "name", str(EXAMPLE)]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert names == sorted(names)
    for pattern, kept in (
        ("main.Order", lambda name: "main.Order" in name),
        ("string]*main", lambda name: re.search(r"string\].*main", name)),
        ("?untyped", lambda name: re.search(".untyped", name)),
        ("no such type", lambda name: False),
    ):
        assert main(["heap", "--json", "--filter", pattern, str(EXAMPLE)]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert {row["name"] for row in rows} == {name for name in names if kept(name)}
    assert main(["heap", "--by", "site", "--filter", "six", "--sort", "start_bytes", str(sites)]) == 0
    assert "in rows that match 'six'" in capsys.readouterr().out


def test_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["heap"], ["heap", "--leaks"], ["heap", "--from", "start"], ["heap", "--markdown"]):
        assert main([*args, "--filter", "no such type", str(EXAMPLE)]) == 0
        assert "\nno rows\n" in capsys.readouterr().out


def test_narrow_terminals_keep_what_a_table_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sched.trace"
    path.write_bytes(reference.load(reference.DATA / "sched-go1.27.trace.gz"))
    assert re.search(r"^ *total .* last to stop$", shown(["gc", str(path)], 40, monkeypatch, capsys), re.MULTILINE)
    assert re.search(
        r"^count +exec +function$", shown(["goroutines", str(path)], 40, monkeypatch, capsys), re.MULTILINE
    )
    text = shown(["stats", str(EXAMPLE)], 30, monkeypatch, capsys)
    assert "allocs  type" in text.partition("most objects allocated")[2]
    assert "too narrow for: \n" not in text


def test_mark_phases_have_the_names_of_instants(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with gotrace.open(EXAMPLE) as trace:
        start = trace.start
        assert main(["gc", str(EXAMPLE)]) == 0
        lines = re.findall(r"^ *(\S+ \S+) .*  (gc:\d+)$", capsys.readouterr().out, re.MULTILINE)
        assert len(lines) == int((trace.cycles["start"] >= 0).sum()) > 1
        for at, instant in lines:
            assert human_time(trace.heap(at=instant).time - start) == at


def test_several_heaps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heap", "-n", "2", str(EXAMPLE), "/no/such", str(EXAMPLE)]) == 3
    out, err = capsys.readouterr()
    assert out.count(f"{EXAMPLE}:") == out.count("heap at the end") == 2
    assert "No such file" in err
    assert main(["heap", "--json", str(EXAMPLE), "/no/such"]) == 3
    assert [bool(json.loads(line)["error"]) for line in capsys.readouterr().out.splitlines()] == [False, True]


def test_where_the_bytes_of_a_file_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", str(EXAMPLE)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["whole"] is True
    nbytes = {row["name"]: row["nbytes"] for row in document["footprint"]}
    assert sum(nbytes.values()) == document["nbytes"] == EXAMPLE.stat().st_size
    for name, n in document["events"].items():
        assert 2 * n <= nbytes[name] <= 51 * n
    assert document["next"][0] == "heap --leaks FILE"


def test_an_error_of_a_damaged_trace_points_to_salvage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.trace"
    cut.write_bytes(EXAMPLE.read_bytes()[:-1000])
    for args in (["heap"], ["info"], ["stats"], ["lifetimes"]):
        assert main([*args, str(cut)]) == 3
        out, err = capsys.readouterr()
        assert "add --salvage" in err
        assert "GODEBUG" not in out + err
        assert main([*args, "--salvage", str(cut)]) == 3
        out, err = capsys.readouterr()
        assert "add --salvage" not in err
        assert "GODEBUG" not in out + err
    cut.write_bytes(EXAMPLE.read_bytes() * 2)
    assert main(["heap", str(cut)]) == 3
    err = capsys.readouterr().err
    assert "another trace starts here" in err
    assert "--salvage" not in err
