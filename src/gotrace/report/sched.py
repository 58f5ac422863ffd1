"""Scheduling reports as tables and as JSON: waits, goroutines, the collector, tasks and regions, procs.

Never here: analysis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import numpy as np

from gotrace.analysis.annotations import TIMES, Latencies
from gotrace.analysis.collector import Collector
from gotrace.analysis.critical import Critical
from gotrace.analysis.goroutines import Goroutines
from gotrace.analysis.mmu import Utilization
from gotrace.analysis.texts import NO_STACK, one_line
from gotrace.analysis.usage import Usage
from gotrace.analysis.waits import Waits
from gotrace.dtypes import I8, RegionEnd, Rows, StopKind, TimeKind
from gotrace.errors import suggestion
from gotrace.report.common import document, error_json, json_rows, print_bars, print_table, say
from gotrace.spec.enums import GoState
from gotrace.units import human_bytes, human_count, human_share, human_time, shell_flag
from gotrace.wire.structure import Frame

_TITLES = {
    "sched": ("wait for a P", "waits for a P"),
    "block": ("wait", "waits"),
    "net": ("wait for the network", "waits for the network"),
    "syscall": ("system call", "system calls"),
}
_CYCLE_TITLES = (
    *("at", "mark", "live before", "live after", "goal", "assists", "dedicated", "fractional", "idle", "swept"),
    "instant",
)
_HOW = {
    StopKind.PREEMPTED: "(preempted)",
    StopKind.BLOCKED: "(blocked or ended)",
    StopKind.SYSCALL: "(in a system call)",
    StopKind.UNKNOWN: "(not known)",
}
_WAIT_DROPS = (3, 1, 4, 6, 2, 0)  # columns of waits in the order in which narrow terminals lose them: total is last
_ENDS = {RegionEnd.GOROUTINE: " (ended with its goroutine)", RegionEnd.OPEN: " (open)"}


def print_waits(out: TextIO, result: Waits, *, top: int) -> None:
    """Write waits as a table of at most ``top`` rows, 0 for all, and as a histogram."""
    table = result.table
    total = human_time(int(table["total"].sum()))
    say(out, f"{human_count(int(table['count'].sum()), *_TITLES[result.kind])}, {total} in all{_left_out(result)}")
    if not len(table):
        return
    say(out)
    lost = ("lost P",) if result.kind == "syscall" else ()
    name = {"function": "goroutines that start with", "stack": "where", "waker": "waker -> waiter"}
    columns = ("p50", "p90", "p99", "p99.9", "max", "total", "count", *lost, name.get(result.by, result.by))
    rows = [
        (
            *(human_time(int(row[column])) for column in ("p50", "p90", "p99", "p999", "max", "total")),
            f"{row['count']:,}",
            *([f"{row['lost']:,}"] if lost else []),
            str(row["name"]),
        )
        for row in table[: top or None]
    ]
    print_table(out, columns, rows, total=len(table), drop=_WAIT_DROPS, long=result.by == "waker")
    say(out)
    _print_histogram(out, *result.histogram)


def _left_out(result: Waits) -> str:
    parts = []
    if result.open:
        parts.append(f"{result.open:,} open at the end")
    if result.unknown:
        parts.append(f"{result.unknown:,} with unknown start")
    return f"; left out: {', '.join(parts)}" if parts else ""


def _print_histogram(out: TextIO, edges: I8, counts: I8) -> None:
    """Write a bar for each power of ten."""
    powers = np.zeros(len(edges), np.int64)
    powers[edges > 0] = np.floor(np.log10(edges[edges > 0])).astype(np.int64)
    sums = np.bincount(powers, counts).astype(np.int64)
    first = int(np.flatnonzero(sums)[0])
    rows = [(f"from {human_time(10**power)}", f"{sums[power]:,}") for power in range(first, len(sums))]
    print_bars(out, ("time", "count"), rows, sums[first:].tolist(), longest=40)


def waits_document(
    path: str, result: Waits, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return waits as a JSON object, rows as in WAITS."""
    rows = json_rows(result.table)
    for row, frames in zip(rows, result.stacks, strict=False):
        row["stack"] = [_frame(frame) for frame in frames]
    edges, counts = (column.tolist() for column in result.histogram)
    return document(
        f"{'syscalls' if result.kind == 'syscall' else result.kind}/1",
        path,
        rows=rows,
        by=result.by,
        open=result.open,
        unknown=result.unknown,
        histogram=[list(pair) for pair in zip(edges, counts, strict=True)],
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def print_goroutines(out: TextIO, result: Goroutines, *, top: int, function: str | None = None) -> None:
    """Write goroutines as a table of at most ``top`` rows, 0 for all; of a selected one, its intervals too."""
    table = result.table
    if not len(table):
        similar = suggestion(function, result.known)
        advice = "without --function, gotrace goroutines lists all functions"
        say(out, f"no goroutine starts with this function{similar}: {advice}")
        return
    columns = ("count", "exec", "sched", "block", "syscall", "assist", "sweep", result.by)
    rows = [
        (
            f"{row['count']:,}",
            *(human_time(int(row[name])) for name in ("exec", "sched", "block")),
            human_time(int(row["syscall"]) + int(row["syscall_block"])),
            *(human_time(int(row[name])) for name in ("assist", "sweep")),
            str(row["name"]),
        )
        for row in table[: top or None]
    ]
    print_table(out, columns, rows, total=len(table), drop=(6, 5, 4, 3, 2, 0))
    waits = result.reasons[result.reasons["kind"] == TimeKind.WAITING]
    if len(waits):
        say(out)
        lines = [
            (human_time(int(row["time"])), f"{row['count']:,}", f"{row['reason']}: {row['name']}")
            for row in waits[: top or None]
        ]
        print_table(out, ("waiting", "count", f"reason: {result.by}"), lines, total=len(waits))
    if len(result.intervals):
        say(out)
        _print_intervals(out, result, top)


def _print_intervals(out: TextIO, result: Goroutines, top: int) -> None:
    start = int(result.intervals["start"].min())
    rows = []
    texts = zip(result.why, result.places, result.wakers, strict=True)
    for row, (why, place, waker) in zip(result.intervals[: top or None], texts, strict=False):
        ended = row["end"] >= 0
        by = ""
        if place == NO_STACK:
            place = ""
        elif row["state"] == GoState.RUNNABLE and not why:
            place = f"made runnable at {place}"
        if row["state"] == GoState.WAITING and ended:
            by = f"woken by G{row['by_g']} at {waker}" if row["by_g"] >= 0 else "woken by a timer, network or runtime"
        rows.append(
            (
                human_time(int(row["start"]) - start),
                human_time(int(row["end"] - row["start"])) if ended else "open",
                ", ".join(filter(None, (GoState(row["state"]).name.lower(), why, place, by))),
            )
        )
    print_table(out, ("at", "for", "state"), rows, total=len(result.intervals))


def goroutines_document(
    path: str, result: Goroutines, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return goroutines as a JSON object, rows as in GOROUTINES, ``reasons`` as in REASONS."""
    intervals = _nullable(json_rows(result.intervals), ("end", "by_g", "m", "p", "p_lost"))
    for row, why, place, waker in zip(intervals, result.why, result.places, result.wakers, strict=True):
        row.update(state=GoState(row["state"]).name, reason=why or None, stack=place, by_stack=waker or None)
    return document(
        "goroutines/1",
        path,
        rows=json_rows(result.table),
        by=result.by,
        reasons=json_rows(result.reasons),
        intervals=intervals,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def print_gc(out: TextIO, result: Collector, *, top: int, in_order: bool = False) -> None:
    """Write pauses, cycles and assists, each as a table of at most ``top`` rows, 0 for all.

    Of the pauses, these are the first ones if ``in_order``, else the longest ones by time.
    """
    pauses, cycles = result.pauses, result.cycles
    ends = np.where(pauses["end"] < 0, result.end, pauses["end"])
    total = human_time(int((ends - pauses["start"]).sum()))
    say(out, f"{human_count(len(pauses), 'pause')}, {total} in all; {human_count(len(cycles), 'mark phase')}")
    if len(pauses):
        say(out)
        longest = np.sort(np.argsort(pauses["start"] - ends, kind="stable")[: top or None])
        chosen = np.arange(len(pauses))[: top or None] if in_order else longest
        rows = [_pause_cells(result, i, int(ends[i])) for i in chosen.tolist()]
        columns = ("at", "total", "stopping", "stopped", "restart", "pause: last to stop")
        print_table(out, columns, rows, drop=(4, 3, 2, 0), long=True)
        if top and len(pauses) > top:
            more = human_count(len(pauses) - top, "more pause" if in_order else "shorter pause")
            say(out, f"... and {more} (--top 0 shows all)")
    if len(cycles):
        say(out)
        before = int(np.count_nonzero(cycles["start"] < 0))  # is not counted by instants such as gc:1
        lines = [_cycle_cells(row, result, before) for row in cycles[: top or None]]
        print_table(out, _CYCLE_TITLES, lines, total=len(cycles))
    if len(result.assists):
        say(out)
        rows = [
            (
                human_time(int(row["assist"])),
                human_share(int(row["assist"]), int(row["total"])),
                f"{row['goroutines']:,}",
                row["name"],
            )
            for row in result.assists[: top or None]
        ]
        print_table(
            out, ("assist", "of total", "goroutines", "goroutines that start with"), rows, total=len(result.assists)
        )


def _pause_cells(result: Collector, i: int, end: int) -> tuple[str, ...]:
    row = result.pauses[i]
    times = [int(row[name]) for name in ("start", "stopped", "restarted")]
    parts = [human_time(b - a) for a, b in zip(times, (*times[1:], end), strict=True)]
    at = human_time(times[0] - result.start)
    return at, human_time(end - times[0]), *parts, f"{result.reasons[i]}: {culprit(result, i)}"


def culprit(result: Collector, i: int) -> str:
    """Return which goroutine stopped last in a pause, where, and how."""
    row = result.pauses[i]
    if row["stop_kind"] == StopKind.NONE:
        return "(no other proc ran)"
    goroutine = f"G{row['culprit_g']}" if row["culprit_g"] >= 0 else ""
    how = _HOW[StopKind(int(row["stop_kind"]))]
    return " ".join(filter(None, (f"P{row['culprit_p']}", goroutine, result.culprits[i], how)))


def _cycle_cells(row: Rows, result: Collector, before: int) -> tuple[str, ...]:
    def size(name: str) -> str:
        return human_bytes(int(row[name])) if row[name] >= 0 else ""

    start, end = int(row["start"]), int(row["end"])
    return (
        human_time(start - result.start) if start >= 0 else "before",
        "open" if end < 0 else human_time(end - start) if start >= 0 else "",
        *map(size, ("live_start", "live_end", "goal")),
        *(human_time(int(row[name])) for name in ("assist", "dedicated", "fractional", "idle")),
        size("swept"),
        f"gc:{row['number'] + 1 - before}" if start >= 0 else "",
    )


def gc_document(
    path: str, result: Collector, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return the collector's work as a JSON object, rows as in PAUSE, ``cycles`` as in CYCLE."""
    rows = _nullable(json_rows(result.pauses), ("end", "g", "p", "culprit_g", "culprit_m", "culprit_p"))
    texts = zip(result.reasons, result.requests, result.culprits, strict=True)
    for row, (reason, request, culprit) in zip(rows, texts, strict=True):
        row.update(
            reason=reason,
            stack=request,
            culprit_stack=culprit or None,
            stop_kind=StopKind(row["stop_kind"]).name,
        )
    unknown = ("end", "live_start", "live_end", "goal", "sweep_pause", "mark_pause")
    return document(
        "gc/1",
        path,
        rows=rows,
        cycles=_nullable(json_rows(result.cycles), unknown),
        assists=json_rows(result.assists),
        start=result.start if result.start >= 0 else None,
        end=result.end if result.end >= 0 else None,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def print_latencies(out: TextIO, result: Latencies, *, top: int, name: str | None = None) -> None:
    """Write tasks or regions as a table of at most ``top`` rows, 0 for all; of one task, its parts too."""
    table = result.table
    if not len(table):
        if name is None or name in result.known:
            say(out, f"no {result.kind} start in this range of time")
            return
        similar = suggestion(name, result.known)
        say(out, f"no {result.kind} of this name{similar}: without --name, gotrace {result.kind} lists all names")
        return
    times = TIMES[:3] if result.kind == "regions" else ()
    columns = ("p50", "p90", "p99", "max", "total", *times, "count", "incomplete", "histogram", result.kind)
    rows = [
        (
            *(human_time(int(row[name])) if row[name] >= 0 else "" for name in ("p50", "p90", "p99", "max")),
            *(human_time(int(row[name])) for name in ("total", *times)),
            f"{row['count']:,}",
            f"{row['incomplete']:,}",
            _spark(histogram),
            row["name"] or "(no name)",
        )
        for row, histogram in zip(table[: top or None], result.histograms, strict=False)
    ]
    drop = [columns.index(title) for title in ("histogram", "incomplete", "p90", "count", *times, "max", "p99")]
    print_table(out, columns, rows, total=len(table), drop=drop)
    for row, name in zip(result.tasks, result.names, strict=True):
        say(out)
        _print_task(out, result, row, name)


def after_latencies(result: Latencies) -> list[tuple[str, str]]:
    """Return the command that shows what the first task or region waited for, for :func:`print_next`."""
    if not len(result.table):
        return []
    if len(result.tasks):
        return [(f"critical FILE --task {result.tasks['task'][0]}", "what it waited for")]
    flag, kind = ("--name", "tasks") if result.kind == "tasks" else ("--region", "regions")
    return [(f"critical FILE {shell_flag(flag, result.table['name'][0])}", f"what these {kind} waited for")]


def _spark(counts: I8) -> str:
    """Return a character for each bucket in use, from the first: its share of the largest, and ``.`` if empty."""
    filled = np.flatnonzero(counts)
    if not len(filled):
        return ""
    most = int(counts.max())
    bars = "".join("." if n == 0 else "12345678"[min(8 * n // most, 7)] for n in counts[filled[0] :].tolist())
    return f"{human_time(round(10 ** (filled[0] / 5)))} {bars}"


def _print_task(out: TextIO, result: Latencies, row: Rows, name: str) -> None:
    start, end = int(row["start"]), int(row["end"])
    took = human_time(end - start) if start >= 0 and end >= 0 else "not complete in this trace"
    parent = f", child of task {row['parent']}" if row["parent"] > 0 else ""
    goroutines = human_count(int(row["goroutines"]), "goroutine")
    say(out, f'task {row["task"]} "{name}", {took}{parent}; {goroutines}')
    lines = []
    regions = zip(result.regions, result.region_names, result.places, strict=True)
    for region, title, place in regions:
        text = f"region {title or '(inherited)'}{_ENDS.get(RegionEnd(int(region['end_kind'])), '')}"
        lines.append((int(region["start"]), int(region["total"]), f"G{region['g']}", f"{text} at {place}"))
    for log, category, message in zip(result.logs, result.categories, result.messages, strict=True):
        lines.append((int(log["time"]), -1, f"G{log['g']}", f"log {category + ': ' if category else ''}{message}"))
    base = start if start >= 0 else min((at for at, *_ in lines), default=0)
    rows = [
        (human_time(at - base) if at >= 0 else "before", human_time(took) if took >= 0 else "", who, what)
        for at, took, who, what in sorted(lines)
    ]
    if rows:
        print_table(out, ("at", "for", "goroutine", "what"), rows)


def latencies_document(
    path: str, result: Latencies, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return tasks or regions as a JSON object, rows as in LATENCIES with Go's histogram."""
    rows = _nullable(json_rows(result.table), ("p50", "p90", "p99"))
    for row, histogram in zip(rows, result.histograms, strict=True):
        row["histogram"] = histogram.tolist()
    return document(
        f"{result.kind}/1",
        path,
        rows=rows,
        tasks=_texts(_nullable(json_rows(result.tasks), ("start", "end", "parent", "g", "end_g")), name=result.names),
        regions=_texts(
            _nullable(json_rows(result.regions), ("start", "end")), name=result.region_names, stack=result.places
        ),
        logs=_texts(json_rows(result.logs), category=result.categories, message=result.messages),
        anomalies=result.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def print_procs(out: TextIO, result: Usage, *, top: int, by: str = "running") -> None:
    """Write the use of procs and threads as tables of at most ``top`` rows, 0 for all, the largest of a column."""
    for title, table in (("proc", result.procs), ("thread", result.threads)):
        if title == "thread":
            say(out)
        columns = ("running", "busy", "idle", "syscall", "GC", "starts", "steals", title)
        largest = np.argsort(-table[by], kind="stable")[: top or None]
        rows = [
            (
                human_time(int(row["running"])),
                human_share(int(row["running"]), result.duration),
                *(human_time(int(row[name])) for name in ("idle", "syscall", "gc")),
                *(f"{row[name]:,}" for name in ("starts", "steals")),
                f"{title[0].upper() if title == 'proc' else 'M'}{row['id']}",
            )
            for row in table[largest]
        ]
        print_table(out, columns, rows, total=len(table))


def procs_document(
    path: str, result: Usage, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return the use of procs and threads as a JSON object, rows as in PROC, ``threads`` as in THREAD."""
    return document(
        "procs/1",
        path,
        rows=json_rows(result.procs),
        threads=json_rows(result.threads),
        duration=result.duration,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def print_mmu(out: TextIO, result: Utilization, *, top: int) -> None:
    """Write the utilization of windows by length, and the worst ones; ``top`` limits both, 0 for all."""
    mean = human_share(result.mean, 1)
    say(out, f"the program has {mean} of the Ps; the collector: {', '.join(result.include)}")
    say(out)
    names = ("mmu", "q01", "q05", "q10", "q50")
    rows = [
        (*(human_share(float(row[name]), 1) for name in names), human_time(int(row["window"])))
        for row in result.table[: top or None]
    ]
    print_table(out, ("minimum", "1 %", "5 %", "10 %", "median", "window"), rows, total=len(result.table))
    worst = [window for window in result.worst if window.util < 1]
    if worst:
        say(out)
        length = human_time(int(result.table["window"].min()))
        lines = [(human_share(util, 1), human_time(start - result.start)) for start, util in worst[: top or None]]
        print_table(out, ("utilization", f"worst windows of {length}, from"), lines)


def mmu_document(
    path: str, result: Utilization, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return utilization as a JSON object, rows as in WINDOWS."""
    lengths, values = (column.tolist() for column in result.functions.curve()) if result.seen else ([], [])
    return document(
        "mmu/1",
        path,
        rows=json_rows(result.table),
        mean=result.mean if result.seen else None,
        curve=[list(point) for point in zip(lengths, values, strict=True)],
        worst=[{"start": start, "util": util} for start, util in result.worst],
        include=list(result.include),
        per_goroutine=result.per_goroutine,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def print_critical(out: TextIO, result: Critical, *, top: int) -> None:
    """Write sums over all paths, and the segments of a single one, as tables of at most ``top`` rows, 0 for all."""
    paths, table = result.paths, result.table
    total = int((paths["end"] - paths["start"]).sum())
    hops = human_count(int(paths["hops"].sum()), "hop")
    sums: dict[str, int] = {}
    for row in table:
        what = _activity(row)
        sums[what] = sums.get(what, 0) + int(row["end"] - row["start"])
    parts = [f"{human_time(time)} {what}" for what, time in sorted(sums.items(), key=lambda item: -item[1])]
    say(out, f"{_subject(result)}, {human_time(total)}: {', '.join([*parts, hops])}")
    say(out)
    groups: dict[str, list[int]] = {}
    for row in table:
        what = f"{row['function'] or NO_STACK}: {_activity(row)}{_place(result, row)}"
        group = groups.setdefault(what, [0, 0])
        group[0] += int(row["end"] - row["start"])
        group[1] += 1
    largest = sorted(groups.items(), key=lambda item: -item[1][0])
    rows = [(human_time(time), human_share(time, total), f"{n:,}", what) for what, (time, n) in largest[: top or None]]
    print_table(out, ("time", "of all", "segments", "goroutine: state"), rows, total=len(largest))
    if len(paths) == 1:
        say(out)
        start = int(paths["start"][0])
        cells = [_segment_cells(result, row, start) for row in table[: top or None]]
        print_table(out, ("at", "for", "goroutine: state"), cells, total=len(table))


def after_critical(result: Critical) -> list[tuple[str, str]]:
    """Return the command that shows the longest of several tasks, for :func:`print_next`."""
    if len(result.paths) < 2:
        return []
    longest = result.paths[np.argmax(result.paths["end"] - result.paths["start"])]
    return [(f"critical FILE --task {longest['task']}", "the longest one, step by step")]


def _subject(result: Critical) -> str:
    """Return what the paths are of."""
    path, n = result.paths[0], len(result.paths)
    if result.kind == "goroutine":
        return f"G{path['g']} {path['name'] or NO_STACK}" + (f", {n:,} lives" if n > 1 else "")
    name = f' "{path["name"]}"' if path["name"] else ""
    if n > 1:
        return f"{n:,} {result.kind}s{name}"
    return f"task {path['task']}{name}" if result.kind == "task" else f"region{name} of G{path['g']}"


def _activity(row: Any) -> str:
    """Return what a segment of a path is."""
    state = GoState(int(row["state"]))
    if state == GoState.UNDETERMINED:
        return "unknown"
    if state == GoState.WAITING:
        return f"waiting ({row['reason']})" if row["reason"] else "waiting"
    return "in a system call" if state == GoState.SYSCALL else state.name.lower()


def _place(result: Critical, row: Any) -> str:
    """Return where a goroutine waits or makes a system call."""
    stack = result.stacks.get(int(row["stack"]), ())
    return f" at {one_line(stack)}" if stack and row["state"] in (GoState.WAITING, GoState.SYSCALL) else ""


def _segment_cells(result: Critical, row: Any, start: int) -> tuple[str, ...]:
    who = f"G{row['g']} " if row["g"] >= 0 else ""
    woken = f", woken by G{row['by_g']}" if row["by_g"] >= 0 else ""
    return (
        human_time(int(row["start"]) - start),
        human_time(int(row["end"] - row["start"])),
        f"{who}{row['function'] or NO_STACK}: {_activity(row)}{_place(result, row)}{woken}",
    )


def critical_document(
    path: str, result: Critical, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return critical paths as a JSON object, rows as in SEGMENT, ``paths`` as in PATH."""
    rows = _nullable(json_rows(result.table), ("by_g",))
    for row in rows:
        row.update(
            state=GoState(row["state"]).name,
            reason=row["reason"] or None,
            stack=[_frame(frame) for frame in result.stacks.get(row["stack"], ())],
        )
    return document(
        "critical/1",
        path,
        rows=rows,
        paths=_nullable(json_rows(result.paths), ("task",)),
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )


def _frame(frame: Frame) -> dict[str, Any]:
    return {"function": frame.function, "file": frame.file, "line": frame.line, "pc": f"{frame.pc:#x}"}


def _nullable(rows: list[dict[str, Any]], names: Iterable[str]) -> list[dict[str, Any]]:
    """Replace -1 in some columns by None."""
    for row in rows:
        row.update((name, None) for name in names if row[name] == -1)
    return rows


def _texts(rows: list[dict[str, Any]], **columns: Sequence[str]) -> list[dict[str, Any]]:
    """Set columns of text."""
    for name, texts in columns.items():
        for row, text in zip(rows, texts, strict=True):
            row[name] = text
    return rows
