"""Every command and every analysis takes every small valid extreme: no bug, no warning of numpy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import extremes

import gotrace
from gotrace.cli import main
from gotrace.tables.catalog import TABLES
from gotrace.tables.instants import EXACT_GROUPS, GROUPS

COMMANDS = [
    *(["info"], ["validate"], ["dump"], ["dump", "--mode", "wire"]),
    *(["heap", "--by", by] for by in GROUPS),
    *(["heap", "--at", at] for at in ("start", "peak", "0s", "1us", "gc:1")),
    *(["heap", *ages] for ages in (["--leaks"], ["--temporary"], ["--at", "peak", "--max-age", "1"])),
    *(["heap", "--from", first] for first in ("start", "peak", "gc:1")),
    *(["lifetimes", "--by", by] for by in EXACT_GROUPS),
    *(["spans", "--by", by] for by in ("type", "package", "task")),
    *(["stats", "--by", by] for by in ("type", "goroutine", "site")),
    *(["spans", "--at", at] for at in ("start", "peak")),
]
WITH_JSON = ("info", "stats", "spans", "validate", "heap", "lifetimes")
FAMILY = list(extremes.traces())


@pytest.mark.parametrize(("name", "data"), FAMILY, ids=[name for name, _ in FAMILY])
def test_every_command(name: str, data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.trace"
    path.write_bytes(data)
    for command in COMMANDS:
        for flags in ([], ["--json"] if command[0] in WITH_JSON else []):
            code = run([*command, *flags, str(path)])
            out = capsys.readouterr()
            expected = {3} if "no alloc/free events" in out.err else {0, 2} if {"gc:1", "1us"} & set(command) else {0}
            assert code in expected, (command, flags, out.err)
            if flags and code == 0:
                json.loads(out.out, parse_constant=refuse)
    assert run(["report", str(path), "-o", str(tmp_path / "x.html")]) == 0
    assert run(["check", str(path), "--max-heap", "1GB", "--max-growth", "5%", "--forbid-leak", "*"]) in (0, 1, 3)
    assert run(["diff", str(path), str(path)]) in (0, 3)  # 3: no alloc/free events
    for table in TABLES:
        code = run(["export", "--table", table, "--format", "csv", "-o", str(tmp_path / f"{table}.csv"), str(path)])
        assert code in ((0, 3) if table == "allocs" else (0,))  # 3: no alloc/free events
    for form in ("pprof", "speedscope", "collapsed"):
        assert run(["export", "--format", form, "-o", str(tmp_path / f"x.{form}"), str(path)]) in (0, 3)


def run(args: list[str]) -> int:
    try:
        return main(args)
    except SystemExit as end:  # a wrong use of flags
        return int(end.code or 0)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize(("name", "data"), FAMILY, ids=[name for name, _ in FAMILY])
def test_every_table_and_analysis(name: str, data: bytes) -> None:
    with gotrace.open(data) as trace:
        for table in TABLES:
            rows = getattr(trace, table).to_numpy()
            assert len(rows) == len(getattr(trace, table))
        assert len(list(trace)) == len(trace.events)
        assert trace.end >= trace.start
        for generation in trace.generations:
            assert generation.samples == []
            assert len(generation.strings) == len(dict(generation.strings))
        for found in (gotrace.stats(trace), gotrace.spans(trace), gotrace.sites(trace)):
            str(found)
        assert str(trace.heap())
    assert gotrace.history(data).error is None
