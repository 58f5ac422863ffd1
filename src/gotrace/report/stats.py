"""Heap statistics as text with histograms, and as JSON. Never here: analysis."""

from __future__ import annotations

from typing import Any, TextIO

import numpy as np

from gotrace.analysis.account import account_of_samples
from gotrace.analysis.stats import Stats
from gotrace.dtypes import I8
from gotrace.heap.table import UNKNOWN_SPAN
from gotrace.report.common import (
    can_encode,
    document,
    error_json,
    json_rows,
    print_anomalies,
    print_bars,
    print_table,
    say,
)
from gotrace.report.heap import heap_rows, relative_error, samples_json
from gotrace.report.layout import WIDEST_TEXT, width_of, wrap
from gotrace.spec.sizeclasses import CLASS_BYTES
from gotrace.units import human_bytes, human_count, human_share, human_time

_WIDTH, _INDENT = 64, 12  # characters of the rate sparkline at most, and before it
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-~=+*#"  # for outputs that cannot encode the others
_SHOWN_CYCLES = 10


def print_stats(out: TextIO, result: Stats, *, top: int) -> None:
    """Write totals, histograms and the ``top`` types or other groups, 0 for all."""
    _print_totals(out, result)
    _print_rate(out, result)
    _print_sizes(out, result)
    _print_cycles(out, result)
    titles = (("bytes", "most bytes allocated", (3, 2, 1)), ("objects", "most objects allocated", (3, 2, 0)))
    for unit, title, drop in titles:
        order = np.argsort(-result.table[f"alloc_{unit}"], kind="stable")
        used = order[result.table["alloc_objects"][order] > 0]
        _print_title(out, title)
        rows = [_cells(result, row, unit) for row in used[: top or None].tolist()]
        print_table(out, ("allocated", "allocs", f"of {unit}", "in use", result.by), rows, total=len(used), drop=drop)
    say(out)
    if result.samples is not None:
        sentences = [*account_of_samples(result.samples), "Shares by site are estimates; ± is one standard error."]
        say(out, wrap(" ".join(sentences), width_of(out) or WIDEST_TEXT))
        say(out)
    print_anomalies(out, result.anomalies, 12)


def _cells(result: Stats, row: int, unit: str) -> tuple[str, ...]:
    """Return the cells of a row of the table; bytes of estimates have relative errors."""
    counts = result.table[row]
    allocated, inuse = (
        human_bytes(int(counts[name]))
        + (
            ""
            if result.errors is None
            else relative_error(float(result.errors[f"{name}_error"][row]), int(counts[name]))
        )
        for name in ("alloc_bytes", "inuse_bytes")
    )
    share = human_share(int(counts[f"alloc_{unit}"]), result.totals[f"alloc_{unit}"])
    return allocated, f"{counts['alloc_objects']:,}", share, inuse, str(counts["name"])


def print_benchmark(out: TextIO, result: Stats, operations: int) -> None:
    """Write a line of Go's benchmark format; with a number of operations, also amounts per operation."""
    totals = result.totals
    seconds = max(result.end - result.start, 1) / 1e9
    values: dict[str, float] = {
        "alloc-bytes": totals["alloc_bytes"],
        "alloc-objects": totals["alloc_objects"],
        "alloc-bytes/s": round(totals["alloc_bytes"] / seconds),
        "inuse-bytes": totals["inuse_bytes"],
        "inuse-objects": totals["inuse_objects"],
        "peak-bytes": result.peak["bytes"],
        "GC-cycles": len(result.cycles) - 1,
    }
    if operations:
        values["B/op"] = totals["alloc_bytes"] / operations
        values["allocs/op"] = totals["alloc_objects"] / operations
    cells = [f"{value if isinstance(value, int) else format(value, '.10g')} {unit}" for unit, value in values.items()]
    print("BenchmarkHeap", max(operations, 1), *cells, sep="\t", file=out)


def _print_title(out: TextIO, title: str) -> None:
    say(out)
    say(out, title)
    say(out)


def _amount(nbytes: int, objects: int) -> str:
    return f"{human_bytes(nbytes)} in {human_count(objects, 'object')}"


def _print_totals(out: TextIO, result: Stats) -> None:
    totals, peak, memory = result.totals, result.peak, result.memory
    seconds = max(result.end - result.start, 1) / 1e9
    amounts = {name: _amount(totals[f"{name}_bytes"], totals[f"{name}_objects"]) for name in ("alloc", "free", "start")}
    say(out, f"allocated   {amounts['alloc']}, {human_bytes(round(totals['alloc_bytes'] / seconds))}/s")
    say(out, f"freed       {amounts['free']}")
    say(out, f"at start    {amounts['start']}")
    if peak["time"] >= 0:
        cycles = human_count(peak["cycle"], "GC cycle")
        when = f"{human_time(peak['time'] - result.start)} after the start, {cycles} started"
        say(out, f"at peak     {_amount(peak['bytes'], peak['objects'])}, {when}")
    say(
        out,
        f"at end      {_amount(totals['inuse_bytes'], totals['inuse_objects'])}, "
        f"{human_time(result.end - result.start)} after the start",
    )
    say(
        out,
        f"untyped     {human_share(result.untyped['alloc_bytes'], totals['alloc_bytes'])} of allocated bytes, "
        f"{human_share(result.untyped['inuse_bytes'], totals['inuse_bytes'])} of bytes in use at the end",
    )
    died, young = int(result.ages[:, 0].sum()), int(result.ages[:2, 0].sum())
    gc = f"GC          {human_count(len(result.cycles) - 1, 'cycle')} started"
    if died:
        lived = f"{human_share(young, died)} lived one cycle or less"
        gc += f"; of {human_count(died, 'object')} allocated and freed, {lived}"
    say(out, gc)
    free, single = int(result.spans["free_bytes"].sum()), int(result.spans["single_spans"].sum())
    say(
        out,
        f"spans       {memory['heap_spans']:,} of objects ({human_bytes(memory['heap_span_bytes'])}, of which "
        f"{human_bytes(free)} free), {single:,} held by one object; "
        f"{memory['manual_spans']:,} manually managed ({human_bytes(memory['manual_span_bytes'])})",
    )
    say(
        out,
        f"stacks      {memory['stacks']:,} of goroutines ({human_bytes(memory['stack_bytes'])}), "
        f"at peak {peak['stacks']:,} ({human_bytes(peak['stack_bytes'])})",
    )


def _print_rate(out: TextIO, result: Stats) -> None:
    room = min(max((width_of(out) or _WIDTH) - _INDENT, 8), _WIDTH)
    merge = max(-(-len(result.rate) // room), 1)
    padded = np.concatenate((result.rate, np.zeros(-len(result.rate) % merge, np.int64)))
    rate = padded.reshape(-1, merge).sum(axis=1)
    most = int(rate.max(initial=0))
    if not most:
        return
    step = result.step * merge
    line = _sparkline(rate, out)
    say(out)
    say(out, f"rate        {line}")
    highest = human_bytes(round(most / (step / 1e9)))
    say(out, f"            {human_time(step)} per character, at most {highest}/s allocated")


def _sparkline(values: I8, out: TextIO) -> str:
    blocks = _BLOCKS if can_encode(out, _BLOCKS) else _ASCII_BLOCKS
    heights = np.ceil(values * (len(blocks) - 1) / values.max()).astype(int)
    return "".join(blocks[height] for height in heights.tolist())


def _print_sizes(out: TextIO, result: Stats) -> None:
    """Write a histogram of allocated objects by slot size; each row doubles the limit of the one before."""
    sizes = {f"{nbytes} B": nbytes for nbytes in CLASS_BYTES}
    largest = max(CLASS_BYTES)
    bins: dict[str, list[int]] = {}
    for exponent in range(3, largest.bit_length() + 1):
        bins[f"up to {human_bytes(1 << exponent)}"] = [0, 0]
    bins["larger"] = [0, 0]
    for row in result.classes:
        size = sizes.get(str(row["name"]).removesuffix(" noscan"))
        name = "larger" if size is None else f"up to {human_bytes(1 << max((size - 1).bit_length(), 3))}"
        if row["name"] == UNKNOWN_SPAN:
            continue
        bins[name][0] += int(row["alloc_objects"])
        bins[name][1] += int(row["alloc_bytes"])
    used = {name: counts for name, counts in bins.items() if counts[0]}
    if not used:
        return
    _print_title(out, "allocated by slot size")
    rows = [(name, f"{objects:,}", human_bytes(nbytes)) for name, (objects, nbytes) in used.items()]
    print_bars(out, ("slot size", "allocs", "allocated"), rows, [objects for objects, _ in used.values()])


def _print_cycles(out: TextIO, result: Stats) -> None:
    if len(result.cycles) < 2:
        return
    hidden = max(len(result.cycles) - _SHOWN_CYCLES, 0)
    _print_title(out, f"GC cycles{f', the last {_SHOWN_CYCLES} (--json has all)' if hidden else ''}")
    rows = [
        (
            human_bytes(int(row["inuse_bytes"])) if number else "",
            human_bytes(int(row["alloc_bytes"])),
            human_bytes(int(row["free_bytes"])),
            f"{number:,}" if number else "before the first",
        )
        for number, row in enumerate(result.cycles[hidden:], hidden)
    ]
    print_table(out, ("in use at start", "allocated", "freed", "cycle"), rows)


def stats_document(
    path: str, result: Stats, warnings: list[str], losses: list[str], error: Exception | None
) -> dict[str, Any]:
    """Return statistics as a JSON object: ``rows`` and ``classes`` as in HEAP, others as in HEAP_CYCLE and SPANS."""
    return document(
        "stats/1",
        path,
        rows=heap_rows(result),
        by=result.by,
        samples=samples_json(result.samples),
        totals=result.totals,
        peak={**result.peak, "time": result.peak["time"] if result.peak["time"] >= 0 else None},
        untyped=result.untyped,
        classes=json_rows(result.classes),
        cycles=json_rows(result.cycles),
        ages={"objects": result.ages[:, 0].tolist(), "bytes": result.ages[:, 1].tolist()},
        rate={"start": result.start, "step": result.step, "bytes": result.rate.tolist()},
        spans=json_rows(result.spans),
        memory=result.memory,
        anomalies=result.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
