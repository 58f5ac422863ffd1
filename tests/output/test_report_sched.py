"""The scheduling part of the HTML report."""

from __future__ import annotations

import io
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from support import browser, reference, trace_builder

import gotrace
from gotrace.analysis.annotations import LATENCIES, Latencies, tasks
from gotrace.analysis.collector import gc
from gotrace.analysis.goroutines import GOROUTINES, Goroutines, goroutines
from gotrace.analysis.history import history as collect
from gotrace.analysis.mmu import mmu
from gotrace.analysis.scheduling import Scheduling, scheduling
from gotrace.analysis.waits import WAITS, Waits, sched
from gotrace.cli import main
from gotrace.dtypes import PAUSE
from gotrace.report.page import write_page
from gotrace.report.page_sched import SCHED_ROWS
from gotrace.units import human_share, human_time

SCHED = reference.DATA / "sched-go1.27.trace.gz"
BOTH = reference.DATA / "session-go1.27-allocfree.trace.gz"
BROKEN = reference.DATA / "sched-go1.27-tiny.trace.gz"
SECTIONS = ["functions-table", "latency-table", "pauses-table", "mmu-table", "tasks-table"]


def page_of(data: bytes, result: Scheduling | None = None) -> str:
    out = io.StringIO()
    with gotrace.open(data) as trace:
        write_page(out, collect(data), scheduling=result or scheduling(trace), gotrace="0")
    return out.getvalue()


def links(text: str) -> list[str]:
    return re.findall(r'<li><a href="#([\w-]+)">', text)


def rows(text: str, name: str) -> list[list[str]]:
    """The text of the cells of a table; that of a bar is empty."""
    body = text.split(f'id="{name}">')[1].split("<tbody>")[1].split("</tbody>")[0]
    cells = [re.findall(r"<td.*?>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    return [[unescape(re.sub(r"<.*?>", "", cell)) for cell in row] for row in cells]


def test_a_trace_of_the_scheduler_alone() -> None:
    """The page is about scheduling, and nothing in it is about a heap."""
    data = reference.load(SCHED)
    text = page_of(data)
    assert links(text) == [*SECTIONS, "about"]
    assert "<h1>Scheduling of" in text
    assert 'role="alert"' not in text
    assert "GODEBUG=traceallocfree=1" in text.split('id="about"')[1]
    for name in ("types", "classes", "spans"):
        assert f'id="{name}-table"' not in text
    for word in ("Live at the end", "Peak", "Sizes are slot sizes"):
        assert word not in text
    assert json.loads(text.split('id="data">')[1].split("</script>")[0])["seen"] is False


def test_numbers_are_those_of_the_commands() -> None:
    data = reference.load(SCHED)
    text = page_of(data)
    with gotrace.open(data) as trace:
        lives, waits = goroutines(trace).table, sched(trace)
        collector, kinds, found = gc(trace), tasks(trace).table, mmu(trace)
    functions = rows(text, "functions")
    assert {row[0]: row[3:6] for row in functions} == {
        row["name"]: [f"{row['count']:,}", human_time(int(row["exec"])), human_time(int(row["sched"]))] for row in lives
    }
    assert [row[0] for row in rows(text, "latency")] == waits.table["name"].tolist()
    counts = re.findall(r"<title>from .*?: ([\d,]+)</title>", text)
    assert sum(int(n.replace(",", "")) for n in counts) == waits.table["count"].sum()
    zero, half, top = (int(n.replace(",", "")) for n in re.findall(r"<text[^>]*>([\d,]+)</text>", text))
    assert (zero, 2 * half) == (0, top)
    assert len(str(top).rstrip("0")) == 1
    assert top >= max(int(n.replace(",", "")) for n in counts)
    pauses = rows(text, "pauses")
    longest = int(np.argmax(collector.pauses["end"] - collector.pauses["start"]))
    assert len(pauses) == len(collector.pauses)
    assert pauses[0][0] == collector.reasons[longest]
    culprits = [culprit for culprit in collector.culprits if culprit]
    assert culprits
    assert all(any(culprit in row[-1] for row in pauses) for culprit in culprits)
    assert [row[0] for row in rows(text, "tasks")] == kinds["name"].tolist()
    assert len(rows(text, "mmu")) == 20
    with gotrace.open(data) as trace:
        result = scheduling(trace)
    for window, (_, least) in zip(result.windows.tolist(), rows(text, "mmu"), strict=True):
        assert least == human_share(found.functions.mmu(window), 1)


def test_a_trace_with_both_parts() -> None:
    text = page_of(reference.load(BOTH))
    found = links(text)
    assert found[0] == "live"
    assert found.index("types-table") < found.index("functions-table") < found.index("about")
    assert "<h1>Heap of" in text


def test_a_trace_without_goroutines() -> None:
    text = page_of(trace_builder.alloc_trace([trace_builder.PROC, trace_builder.span(0)]))
    assert "functions-table" not in text
    assert "<h1>Heap of" in text


def many(n: int) -> Scheduling:
    """What ``n`` functions with long, hostile names do."""
    names = [f"<img src=x onerror=alert({i})>" + "<" * 1000 for i in range(n)]
    result = Scheduling(
        Goroutines("function", np.ones(n, GOROUTINES), seen=True),
        Waits("sched", "function", np.ones(n, WAITS), histogram=(2 ** np.arange(60), np.ones(60, np.int64))),
        windows=np.array([10, 100]),
        mmu=np.array([0.0, 0.5]),
        tasks=Latencies("tasks", np.ones(n, LATENCIES), [np.ones(95, np.int64)] * n, seen=True),
    )
    for table in (result.goroutines.table, result.waits.table, result.tasks.table):
        table["name"] = names
    result.collector.pauses = np.ones(n, PAUSE)
    result.collector.reasons = result.collector.culprits = names
    return result


def test_the_size_is_bounded() -> None:
    data = reference.load(SCHED)
    few, large = (page_of(data, many(n)) for n in (SCHED_ROWS + 9, 30 * SCHED_ROWS))
    assert len(large) < len(few) * 1.01
    assert len(large) < 2 << 20
    for name in ("latency", "pauses", "tasks"):
        assert len(rows(large, name)) == SCHED_ROWS
    assert rows(large, "functions")[-1][0] == f"(other): {29 * SCHED_ROWS:,} functions"
    assert "<img" not in large
    assert "&lt;img src=x" in large


def test_a_damaged_trace(tmp_path: Path) -> None:
    trace, out = tmp_path / "a.trace", tmp_path / "a.html"
    trace.write_bytes(reference.load(BROKEN))
    assert main(["report", str(trace), "-q", "-o", str(out)]) == 3
    broken = out.read_text()
    assert 'role="alert">The part on scheduling shows only what came before a fault.' in broken
    assert rows(broken, "functions")
    data = reference.load(reference.DATA / "sched-go1.25-tiny.trace.gz")
    trace.write_bytes(data[: len(data) // 2])
    for flags in ([], ["--salvage"]):
        assert main(["report", str(trace), "-qf", "-o", str(out), *flags]) == 3
        text = out.read_text()
        assert f'role="alert">{"Lost: " if flags else "The trace is damaged"}' in text
        assert {"functions-table", "latency-table", "pauses-table", "mmu-table"} <= set(links(text))


def test_in_a_browser(tmp_path: Path) -> None:
    """Charts and tables need no scripts; nothing is wider than the page; no rule of axe is violated."""
    if browser.executable() is None:
        pytest.skip("no Chromium to look at the page with: apt-get install chromium")
    trace, out = tmp_path / "a.trace", tmp_path / "a.html"
    trace.write_bytes(reference.load(SCHED))
    assert main(["report", str(trace), "-q", "-o", str(out)]) == 0
    visible = "[...document.querySelectorAll('{}')].filter((node) => node.checkVisibility()).length"
    with browser.browser(tmp_path / "chromium") as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.open(out)
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        assert page.ask(visible.format("table.rows")) == len(SECTIONS)
        assert page.ask(visible.format("svg.chart")) == 2
        assert page.ask(visible.format("button, input, .alert, .plot")) == 0
        for width, dark in ((1280, False), (1280, True), (400, False)):
            page.resize(width, 900, dark=dark)
            page.open(out)
            assert page.ask("document.documentElement.scrollWidth") <= width
            assert page.ask(visible.format("svg.part rect")) > 20
            assert page.ask(visible.format("#live, #map, canvas")) == 0
            axe = browser.axe()
            if axe is not None:
                page.ask(axe + "; 0")
                assert page.ask("axe.run().then(({ violations }) => violations.map((rule) => rule.id))") == []
        page.ask("document.querySelectorAll('#functions thead button')[4].click()")
        values = page.ask("[...document.querySelectorAll('#functions tbody tr')].map((row) => +row.cells[4].dataset.v)")
        assert values == sorted(values, reverse=True)
        assert page.complaints == []
