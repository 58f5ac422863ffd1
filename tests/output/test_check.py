"""Limits for CI: what is exceeded, what is kept, and what cannot be judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.trace_builder import GO, PROC, alloc_trace, mark, new, span, types

import gotrace
from gotrace.cli import main
from gotrace.raw import allocfree_types

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "heap.trace"


@pytest.fixture
def leaking(tmp_path: Path) -> Path:
    """Twenty objects of 16 bytes and one GC cycle after another: each keeps what there was."""
    events = [PROC, GO, span(0)]
    for n in range(6):
        events += [new(2 * (5 * n + i), 1) for i in range(5)] + [mark(n)]
    path = tmp_path / "leaking.trace"
    path.write_bytes(alloc_trace(events, tables=[allocfree_types(types("main.T"))]))
    return path


@pytest.fixture
def steady(tmp_path: Path) -> Path:
    events = [PROC, GO, span(0), new(0, 1), *(mark(n) for n in range(6))]
    path = tmp_path / "steady.trace"
    path.write_bytes(alloc_trace(events, tables=[allocfree_types(types("main.T"))]))
    return path


@pytest.mark.parametrize(
    ("limits", "failure"),
    [
        ({"max_heap": 480}, None),
        ({"max_heap": 479}, "at most 479 B allowed"),
        ({"max_growth": 319}, "at most 319 B allowed"),
        ({"max_heap": "479 B"}, "heap: 480 B in use at the peak, at most 479 B allowed"),
        ({"max_growth": "400%"}, None),
        ({"max_growth": 4.0}, None),
        ({"max_growth": 320}, None),
        ({"max_growth": "5%"}, r"growth: 80 B to 400 B \(\+400.0%\) over 4 GC cycles, at most 5% allowed"),
        ({"max_growth": 3.9}, "at most 390% allowed"),
        ({"max_growth": "319B"}, "at most 319B allowed"),
        ({"max_alloc": "1GB/s"}, None),
        ({"max_alloc": 1000.0}, "allocations: .*/s, at most 1,000 B/s allowed"),
        ({"forbid_leak": "main.Other"}, None),
        ({"forbid_leak": "main.T"}, r"leak of main.T: main.T \+20 objects over 4 GC cycles"),
        ({"forbid_leak": ["*.T", "x.*"]}, r"leak of \*.T: main.T \+20 objects"),
    ],
)
def test_limits(leaking: Path, steady: Path, limits: dict[str, Any], failure: str | None) -> None:
    result = gotrace.check(leaking, **limits)
    assert (result.ok, bool(result)) == (failure is None, failure is None)
    if failure:
        with pytest.raises(AssertionError, match=failure):
            assert result, repr(result)
        (text,) = result.failures
        assert text in repr(result)
    with gotrace.open(steady) as trace:
        assert "max_alloc" in limits or gotrace.check(trace, **limits)


def test_values(leaking: Path) -> None:
    result = gotrace.check(leaking, max_heap=1, max_growth=1, max_alloc=1, forbid_leak="main.T")
    with gotrace.open(leaking) as trace:
        allocs = trace.allocs.to_numpy()
        seconds = (trace.end - trace.start) / 1e9
        size = allocs["size"][allocs["what"] == gotrace.What.OBJECT].sum()
    assert [limit.value for limit in result.limits] == [480, 320, pytest.approx(size / seconds), 320]
    assert np.isfinite([limit.value for limit in result.limits if limit.value is not None]).all()


def test_too_few_cycles_are_not_ok() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"max_growth": "5%"}, "growth: cannot be judged: 1 GC cycle started in the trace, at least 3 are needed"),
        ({"forbid_leak": "main.T"}, "leak of main.T: cannot be judged: 1 GC cycle started .* at least 5"),
    ]
    for limits, words in cases:
        result = gotrace.check(alloc_trace([PROC, GO, span(0), new(0), mark(1), new(2)]), **limits)
        with pytest.raises(AssertionError, match=words):
            assert result, repr(result)
        assert result.limits[0].value is None


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({}, "no limit"),
        ({"max_heap": "much"}, "max_heap='much' is not a size"),
        ({"max_growth": "5 percent"}, "max_growth='5 percent' is not a limit: write 5% or 512KiB"),
        ({"max_alloc": "10MB"}, "max_alloc='10MB' is not a rate"),
        ({"max_alloc": "ten/s"}, "max_alloc='ten' is not a size"),
    ],
)
def test_limits_that_are_wrong(limits: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=words):
        gotrace.check(EXAMPLE, **limits)
    flags = [text for name, value in limits.items() for text in (f"--{name.replace('_', '-')}", value)]
    with pytest.raises(SystemExit) as caught:
        main(["check", str(EXAMPLE), *flags])
    assert caught.value.code == 2
    assert words.replace("max_", "--max-") in capsys.readouterr().err


def test_command(leaking: Path, steady: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ["--max-growth", "5%", "--max-heap", "64MiB", "--forbid-leak", "main.T", "--forbid-leak", "other.*"]
    assert main(["check", str(steady), *limits]) == 0
    assert capsys.readouterr().out == f"{steady}: ok\n"
    assert main(["check", str(steady), str(leaking), *limits]) == 1
    out, err = capsys.readouterr()
    assert [line.split(": ")[:2] for line in out.splitlines()] == [
        [str(steady), "ok"],
        [str(leaking), "growth"],
        [str(leaking), "leak of main.T"],
    ]
    other = "leak of other.*: no type of this name in the trace"
    assert err.splitlines() == [f"gotrace: {path}: {other}" for path in (steady, leaking)]
    assert main(["check", str(steady), "--forbid-leak", "man.T"]) == 0
    assert "leak of man.T: no type of this name in the trace (did you mean 'main.T'?)" in capsys.readouterr().err
    assert main(["check", str(steady), "--quiet", "--forbid-leak", "man.T"]) == 0
    assert not capsys.readouterr().err
    assert main(["check", str(leaking), "--json", *limits]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["ok"]) == ("check/1", False)
    assert [(row["name"], row["ok"]) for row in answer["rows"]] == [
        ("max_heap", True),
        ("max_growth", False),
        ("forbid_leak", False),
        ("forbid_leak", True),
    ]


def test_traces_that_cannot_be_read(leaking: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.trace"
    damaged.write_bytes(leaking.read_bytes() + b"\7\7\7")
    plain = tmp_path / "plain.trace"
    plain.write_bytes(alloc_trace([PROC, GO]))
    for path, words in (
        (damaged, "expected a batch, found byte 7"),
        (plain, "GODEBUG=traceallocfree=1"),
        (tmp_path / "absent.trace", "No such file"),
    ):
        assert main(["check", str(path), "--max-heap", "1MB"]) == 3
        out, err = capsys.readouterr()
        assert words in err
        assert "ok" not in out
        assert main(["check", str(path), "--max-heap", "1MB", "--json"]) == 3
        answer = json.loads(capsys.readouterr().out)
        assert answer["error"]
        assert not answer.get("ok")
    with pytest.raises(gotrace.TraceError) as caught:
        gotrace.check(damaged, max_heap=1)
    assert caught.value.partial.failures == ["heap: 480 B in use at the peak, at most 1 B allowed"]
    with pytest.raises(ValueError, match="no alloc/free events"):
        gotrace.check(plain, max_heap=1)
