"""A trace's heap in numbers, as text and as JSON. Never here: analysis."""

from __future__ import annotations

from typing import TextIO

import numpy as np

from gotrace.analysis.stats import Stats
from gotrace.dtypes import I8
from gotrace.errors import TraceError
from gotrace.report.common import error_json, json_rows, print_json, print_table
from gotrace.report.heap import NOTHING
from gotrace.spec.sizeclasses import CLASS_BYTES
from gotrace.units import human_bytes, human_time

_WIDTH = 64  # stretches of time a line of the rate has at most
_BAR = 30
_TALL = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-~=+*#"  # where the output cannot write others
_SHOWN_CYCLES = 10


def print_stats(out: TextIO, found: Stats, *, top: int) -> None:
    """Write numbers, histograms and the ``top`` types, 0 for all."""
    if not found.seen:
        print(NOTHING, file=out)
        return
    _print_totals(out, found)
    _print_rate(out, found)
    _print_sizes(out, found)
    _print_cycles(out, found)
    for unit, words in (("bytes", "most bytes allocated"), ("objects", "most objects allocated")):
        order = np.argsort(-found.table[f"alloc_{unit}"], kind="stable")
        table = found.table[order]
        chosen = table[table["alloc_objects"] > 0][: top or None]
        print(f"\n{words}\n", file=out)
        rows = [
            (
                human_bytes(int(row["alloc_bytes"])),
                f"{row['alloc_objects']:,}",
                _share(int(row[f"alloc_{unit}"]), found.totals[f"alloc_{unit}"]),
                human_bytes(int(row["inuse_bytes"])),
                str(row["name"]),
            )
            for row in chosen
        ]
        print_table(out, ("allocated", "objects", f"of {unit}", "in use", "type"), rows)
    print(file=out)
    for name, n in found.anomalies.items():
        print(f"odd         {n:,} {name}", file=out)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"


def _amount(nbytes: int, objects: int) -> str:
    return f"{human_bytes(nbytes)} in {objects:,} objects"


def _print_totals(out: TextIO, found: Stats) -> None:
    totals, peak, memory = found.totals, found.peak, found.memory
    seconds = max(found.end - found.start, 1) / 1e9
    said = {name: _amount(totals[f"{name}_bytes"], totals[f"{name}_objects"]) for name in ("alloc", "free", "start")}
    print(f"allocated   {said['alloc']}, {human_bytes(round(totals['alloc_bytes'] / seconds))}/s", file=out)
    print(f"freed       {said['free']}", file=out)
    print(f"at start    {said['start']}", file=out)
    if peak["time"] >= 0:
        when = f"{human_time(peak['time'] - found.start)} after the start, {peak['cycle']:,} GC cycles begun"
        print(f"at peak     {_amount(peak['bytes'], peak['objects'])}, {when}", file=out)
    print(
        f"at end      {_amount(totals['inuse_bytes'], totals['inuse_objects'])}, "
        f"{human_time(found.end - found.start)} after the start",
        file=out,
    )
    print(
        f"untyped     {_share(found.untyped['alloc_bytes'], totals['alloc_bytes'])} of allocated bytes, "
        f"{_share(found.untyped['inuse_bytes'], totals['inuse_bytes'])} of those at the end",
        file=out,
    )
    died, young = int(found.ages[:, 0].sum()), int(found.ages[:2, 0].sum())
    lived = f"; of {died:,} objects that came and went, {_share(young, died)} lived one cycle or less" if died else ""
    print(f"GC          {len(found.cycles) - 1:,} cycles begun{lived}", file=out)
    free, alone = int(found.spans["free_bytes"].sum()), int(found.spans["single_spans"].sum())
    print(
        f"spans       {memory['heap_spans']:,} of objects ({human_bytes(memory['heap_span_bytes'])}, of which "
        f"{human_bytes(free)} free), {alone:,} kept by one object; "
        f"{memory['manual_spans']:,} managed by hand ({human_bytes(memory['manual_span_bytes'])})",
        file=out,
    )
    print(
        f"stacks      {memory['stacks']:,} of goroutines ({human_bytes(memory['stack_bytes'])}), "
        f"at peak {peak['stacks']:,} ({human_bytes(peak['stack_bytes'])})",
        file=out,
    )


def _print_rate(out: TextIO, found: Stats) -> None:
    merge = -(-len(found.rate) // _WIDTH)
    padded = np.concatenate((found.rate, np.zeros(-len(found.rate) % merge, np.int64)))
    rate = padded.reshape(-1, merge).sum(axis=1)
    most = int(rate.max(initial=0))
    if not most:
        return
    step = found.step * merge
    line = _sparkline(rate, out)
    print(f"\nrate        {line}", file=out)
    print(
        f"            each {human_time(step)}, at most {human_bytes(round(most / (step / 1e9)))}/s allocated",
        file=out,
    )


def _sparkline(values: I8, out: TextIO) -> str:
    marks = _TALL
    try:
        marks.encode(out.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        marks = _PLAIN
    heights = np.ceil(values * (len(marks) - 1) / values.max()).astype(int)
    return "".join(marks[height] for height in heights.tolist())


def _print_sizes(out: TextIO, found: Stats) -> None:
    """Objects allocated by size, each line twice as large as the one before."""
    sizes = {f"{nbytes} B": nbytes for nbytes in CLASS_BYTES}
    largest = max(CLASS_BYTES)
    bins: dict[str, list[int]] = {}
    for exponent in range(3, largest.bit_length() + 1):
        bins[f"up to {human_bytes(1 << exponent)}"] = [0, 0]
    bins["larger"] = [0, 0]
    for row in found.classes:
        size = sizes.get(str(row["name"]).removesuffix(" noscan"))
        name = "larger" if size is None else f"up to {human_bytes(1 << max((size - 1).bit_length(), 3))}"
        if row["name"] == "size unknown":
            continue
        bins[name][0] += int(row["alloc_objects"])
        bins[name][1] += int(row["alloc_bytes"])
    most = max(objects for objects, _ in bins.values())
    if not most:
        return
    print("\nallocated by slot size\n", file=out)
    rows = [
        (name, f"{objects:,}", human_bytes(nbytes), "#" * -(-_BAR * objects // most))
        for name, (objects, nbytes) in bins.items()
        if objects
    ]
    print_table(out, ("size", "objects", "bytes", ""), rows)


def _print_cycles(out: TextIO, found: Stats) -> None:
    if len(found.cycles) < 2:
        return
    hidden = max(len(found.cycles) - _SHOWN_CYCLES, 0)
    print(f"\nGC cycles{f', the last {_SHOWN_CYCLES} (--json has all)' if hidden else ''}\n", file=out)
    rows = [
        (
            human_bytes(int(row["inuse_bytes"])) if number else "",
            human_bytes(int(row["alloc_bytes"])),
            human_bytes(int(row["free_bytes"])),
            f"{number:,}" if number else "before the first",
        )
        for number, row in enumerate(found.cycles[hidden:], hidden)
    ]
    print_table(out, ("in use at begin", "then allocated", "freed", "cycle"), rows)


def print_stats_json(
    out: TextIO, path: str, found: Stats, warnings: list[str], losses: list[str], error: TraceError | None
) -> None:
    """Write numbers as one JSON object: rows and ``classes`` as in HEAP, the others as in CYCLE and SPANS."""
    print_json(
        out,
        "stats/1",
        path,
        rows=json_rows(found.table),
        totals=found.totals,
        peak={**found.peak, "time": found.peak["time"] if found.peak["time"] >= 0 else None},
        untyped=found.untyped,
        classes=json_rows(found.classes),
        cycles=json_rows(found.cycles),
        ages={"objects": found.ages[:, 0].tolist(), "bytes": found.ages[:, 1].tolist()},
        rate={"start": found.start, "step": found.step, "bytes": found.rate.tolist()},
        spans=json_rows(found.spans),
        memory=found.memory,
        anomalies=found.anomalies,
        warnings=warnings,
        losses=losses,
        error=error_json(error),
    )
