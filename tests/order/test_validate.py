"""gotrace validate, and the filters of gotrace dump."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support import reference

import gotrace
from gotrace.cli import main


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "good.trace"
    path.write_bytes(reference.load(reference.DATA / "sched-go1.26.trace.gz"))
    return path


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    path = tmp_path / "refused.trace"
    path.write_bytes(reference.load(reference.DATA / "sched-go1.27-tiny.trace.gz"))
    return path


def test_validate(trace: Path, refused: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(trace)]) == 0
    with gotrace.open(trace) as opened:
        n = f"{len(opened.events):,} events in {len(opened.generations):,} generation"
    assert capsys.readouterr().out == f"{trace}: valid: {n}\n"
    assert main(["validate", str(trace), str(refused)]) == 1
    out = capsys.readouterr().out
    assert f"{refused}: broken: " in out
    assert "GoUnblock" in out
    assert main(["validate", "-q", "--json", str(refused)]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["valid"], answer["error"]["class"]) == ("validate/1", False, "OrderingError")
    assert answer["generations"] == 56
    assert main(["validate", str(refused), str(tmp_path / "absent")]) == 3


def test_strict(trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gotrace.Trace, "warnings", ["something odd"])
    assert main(["validate", str(trace)]) == 0
    assert main(["validate", "--strict", str(trace)]) == 1
    assert "warning: something odd" in capsys.readouterr().out


def events(text: bytes) -> list[str]:
    """Lines of events with the stacks below each."""
    return re.findall(r"^M=.*\n(?:(?!M=).*\n)*", text.decode(), re.MULTILINE)


def test_filters_of_dump(trace: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["dump", str(trace)]) == 0
    every = events(capfdbinary.readouterr().out)

    def dump(*filters: str) -> list[str]:
        assert main(["dump", str(trace), *filters]) == 0
        return events(capfdbinary.readouterr().out)

    assert dump("--kind", "Metric", "--kind", "Sync") == [
        e for e in every if re.match(r"\S+ \S+ \S+ (Metric|Sync) ", e)
    ]
    about = [e for e in every if " G=1 " in e.split("\n", 1)[0] or re.search(r"GoID=1 ", e.split("\n", 1)[0])]
    assert dump("--goroutine", "1") == about
    with gotrace.open(trace) as opened:
        start, generations = opened.start, opened.generations.to_numpy()["number"]
    times = [int(re.search(r"Time=(-?\d+)", e)[1]) - start for e in every]  # type: ignore[index]
    assert dump("--time", "100us:1ms") == [e for e, t in zip(every, times, strict=True) if 100_000 <= t < 1_000_000]
    assert dump("--generations", f"{generations[0]}:{generations[-1] + 1}") == every
    assert dump("--generations", f"{generations[-1] + 1}:") == []
    assert dump("--time", "100us:1ms", "--kind", "Metric") == [
        e for e, t in zip(every, times, strict=True) if 100_000 <= t < 1_000_000 and " Metric " in e
    ]


def test_dump_ends_with_its_range(refused: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """What comes after the range is not read, so that a fault there does not count."""
    assert main(["dump", str(refused)]) == 3
    every = events(capfdbinary.readouterr().out)
    with gotrace.open(refused) as opened:
        start = opened.start
    time = [int(re.search(r"Time=(-?\d+)", e)[1]) - start for e in every][-1] // 2  # type: ignore[index]
    for selected, code in ((["--time", f":{time}ns"], 0), (["--generations", ":5"], 0), (["--generations", "5:"], 3)):
        assert main(["dump", str(refused), *selected]) == code
        found = events(capfdbinary.readouterr().out)
        assert 0 < len(found) < len(every)
        assert found == (every[: len(found)] if code == 0 else every[-len(found) :])


@pytest.mark.parametrize(
    "wrong", [["--time", "5"], ["--time", ":"], ["--time", "1:2"], ["--generations", "a:"], ["--kind", "x"]]
)
def test_wrong_filters(trace: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["dump", str(trace), *wrong])
    assert stop.value.code == 2


def test_filters_are_for_events(trace: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["dump", "--mode", "wire", "--kind", "Sync", str(trace)])
    assert stop.value.code == 2
