"""What users hold in Python: analyses of traces, paths and lists; tables by row and column; what notebooks show."""

from __future__ import annotations

import copy
import io
import pickle
import pydoc
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import reference
from support.columns import empty_trace
from support.streams import Stream

import gotrace
from gotrace.analysis.methods import Methods
from gotrace.cli import main
from gotrace.tables.catalog import TABLES

EXAMPLE = reference.DATA.parent.parent / "examples" / "heap.trace"
SITES = reference.DATA / "sites-go1.27-allocfree.trace.gz"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "check": {"max_heap": "1GiB"},
    "critical": {"goroutine": 1},
    "diff": {"new": EXAMPLE},
    "growth": {"first": "gc:1", "last": np.timedelta64(4, "ms")},
    "profile": {"kind": "sched"},
}
"""Arguments of analyses that require some, besides the trace."""


def shown(result: Any) -> tuple[str, str]:
    if isinstance(result, list):  # arrays
        return f"<gotrace.{[rows.tolist() for rows in result]}>", ""
    return repr(result), result._repr_html_()


def test_the_types_of_methods_are_those_of_the_analyses() -> None:
    types = {name: value for name, value in vars(Methods).items() if not name.startswith("_")}
    assert types == {name: getattr(gotrace, name) for name in gotrace.ANALYSES - {"heap"}}
    assert all(getattr(gotrace.Trace, name) is function for name, function in types.items())


@pytest.mark.parametrize("name", sorted(gotrace.ANALYSES - {"diff"}))
def test_every_analysis_takes_a_trace_a_path_or_a_list(name: str) -> None:
    function = partial(getattr(gotrace, name), **ARGUMENTS.get(name, {}))
    with gotrace.open(EXAMPLE) as trace:
        method = getattr(trace, name)
        result = shown(method(**ARGUMENTS.get(name, {})))
        if name in trace.tables:
            assert isinstance(method, gotrace.Table)
            assert len(method.head(2)) == len(trace.tables[name][:2])
        if name not in ("history", "check"):  # these show the name
            assert shown(function(EXAMPLE.read_bytes())) == result
        assert shown(function(trace)) == shown(function(EXAMPLE)) == shown(function(str(EXAMPLE))) == result
        assert [shown(one) for one in function([trace, EXAMPLE])] == [result, result]
        assert len(trace.types) > 2, "it stays open"
    assert function([]) == []
    assert result[0].startswith("<gotrace.")
    assert "\n" not in result[0]
    assert re.search(r"\b1 [A-Za-z ]*s\b", result[0].partition(" by ")[0]) is None
    assert len(result[1]) < 20_000
    with pytest.raises(TypeError, match="cannot read a trace from int"):
        function(3)


@pytest.mark.parametrize("name", sorted(gotrace.ANALYSES - {"utilization", *ARGUMENTS}))
def test_results_of_odd_traces_show_themselves(name: str) -> None:
    for source in (empty_trace(), reference.load(SITES)):
        result = getattr(gotrace, name)(source)
        repr(result)
        assert result._repr_html_().startswith("<table>")


def test_sides_of_a_comparison() -> None:
    with gotrace.open(EXAMPLE) as old, gotrace.open(SITES) as new:
        expected = gotrace.diff(EXAMPLE, [SITES, SITES])
        for found in (old.diff([new, SITES]), gotrace.diff(old, (SITES, new)), gotrace.diff([old], [new, new])):
            assert shown(found) == shown(expected)
            assert (found.old, found.new) == (expected.old, expected.new)
        buffers = gotrace.diff(EXAMPLE.read_bytes(), [io.BytesIO(EXAMPLE.read_bytes()), old])
        assert not buffers.significant().any()
        with pytest.raises(ValueError, match="a side has no traces"):
            old.diff([])
        for wrong in (3, None, [3], {"a": 1}):
            with pytest.raises(TypeError, match="cannot read a trace from"):
                gotrace.diff(old, wrong)  # type: ignore[arg-type]
        assert len(old.types) > 2, "it stays open"


def test_checks_of_several_traces_can_be_asserted() -> None:
    assert gotrace.check([EXAMPLE, EXAMPLE], max_heap="1GiB")
    found = gotrace.check([EXAMPLE, EXAMPLE], max_heap=1)
    assert (bool(found), len(found)) == (False, 2)
    assert ">failed</td>" in found[0]._repr_html_()


def test_a_damaged_trace() -> None:
    data = EXAMPLE.read_bytes() + b"\xff\xff"
    with pytest.raises(gotrace.TraceError) as error:
        gotrace.stats([EXAMPLE, data])
    assert isinstance(error.value.partial, gotrace.Stats)
    history = gotrace.history(data)
    assert isinstance(history.error, gotrace.TraceError)
    assert history.peak_bytes == gotrace.history(EXAMPLE).peak_bytes
    with gotrace.open(data, errors="salvage") as trace:
        assert trace.history().losses == trace.losses != []
    with gotrace.open(Stream(data)) as trace, pytest.raises(ValueError, match="two passes"):
        trace.history()


def test_tables_by_row_and_column() -> None:
    with gotrace.open(EXAMPLE) as trace:
        table, rows = trace.allocs, trace.allocs.to_numpy()
        assert table.shape == (len(rows), len(table.columns)) == (len(table), 13)
        for row in (0, 7, np.int32(9), -1, -len(rows), len(rows) - 1):
            assert table[row] == rows[row]
        for part in (slice(3), slice(2, 9), slice(5, 1000, 7), slice(-4, None), slice(None, None, -500), slice(9, 2)):
            assert (table[part] == rows[part]).all()
            assert len(table[part]) == len(rows[part])
        large = rows["size"] > 1000
        assert (table[large] == rows[large]).all()
        assert (table[["size", "time"]].to_numpy() == table.to_numpy(["size", "time"])).all()
        with pytest.raises(IndexError, match=f"table allocs has no row {len(rows)}; it has {len(rows):,} rows"):
            table[len(rows)]
        for wrong in (1.5, True, None, ("size",)):
            with pytest.raises(TypeError, match="must be a column, a list of columns, a row"):
                table[wrong]  # type: ignore[index]


@pytest.mark.parametrize("name", TABLES)
def test_the_first_rows_of_a_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every library, and also if batches are short."""
    with gotrace.open(reference.DATA / "sched-go1.27.trace.gz" if name != "allocs" else EXAMPLE) as trace:
        table = trace.tables[name]
        rows, frame = table.to_numpy(), table.to_pandas()
        for step in (4_000_000, 100):
            monkeypatch.setattr("gotrace.tables.stream.STEP", step)
            for n in (0, 1, 5, len(rows) + 1) if len(rows) < 3000 else (0, 7):
                head = table.head(n)
                assert head.to_numpy().tolist() == rows[:n].tolist()
                assert len(head) == head.to_arrow().num_rows == head.to_polars().height == min(n, len(rows))
                assert head.to_pandas().astype(str).equals(frame.head(n).astype(str))
                assert len(head.head(3)) == min(n, 3, len(rows))
        first = table.columns[0]
        assert table[[first]].head(2).columns == [first]
    with pytest.raises(ValueError, match="n=-1: must be at least 0"):
        table.head(-1)


def test_tables_show_names() -> None:
    with gotrace.open(EXAMPLE) as trace:
        assert repr(trace.types) == (
            f"<gotrace.Table 'types' of {str(EXAMPLE)!r}: row, name, address, size, ptr_bytes>"
        )
        html = trace.objects._repr_html_() or ""
        assert ">exists</td>" in html
        assert ">(untyped)</td>" in html
        assert html.count("<tr>") == 11
        assert (trace.objects.head(3)._repr_html_() or "").count("<tr>") == 4
        assert (trace.objects.head(100)._repr_html_() or "").count("<tr>") == 21
        for name, table in trace.tables.items():
            assert table.name == name
            assert name in trace._repr_html_()
    assert "ValueError: the trace cannot be read: it was closed" in (trace.objects._repr_html_() or "")


def test_wrong_names_and_types() -> None:
    with gotrace.open(EXAMPLE) as trace:
        anything: Any = trace
        wrong = (
            lambda: trace.allocs["sise"],
            lambda: trace.allocs.select(["sise"]),
            lambda: trace.allocs.to_numpy(["sise"]),
            lambda: trace.allocs.to_pandas(["sise"]),
            lambda: trace.iterate("allocs", columns=["sise"]),
            lambda: trace.iterate("aloc"),
        )
        for call in wrong:
            with pytest.raises(KeyError) as error:
                call()
            assert isinstance(error.value, ValueError)
            assert "did you mean" in str(error.value)
            assert "; it has " in str(error.value)
        for wrong_type in (
            lambda: trace.allocs.to_numpy("size"),
            lambda: trace.allocs.select("size"),
            lambda: anything.allocs.to_arrow([1]),
            lambda: anything.iterate("allocs", library=3),
            lambda: anything.iterate("allocs", step_size=None),
            lambda: anything.lifespans(by=0),
            lambda: anything.heap(min_age="old"),
            lambda: anything.stack("1"),
            lambda: gotrace.open(EXAMPLE, jobs="2"),  # type: ignore[arg-type]
        ):
            with pytest.raises(TypeError):
                wrong_type()
        for wrong_value in (
            lambda: anything.iterate("allocs", library="pandas"),
            lambda: anything.lifespans(by="typ"),
            lambda: anything.footprint(by="typ"),
            lambda: anything.heap(by="typ"),
            lambda: anything.text("word"),
            lambda: anything.block(by="stacks"),
            lambda: anything.goroutines(by="functions"),
            lambda: anything.profile("network"),
            lambda: anything.mmu(include=["stop"]),
            lambda: anything.diff(EXAMPLE, per="operation"),
            lambda: gotrace.open(EXAMPLE, errors="salvag"),  # type: ignore[arg-type]
        ):
            with pytest.raises(ValueError, match=r"must be one of '.*, '.*"):
                wrong_value()
        assert trace.stack(-1) == trace.stack(0) == []
        assert trace.stack(1)
        for row in (-2, len(trace.stacks)):
            with pytest.raises(IndexError, match=f"table stacks has no row {row}; it has"):
                trace.stack(row)


@pytest.mark.parametrize(
    ("at", "similar"),
    [
        ("ende", "end"),
        ("gc17", "gc:17"),
        ("GC 17", ""),
        ("12.5", "12.5s"),
        ("starts", "start"),
        ("pek", "peak"),
        ("soon", ""),
        ("gc:0", "gc:1"),
    ],
)
def test_instants_that_are_none(at: str, similar: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="expected start, peak, end, a time such as 12.5s, or gc:17") as error:
        gotrace.heap(EXAMPLE, at=at)
    assert str(error.value).endswith(f" (did you mean {similar!r}?)" if similar else "gc:17")
    for flags in (["heap", "--at", at], ["heap", "--from", at], ["heap", "--to", at], ["spans", "--at", at]):
        with pytest.raises(SystemExit, match="2"):
            main([*flags, str(EXAMPLE)])
        assert str(error.value) in capsys.readouterr().err


def test_a_generation_shows_itself() -> None:
    with gotrace.open(EXAMPLE) as trace:
        first = next(iter(trace.generations))
    assert re.fullmatch(r"<gotrace.Generation: number 1, [\d,]+ bytes at 16>", repr(first))
    html = first._repr_html_()
    assert f"<td>{len(first.strings):,}</td>" in html
    assert f"<td>{len(first.experiments[1].batches):,}</td>" in html
    assert "batches of AllocFree" in html


def test_public_names_are_public_places() -> None:
    for name in gotrace.__all__:
        thing = getattr(gotrace, name)
        if callable(thing) and name not in ("raw", "simulation", "varint"):
            assert (thing.__module__, thing.__name__, thing.__qualname__) == ("gotrace", name, name)
            if not isinstance(thing, type):
                assert f"{name}(" in pydoc.plain(pydoc.render_doc(thing))
    stats = gotrace.stats(EXAMPLE)
    assert pickle.loads(pickle.dumps(stats)).totals == stats.totals
    assert pickle.loads(pickle.dumps(gotrace.Kind.SYNC)) is gotrace.Kind.SYNC
    with gotrace.open(EXAMPLE) as trace:
        for thing in (trace, trace.allocs, trace.generations, next(iter(trace))):
            for copied in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="cannot be pickled or copied: (pass|take) its|pass the path"):
                    copied(thing)


def test_an_event() -> None:
    with gotrace.open(EXAMPLE) as trace:
        event = next(iter(trace))
    assert event._repr_html_() == f"<pre>{event}</pre>"
    assert repr(event).startswith("<gotrace.Event M=")


def test_an_unnamed_file_in_text_mode() -> None:
    with pytest.raises(TypeError, match="<stream> is open in text mode"):
        gotrace.stats(io.StringIO(""))


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.trace").write_bytes(EXAMPLE.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert gotrace.info("~/a.trace").alloc_events == gotrace.info(EXAMPLE).alloc_events
