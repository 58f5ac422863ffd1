"""The scheduling part of the HTML page: tables and charts, which need no scripts. Never here: analysis."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np

from gotrace.analysis.history import OTHER
from gotrace.analysis.latency import GO_EDGES
from gotrace.analysis.scheduling import Scheduling
from gotrace.dtypes import I8
from gotrace.report.markup import Cell, Row, histogram, keys, short, stacked, table
from gotrace.report.sched import culprit
from gotrace.units import human_count, human_share, human_time

SCHED_ROWS = 100
"""Rows per table of the scheduling part."""

_STATES = {"exec": "running", "sched": "runnable", "syscall": "in a system call", "block": "waiting"}
_PHASES = {"sched": "stopping", "stopped": "stopped", "syscall": "restarting"}
_SHORT = (10_000_000, 1_000_000, 100_000)  # ns, windows whose utilization is worth a tile
_WIDE, _HIGH = 600, 190  # of a chart
_LEFT, _TOP, _BOTTOM = 80, 8, 168  # of its area


def sched_sections(result: Scheduling) -> str:
    """Return the sections that have data, as HTML."""
    if not result.seen:
        return ""
    sections = [_functions(result), _latency(result)]
    if len(result.collector.pauses):
        sections.append(_pauses(result))
    if len(result.windows):
        sections.append(_utilization(result))
    if len(result.tasks.table):
        sections.append(_tasks(result))
    return '<div class="sched">\n' + "\n".join(sections) + "\n</div>"


def sched_tiles(result: Scheduling) -> list[tuple[str, str, str]]:
    """Return title, number and note of each tile."""
    lives, waits, collector = result.goroutines.table, result.waits.table, result.collector
    pauses = _pause_ends(result) - collector.pauses["start"]
    running, waited = int(lives["exec"].sum()), int(waits["total"].sum())
    tiles = [
        ("Goroutines", f"{int(lives['count'].sum()):,}", human_count(len(lives), "function")),
        ("Running", human_time(running), "goroutine time on a P"),
        ("Runnable", human_time(waited), f"{human_share(waited, waited + running)} of running and runnable"),
        (
            *("Longest wait for a P", human_time(int(waits["max"].max(initial=0)))),
            f"in {human_count(int(waits['count'].sum()), 'wait')}",
        ),
        (
            *("Longest pause", human_time(int(pauses.max())) if len(pauses) else "none"),
            f"{human_time(int(pauses.sum()))} in {human_count(len(pauses), 'pause')}",
        ),
    ]
    if len(result.windows):
        window = next((length for length in _SHORT if length <= result.windows[-1]), int(result.windows[-1]))
        at = int(np.argmin(np.abs(np.log(result.windows / window))))
        least = human_share(float(result.mmu[at]), 1)
        tiles.append(
            (
                "Least utilization",
                least,
                f"in {human_time(int(result.windows[at]))}; mean {human_share(result.mean, 1)}",
            )
        )
    return tiles


def sched_insights(result: Scheduling) -> list[str]:
    """Return sentences on what is notable, with numbers."""
    if not result.seen:
        return []
    sentences = []
    lives, waits, collector = result.goroutines.table, result.waits.table, result.collector
    running = int(lives["exec"].sum())
    if running:
        row = lives[np.argmax(lives["exec"])]
        sentences.append(
            f"Goroutines that run most: those of {short(row['name'])}, {human_time(int(row['exec']))} in "
            f"{human_count(int(row['count']), 'goroutine')}, {human_share(int(row['exec']), running)} of all running "
            "time."
        )
    if len(waits) and waits["max"].max() > 0:
        row = waits[np.argmax(waits["max"])]
        sentences.append(
            f"Longest wait of a runnable goroutine for a P: {human_time(int(row['max']))}, of {short(row['name'])}."
        )
    if len(collector.pauses):
        times = _pause_ends(result) - collector.pauses["start"]
        i = int(np.argmax(times))
        sentences.append(
            f"Longest pause: {human_time(int(times[i]))} ({short(collector.reasons[i])}); last to stop: "
            f"{short(culprit(collector, i))}."
        )
    return sentences


SCHED_NOTES = (
    "Time of goroutines is the sum over all goroutines, so it can exceed the length of the trace. Time in a system "
    "call after its P was taken counts as waiting.",
    f"Tables about scheduling have up to {SCHED_ROWS} rows.",
)


# --- sections -----------------------------------------------------------------------------------------------


def _time(ns: int) -> Cell:
    return (ns, human_time(ns)) if ns >= 0 else (-1, "")


def _functions(result: Scheduling) -> str:
    lives = result.goroutines.table
    lives = lives[np.argsort(-(lives["exec"] + lives["sched"] + lives["syscall"]), kind="stable")]
    names = [str(name) for name in lives["name"][:SCHED_ROWS]]
    columns = ("count", "exec", "sched", "syscall", "block", "syscall_block", "assist", "total")
    values = [[int(row[name]) for name in columns] for row in lives[:SCHED_ROWS]]
    rest = lives[SCHED_ROWS:]
    if len(rest):
        names.append(f"{OTHER}: {human_count(len(rest), 'function')}")
        values.append([int(rest[name].sum()) for name in columns])
    busiest = max((sum(row[1:4]) for row in values), default=0)
    rows: list[Row] = []
    for name, (count, run, wait, call, block, call_block, assist, total) in zip(names, values, strict=True):
        active = {"exec": run, "sched": wait, "syscall": call}
        cells: list[Cell] = [
            (sum(active.values()), stacked(active, busiest)),
            (round(run / total, 6) if total else 0, stacked({**active, "block": block + call_block}, total)),
            (count, f"{count:,}"),
            *map(_time, (run, wait, call, block + call_block, assist, total)),
        ]
        rows.append((name, cells))
    heads = (
        *("goroutines that start with", "not waiting", "share of time", "goroutines", "running", "runnable"),
        *("system calls", "waiting", "GC assist", "total"),
    )
    note = (
        "Not waiting: time running, runnable and in system calls, on the same scale in all rows. Share of time: the "
        "same with waiting, each row as a whole; blank is not known. GC assist is part of running."
    )
    return table("functions", "Goroutines by function", heads, rows, note, above=keys(_STATES))


def _latency(result: Scheduling) -> str:
    waits = result.waits
    rows: list[Row] = [
        (
            str(row["name"]),
            [
                (int(row["count"]), f"{row['count']:,}"),
                *(_time(int(row[name])) for name in ("total", "p50", "p90", "p99", "p999", "max")),
            ],
        )
        for row in waits.table[:SCHED_ROWS]
    ]
    edges, counts = waits.histogram
    chart = ""
    if len(counts):
        sums = np.bincount(np.searchsorted(GO_EDGES, edges), counts).astype(np.int64)
        label = "Bar chart: number of waits for a P, by length"
        chart = f"{_bars(sums, label)}<figcaption>Waits by length, five bars a power of ten.</figcaption>"
        chart = f"<figure>{chart}</figure>\n"
    left_out = [f"{waits.open:,} open at the end"] * bool(waits.open)
    left_out += [f"{waits.unknown:,} with unknown start"] * bool(waits.unknown)
    note = "From runnable to running. Percentiles are within 0.8 % of the exact values."
    if left_out:
        note += f" Left out: {', '.join(left_out)}."
    if len(waits.table) > SCHED_ROWS:
        note += f" {human_count(len(waits.table) - SCHED_ROWS, 'more function')} with less time in all."
    heads = ("goroutines that start with", "waits", "total", "p50", "p90", "p99", "p99.9", "longest")
    return table("latency", "Scheduling latency", heads, rows, note, above=chart)


def _pause_ends(result: Scheduling) -> I8:
    pauses = result.collector.pauses
    return np.asarray(np.where(pauses["end"] < 0, result.collector.end, pauses["end"]))


def _pauses(result: Scheduling) -> str:
    collector = result.collector
    pauses, ends = collector.pauses, _pause_ends(result)
    longest = np.argsort(pauses["start"] - ends, kind="stable")[:SCHED_ROWS].tolist()
    most = int((ends - pauses["start"]).max())
    rows: list[Row] = []
    for i in longest:
        times = [int(pauses[name][i]) for name in ("start", "stopped", "restarted")] + [int(ends[i])]
        parts = [max(b - a, 0) for a, b in pairwise(times)]
        cells: list[Cell] = [
            _time(times[0] - collector.start),
            (times[3] - times[0], stacked(dict(zip(_PHASES, parts, strict=True)), most)),
            *map(_time, (times[3] - times[0], *parts)),
            (None, culprit(collector, i)),
        ]
        rows.append((collector.reasons[i], cells))
    heads = ("pause", "at", "time", "total", "stopping", "stopped", "restarting", "last to stop")
    note = (
        f"{human_count(len(pauses), 'pause')} of {human_time(int((ends - pauses['start']).sum()))} in all, "
        f"{human_count(len(collector.cycles), 'mark phase')}. The longest pauses come first. Last to stop: the proc "
        "and goroutine that the others waited for."
    )
    return table("pauses", "Pauses", heads, rows, note, above=keys(_PHASES))


def _utilization(result: Scheduling) -> str:
    points = list(zip(result.windows.tolist(), result.mmu.tolist(), strict=True))
    rows: list[Row] = [(human_time(length), [(round(least, 6), human_share(least, 1))]) for length, least in points]
    low, high = np.log10(points[0][0]), np.log10(max(points[-1][0], points[0][0] + 1))

    def x(length: float) -> float:
        return round(float(_LEFT + (_WIDE - _LEFT - 10) * (np.log10(length) - low) / (high - low)), 1)

    line = " ".join(f"{x(length)},{_BOTTOM - (_BOTTOM - _TOP) * least:.1f}" for length, least in points)
    area = f"{_LEFT},{_BOTTOM} {line} {x(points[-1][0])},{_BOTTOM}"
    ticks = [
        (x(10**power), human_time(10**power)) for power in range(int(np.ceil(low)), int(np.floor(high + 1e-9)) + 1)
    ]
    label = "Line chart: minimum mutator utilization by length of the window"
    drawn = f'<polygon class="area" points="{area}"/><polyline points="{line}"/>'
    chart = _chart(label, drawn, ticks, ("0%", "50%", "100%"))
    caption = (
        "The least share of the Ps that the garbage collector leaves to the program, in any window of a length. Mean "
        f"of the trace: {human_share(result.mean, 1)}."
    )
    above = f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>\n"
    heads = ("window", "least utilization")
    return table(
        "mmu",
        "Minimum mutator utilization",
        heads,
        rows,
        "A window is any stretch of the trace of this length.",
        above=above,
    )


def _tasks(result: Scheduling) -> str:
    found = result.tasks
    shown = found.histograms[:SCHED_ROWS]
    used = [np.flatnonzero(counts) for counts in shown if counts.any()]
    first, last = (min(int(at[0]) for at in used), max(int(at[-1]) for at in used) + 1) if used else (0, 0)
    rows: list[Row] = [
        (
            row["name"] or "(no name)",
            [
                (int(row["count"]), f"{row['count']:,}"),
                (int(row["incomplete"]), f"{row['incomplete']:,}"),
                (int(row["p50"]), histogram(_padded(counts, first, last))),
                *(_time(int(row[name])) for name in ("total", "p50", "p90", "p99", "max")),
            ],
        )
        for row, counts in zip(found.table[:SCHED_ROWS], shown, strict=True)
    ]
    note = "Percentiles are those of tasks with a start and an end; the others are incomplete."
    if used:
        limits = [human_time(round(10 ** (edge / 5))) for edge in (first, last)]
        note += f" Latencies: from {limits[0]} to {limits[1]}, five bars a power of ten, in all rows."
    if len(found.table) > SCHED_ROWS:
        note += f" {human_count(len(found.table) - SCHED_ROWS, 'more name')} with less time in all."
    heads = ("task", "tasks", "incomplete", "latencies", "total", "p50", "p90", "p99", "longest")
    return table("tasks", "Tasks", heads, rows, note)


def _padded(counts: I8, first: int, last: int) -> list[int]:
    part: list[int] = counts[first:last].tolist()
    return part + [0] * (last - first - len(part))


# --- charts -------------------------------------------------------------------------------------------------


def _bars(counts: I8, label: str) -> str:
    """Return a chart of the buckets of :data:`GO_EDGES` that are in use."""
    used = np.flatnonzero(counts)
    first, last = int(used[0]), int(used[-1]) + 1
    top, step = _round_up(int(counts.max())), (_WIDE - _LEFT - 10) / (last - first)
    boxes = []
    for i, n in enumerate(counts[first:last].tolist()):
        if n:
            high = max((_BOTTOM - _TOP) * n / top, 1)
            name = f"from {human_time(round(10 ** ((first + i) / 5)))}: {n:,}"
            boxes.append(
                f'<rect class="sched" x="{_LEFT + i * step:.1f}" y="{_BOTTOM - high:.1f}" '
                f'width="{max(step - 1, 0.5):.1f}" height="{high:.1f}"><title>{name}</title></rect>'
            )
    ticks = [
        (round(_LEFT + (edge - first) * step, 1), human_time(10 ** (edge // 5)))
        for edge in range(first, last + 1)
        if edge % 5 == 0
    ]
    return _chart(label, "".join(boxes), ticks, ("0", f"{top // 2:,}", f"{top:,}"))


def _round_up(n: int) -> int:
    """Return the least even number that is not below a number and has one digit and zeros: 1, 2, 4, 6 or 8."""
    power = int("1" + "0" * (len(str(n)) - 1))
    return next(k * power for k in (1, 2, 4, 6, 8, 10) if k * power >= max(n, 2))


def _chart(label: str, drawn: str, ticks: Sequence[tuple[float, str]], marks: tuple[str, str, str]) -> str:
    """Return a chart: what is drawn, with labels below and three to the left."""
    grid = []
    for mark, y in zip(marks, (_BOTTOM, (_BOTTOM + _TOP) / 2, _TOP), strict=True):
        grid.append(f'<path d="M{_LEFT} {y:g}H{_WIDE}"/><text x="{_LEFT - 6}" y="{y + 4:g}" class="end">{mark}</text>')
    grid += [f'<text x="{x}" y="{_HIGH - 6}">{text}</text>' for x, text in ticks]
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{label}">{"".join(grid)}{drawn}</svg>'
    )
