"""A heap over time, and scheduling, as one HTML page of bounded size, which loads nothing from elsewhere.

All text from a trace is escaped: as HTML in tables, as JSON without ``<`` in the data of the charts.
Never here: replay.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from gotrace.analysis.account import account
from gotrace.analysis.history import OTHER, History
from gotrace.analysis.leaks import OldObjects, is_named
from gotrace.analysis.scheduling import Scheduling
from gotrace.analysis.stacks import HeapStacks
from gotrace.errors import HEAP_DATA_ADVICE
from gotrace.experiments.allocfree import ANOMALIES, CAUSES
from gotrace.heap.table import UNKNOWN_SPAN, package_of
from gotrace.report.common import caveats
from gotrace.report.leaks import leak_tables
from gotrace.report.markup import ROWS, listed, short, table
from gotrace.report.page_sched import SCHED_NOTES, sched_insights, sched_sections, sched_tiles
from gotrace.units import human_bytes, human_count, human_share, human_time

LINES = 10
"""Types with their own series over time; the others share one."""

BOXES = 300
"""Types in the flame graph of the heap."""

STACKS = 100
"""Call stacks with types in the flame graph of allocation sites."""

DEPTH = 24
"""Frames per call stack, those nearest to the allocation."""

MARKS = 1000
"""GC mark phases drawn."""
_NO_HEAP = f"No alloc/free events in this trace: {HEAP_DATA_ADVICE}."

_LABELS = {
    "live_label": "Area chart: bytes of live objects over time, by type",
    "rate_label": "Line chart: bytes allocated and freed per second, over time",
    "held_label": "Line chart: bytes of spans, objects and stacks over time",
    "ages_label": "Line chart: share of bytes and objects that outlive a number of GC cycles",
    "map_label": "Heat map: how full the spans are, by address and time",
}


def write_page(
    out: TextIO,
    history: History,
    stacks: HeapStacks | None = None,
    old: OldObjects | None = None,
    scheduling: Scheduling | None = None,
    *,
    gotrace: str,
) -> None:
    """Write the page.

    Parameters
    ----------
    out : text stream
    history : History
    stacks : HeapStacks, optional
        The heap by call stack.
    old : OldObjects, optional
        Types that grow, and old objects by some groups.
    scheduling : Scheduling, optional
        Goroutines, waits, pauses, utilization and tasks: all of the page if there are no alloc/free events.
    gotrace : str
        Version of gotrace, for the footer.
    """
    style = _asset("uPlot.min.css") + _asset("page.css")
    library, script = _asset("uPlot.iife.min.js"), _asset("page.js")
    name = short(history.path.rsplit("/", 1)[-1])
    seconds = human_time(history.end - history.start) if history.start >= 0 else "no events"
    charts = _fill(_asset("charts.html"), _captions(history, stacks))
    tables = _tables(history, old) if history.seen else ""
    scheduling = scheduling or Scheduling()
    kind = "Heap" if history.seen or not scheduling.seen else "Scheduling"
    sched = sched_sections(scheduling)
    slots = {
        "policy": f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(library)} {_hash(script)}; base-uri 'none'; form-action 'none'",
        "gotrace": escape(gotrace),
        "title": escape(f"{name} – {kind.lower()} report"),
        "heading": escape(f"{kind} of {name}"),
        "subtitle": escape(
            f"{history.writers}, {seconds}, {human_count(history.events, 'event')} in "
            f"{human_count(history.generations, 'generation')}"
        ),
        "style": style,
        "alerts": "".join(
            f'<p class="alert" role="alert">{escape(text)}</p>\n' for text in _alerts(history, scheduling)
        ),
        "tiles": "\n".join(_tile(*tile) for tile in (_tiles(history) if kind == "Heap" else sched_tiles(scheduling))),
        "insights": listed([*_verdict(old), *_insights(history), *sched_insights(scheduling)], "insights"),
        "hidden": "" if history.seen else " hidden",
        "contents": _contents(f"{charts}{tables}{sched}" if history.seen else sched),
        "charts": charts,
        "tables": tables,
        "sched": sched,
        "notes": listed([*(_notes(history) if kind == "Heap" else ()), *_remarks(history, scheduling)]),
        "anomalies": _anomalies(history),
        "licence": _asset("uPlot.LICENSE"),
        "data": _json({**_data(history), "who": _who(stacks)}),
        "library": library,
        "script": script,
    }
    out.write(_fill(_asset("page.html"), slots).encode("utf-8", "replace").decode())


def _asset(name: str) -> str:
    return resources.files("gotrace.report").joinpath("web", name).read_text(encoding="utf-8")


def _fill(template: str, slots: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: slots[match[1]], template)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# --- text ---------------------------------------------------------------------------------------------------


def _alerts(history: History, scheduling: Scheduling) -> list[str]:
    alerts = []
    if history.error is not None:
        alerts.append(f"The trace is damaged; this page shows only what came before the fault. {history.error}")
    elif scheduling.error is not None:
        alerts.append(f"The part on scheduling shows only what came before a fault. {scheduling.error}")
    alerts += [f"Lost: {loss}" for loss in history.losses[:5]]
    if len(history.losses) > 5:
        alerts.append(f"and {len(history.losses) - 5:,} more losses: gotrace info --salvage lists them")
    if not history.seen and not scheduling.seen and history.error is None and not history.losses:
        alerts.append(_NO_HEAP)
    return alerts


def _tile(title: str, number: str, note: str) -> str:
    title, number, note = map(escape, (title, number, note))
    return f'<div class="tile"><span class="what">{title}</span><b>{number}</b><span>{note}</span></div>'


def _total(history: History, name: str) -> int:
    return int(history.types[name].sum()) if history.types else 0


def _tiles(history: History) -> list[tuple[str, str, str]]:
    inuse, alloc, free = (_total(history, f"{name}_bytes") for name in ("inuse", "alloc", "free"))
    seconds = max(history.end - history.start, 1) / 1e9
    marked = float(np.diff(history.mark_seconds).sum())
    return [
        (
            *("Peak", human_bytes(history.peak_bytes)),
            f"at {human_time(history.peak_time - history.start)}" if history.peak_bytes else "no objects",
        ),
        ("Live at the end", human_bytes(inuse), human_count(_total(history, "inuse_objects"), "object")),
        (
            *("Allocated", human_bytes(alloc)),
            f"{human_count(_total(history, 'alloc_objects'), 'object')}, {human_bytes(round(alloc / seconds))}/s",
        ),
        ("Freed", human_bytes(free), f"{human_count(_total(history, 'free_objects'), 'object')}"),
        ("GC cycles", f"{len(history.begins):,}", f"marking {human_share(marked, seconds)} of the time"),
        (
            *("Untyped", human_share(history.untyped.get("inuse", 0), inuse)),
            f"of live bytes; {human_share(history.untyped.get('alloc', 0), alloc)} of allocated bytes",
        ),
    ]  # fmt: skip


def _named(history: History) -> npt.NDArray[np.bool_]:
    return np.array([is_named(name) for name in history.names], bool)


def _first(history: History, what: str) -> tuple[str, str, str, str]:
    """Return the type with the most bytes, if possible a named one: its name, bytes, objects and share as text."""
    sizes, counts = (history.types[f"{what}_{unit}"] for unit in ("bytes", "objects"))
    named = _named(history)
    row = int(np.argmax(np.where(named, sizes, -1) if sizes[named].any() else sizes))
    size, objects = int(sizes[row]), human_count(int(counts[row]), "object")
    return short(history.names[row]), human_bytes(size), objects, human_share(size, int(sizes.sum()))


def _verdict(old: OldObjects | None) -> list[str]:
    return [f"Growth: {old.leaks.verdict}."] if old is not None and old.seen else []


def _insights(history: History) -> list[str]:
    """Return sentences on what is notable, with numbers."""
    if not history.types or not len(history.names):
        return []
    sentences = []
    inuse, old, alloc = (_total(history, f"{name}_bytes") for name in ("inuse", "old", "alloc"))
    if inuse:
        name, size, objects, share = _first(history, "inuse")
        sentences.append(f"Largest type at the end: {name}, {size} in {objects}, {share} of the live heap.")
    if len(history.begins) >= 2 and old:
        name, size, *_ = _first(history, "old")
        sentences.append(
            f"{human_bytes(old)} allocated in the trace outlived two GC cycles or more and are still alive: the place "
            f"to look for leaks. Most of it: {name} ({size})."
        )
    young, dead = _total(history, "young_objects"), int(history.ages[:, 0].sum())
    if dead and len(history.begins):
        sentences.append(
            f"Of the objects allocated and freed in the trace, {human_share(young, dead)} lived at most one GC cycle."
        )
    if alloc:
        name, size, objects, share = _first(history, "alloc")
        sentences.append(f"Type allocated most: {name}, {size} in {objects}, {share} of all bytes.")
    held = int(history.moments["span_bytes"][-1])
    if held:
        free = held - inuse
        single = sum(row["single_spans"] for row in history.classes)
        sentences.append(
            f"Spans of objects hold {human_bytes(held)}, of which {human_bytes(free)} ({human_share(free, held)}) are "
            f"free; {human_count(single, 'span')} of a size class {'is' if single == 1 else 'are'} held by a single "
            "object."
        )
    return sentences


def _notes(history: History) -> list[str]:
    notes = [
        "Sizes are slot sizes: the allocator rounds up, and the trace does not record the requested size.",
        "An object without a type is listed under its size class. Tiny objects (below 16 bytes, no pointers) that "
        "share a slot count as one.",
        f"Time is divided into {len(history.bins)} bins. The {LINES} types that are largest in any bin have their own "
        f"colour; tables have up to {ROWS} rows, the flame graph up to {BOXES} types. The rest is shown as {OTHER}.",
        "An age is the number of GC cycles (mark phases) that started since the allocation. The age of objects that "
        "existed before the trace is unknown.",
    ]
    if history.seen and not history.has_snapshot:
        notes.append("The trace has no heap snapshot: objects allocated before the trace are unknown.")
    if history.crowded:
        notes.append(f"There are more types than series over time; the types that appeared last are shown as {OTHER}.")
    if len(history.marks) > MARKS:
        notes.append(
            f"The {len(history.marks):,} mark phases are drawn as at most {MARKS:,}, each for several close together."
        )
    return notes


def _remarks(history: History, scheduling: Scheduling) -> list[str]:
    """Return notes on what the page leaves out, and the warnings."""
    notes = list(SCHED_NOTES if scheduling.seen else ())
    if scheduling.seen and not history.seen:
        notes.insert(0, _NO_HEAP)
    notes += [f"Note: {caveat}." for caveat in caveats(history.anomalies, history.losses)]
    notes += [f"Warning: {text}" for text in history.warnings[:20]]
    if len(history.warnings) > 20:
        notes.append(f"and {len(history.warnings) - 20:,} more warnings")
    return notes


def _anomalies(history: History) -> str:
    """Return the number and the cause of each anomaly."""
    if not history.anomalies:
        return ""
    causes = {ANOMALIES[kind]: cause for kind, cause in CAUSES.items()}
    items = "\n".join(
        f"<dt>{escape(name)}: {n:,}</dt><dd>{escape(causes[name])}</dd>" for name, n in history.anomalies.items()
    )
    return f"<h3>Anomalies of the trace, which are not errors</h3>\n<dl>\n{items}\n</dl>"


def _contents(html: str) -> str:
    """Return links to the sections of a page."""
    sections = re.findall(r'<section class="card" id="([\w-]+)">.*?<h2>(.*?)</h2>', html, re.DOTALL)
    return "\n".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in (*sections, ("about", "Notes")))


def _captions(history: History, stacks: HeapStacks | None) -> dict[str, str]:
    tall = human_bytes(history.grid_step)
    wide = human_time(round((history.end - history.start) / max(len(history.bins), 1)))
    left = len(history.names) - LINES
    deaths, left_alive = int(history.ages[:, 0].sum()), int(history.left[:, 0].sum())
    return {
        **_LABELS,
        "bins": str(len(history.bins)),
        "who_hidden": "" if stacks and stacks.matched else " hidden",
        "who_note": escape(" ".join(account(stacks))) if stacks else "",
        "live_note": escape(
            f"{human_count(left, 'other type')} {'is' if left == 1 else 'are'} shown as {OTHER}." if left > 0 else ""
        ),
        "ages_note": escape(
            f"{human_count(deaths, 'object')} died; {left_alive:,} {'is' if left_alive == 1 else 'are'} still alive."
        ),
        "map_note": escape(
            f"A row is {tall} of addresses, a column {wide}. The colour shows how full the spans are; pale: spans "
            "cover only part of the row; blank: no spans."
        ),
    }


# --- charts -------------------------------------------------------------------------------------------------


def _data(history: History) -> dict[str, Any]:
    """Return the data of the charts; its size is limited by the constants above."""
    start, n = history.start, len(history.bins)
    names, series = history.largest(LINES)
    upward = sorted(range(len(names)), key=lambda i: (names[i] != OTHER, is_named(names[i])))
    names, series = [names[i] for i in upward], series[upward]
    width = max(history.end - start, 1) / max(n, 1) / 1e9
    rates = [np.round(history.moments[f"{name}_bytes"] / width) for name in ("alloc", "free")]
    return {
        "seen": history.seen,
        "time": history.seconds.round(9).tolist(),
        "duration": (history.end - start) / 1e9,
        "names": [short(name) for name in names],
        "other": names[:1] == [OTHER],
        "series": series.tolist(),
        "alloc_rate": rates[0].tolist(),
        "free_rate": rates[1].tolist(),
        **{name: history.moments[name].tolist() for name in ("span_bytes", "inuse_bytes", "stack_bytes")},
        "go_heap": [None if np.isnan(value) else value for value in history.go_heap.tolist()],
        "go_goal": [None if np.isnan(value) else value for value in history.go_goal.tolist()],
        "marks": _marks(history),
        "survival": survival(history),
        "flame": _flame(history),
        "sizes": _sizes(history),
        "map": _map(history),
    }


def _marks(history: History) -> list[list[float]]:
    marks = history.mark_seconds.round(9).tolist()
    step = max(-(-len(marks) // MARKS), 1)
    groups = [marks[i : i + step] for i in range(0, len(marks), step)]
    return [[group[0][0], group[-1][1]] for group in groups]


def survival(history: History) -> list[list[float]]:
    """Return the Kaplan-Meier estimate of the share that outlives each age, by bytes and by objects.

    Returns
    -------
    list of two lists of float
        Item i is the share that lives for more than i GC cycles, up to the largest age observed.
    """
    gone, left = history.ages, history.left
    ages = np.flatnonzero(gone[:, 0] + left[:, 0])
    n = int(ages[-1]) + 1 if len(ages) else 1
    curves = []
    for unit in (1, 0):
        at_risk = np.cumsum((gone[:n, unit] + left[:n, unit])[::-1])[::-1]
        stay = np.where(at_risk > 0, 1 - gone[:n, unit] / np.maximum(at_risk, 1), 1.0)
        curves.append([round(float(share), 6) for share in np.cumprod(stay)])
    return curves


def _flame(history: History) -> dict[str, Any]:
    """Return a tree of packages, types and size classes.

    A node has a name ``n``, values ``v`` (bytes at the end, at the peak, allocated) and children ``c``.
    """
    totals: dict[int, list[int]] = {}
    classes: dict[int, dict[str, list[int]]] = {}
    for row, name, *values in history.keys:
        _add(totals.setdefault(row, [0, 0, 0]), values)
        _add(classes.setdefault(row, {}).setdefault(name, [0, 0, 0]), values)
    whole = [max(sum(values[i] for values in totals.values()), 1) for i in range(3)]
    order = sorted(totals, key=lambda row: -max(totals[row][i] / whole[i] for i in range(3)))
    root: dict[str, Any] = {"n": "all objects", "v": [0, 0, 0], "c": []}
    packages: dict[str, dict[str, Any]] = {}
    for rank, row in enumerate(order):
        _add(root["v"], totals[row])
        package = short(package_of(history.names[row])) if rank < BOXES else OTHER
        if package not in packages:
            packages[package] = {"n": package, "v": [0, 0, 0], "c": []}
            root["c"].append(packages[package])
        _add(packages[package]["v"], totals[row])
        if rank < BOXES:
            children = [{"n": name, "v": values} for name, values in classes[row].items()]
            packages[package]["c"].append({"n": short(history.names[row]), "v": totals[row], "c": children})
    return root


def _who(stacks: HeapStacks | None) -> dict[str, Any] | None:
    """Return a tree of call stacks, outermost caller first, then types; None without matches.

    Nodes are as in :func:`_flame`, with estimated bytes as values: allocated, and live at the end.
    """
    if stacks is None or not stacks.matched:
        return None
    root: dict[str, Any] = {"n": "all objects", "v": [0, 0], "c": []}
    children: dict[tuple[int, str], dict[str, Any]] = {}
    columns = [stacks.table[name] for name in ("alloc_bytes", "inuse_bytes")]
    shares = np.max([column / max(int(column.sum()), 1) for column in columns], axis=0)
    for rank, row in enumerate(np.argsort(-shares, kind="stable").tolist()):
        site, values = stacks.sites[row], [int(column[row]) for column in columns]
        frames = [site] if isinstance(site, str) else [frame.function for frame in site[:DEPTH]][::-1]
        node = root
        _add(root["v"], values)
        for name in (*frames, str(stacks.table["name"][row])) if rank < STACKS else (OTHER,):
            key = id(node), short(name)
            if key not in children:
                children[key] = {"n": key[1], "v": [0, 0]}
                node.setdefault("c", []).append(children[key])
            node = children[key]
            _add(node["v"], values)
    return root


def _add(total: list[int], values: Iterable[int]) -> None:
    for i, value in enumerate(values):
        total[i] += value


def _sizes(history: History) -> list[dict[str, Any]]:
    entries: dict[int, dict[str, Any]] = {}
    for row in history.classes:
        size = row["size"] if row["name"] != UNKNOWN_SPAN else -1
        entry = entries.setdefault(
            size, {"name": row["name"].removesuffix(" noscan"), "label": "", "scan": [0, 0, 0], "noscan": [0, 0, 0]}
        )
        entry["label"] = {0: "large", -1: "?"}.get(size, f"{size:,}")
        entry["noscan" if row["noscan"] else "scan"] = [row["alloc_objects"], row["alloc_bytes"], row["inuse_bytes"]]
    return [entries[size] for size in sorted(entries, key=lambda size: size if size > 0 else 1 << 40)]


def _map(history: History) -> dict[str, Any]:
    """Return, by cell, how full spans are and how much of it they cover, from 0 to 255, without empty outer rows."""
    occupied, held = history.grid[:, 0], history.grid[:, 1]
    used = np.flatnonzero(held.any(axis=0))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
    occupied, held = occupied[:, first:last], held[:, first:last]
    full = np.where(held > 0, np.clip(occupied / np.maximum(held, 1), 0, 1), 0)
    covered = np.clip(held / max(history.grid_step, 1), 0, 1)
    return {
        "base": str(history.grid_base + first * history.grid_step),
        "step": history.grid_step,
        "rows": last - first,
        "bins": len(held),
        "occupied": base64.b64encode(np.round(full * 255).astype(np.uint8).tobytes()).decode(),
        "held": base64.b64encode(np.ceil(covered * 255).astype(np.uint8).tobytes()).decode(),
    }


# --- tables -------------------------------------------------------------------------------------------------


def _tables(history: History, old: OldObjects | None) -> str:
    leaks = [
        table(name, title, heads, rows[:ROWS], note)
        for name, title, heads, rows, note in (leak_tables(old) if old is not None and old.seen else ())
    ]
    tables = "\n".join((*leaks, _type_table(history), _class_table(history), _span_table(history)))
    return f'<div class="tables">\n{tables}\n</div>'


def _type_table(history: History) -> str:
    types = history.types
    columns = (
        *("inuse_bytes", "inuse_objects", "peak_bytes", "alloc_bytes", "alloc_objects"),
        *("free_objects", "young_objects", "old_bytes"),
    )
    heads = (
        *("type", "live", "live objects", "at the peak", "allocated", "allocated objects"),
        *("freed objects", "young objects", "old"),
    )
    if not types:
        return table("types", "Types", heads, [], "")
    whole = {name: max(int(types[name].sum()), 1) for name in ("inuse_bytes", "peak_bytes", "alloc_bytes")}
    rank = np.max([types[name] / total for name, total in whole.items()], axis=0)
    order = np.argsort(-rank, kind="stable")
    order, rest = order[:ROWS], order[ROWS:]
    named = _named(history)
    order = order[np.lexsort((-types["inuse_bytes"][order], ~named[order]))]
    cells = [(history.names[i], [int(types[name][i]) for name in columns]) for i in order.tolist()]
    if len(rest):
        cells.append((f"{OTHER}: {human_count(len(rest), 'type')}", [int(types[name][rest].sum()) for name in columns]))
    formats = [human_bytes if "bytes" in name else "{:,}".format for name in columns]
    rows = [(name, [(n, text(n)) for text, n in zip(formats, values, strict=True)]) for name, values in cells]
    note = (
        "Types of packages come first. Young: objects freed in the GC cycle of their allocation or the next one. Old: "
        "bytes alive at the end that were allocated in the trace, two or more cycles ago."
    )
    return table("types", "Types", heads, rows, note, [history.names[i] for i in order.tolist()])


def _class_table(history: History) -> str:
    heads = (
        *("size class", "allocated", "allocated objects", "live", "live objects"),
        *("spans", "held", "full", "free but held", "held by one"),
    )
    rows = []
    for row in sorted(history.classes, key=lambda row: -row["span_bytes"]):
        full = row["inuse_bytes"] / row["span_bytes"] if row["span_bytes"] else 0.0
        values: list[tuple[float, str]] = [
            (row["alloc_bytes"], human_bytes(row["alloc_bytes"])),
            (row["alloc_objects"], f"{row['alloc_objects']:,}"),
            (row["inuse_bytes"], human_bytes(row["inuse_bytes"])),
            (row["inuse_objects"], f"{row['inuse_objects']:,}"),
            (row["spans"], f"{row['spans']:,}"),
            (row["span_bytes"], human_bytes(row["span_bytes"])),
            (round(full, 6), human_share(full, 1)),
            (row["free_bytes_held"], human_bytes(row["free_bytes_held"])),
            (row["single_spans"], f"{row['single_spans']:,}"),
        ]
        rows.append((row["name"], values))
    note = (
        "At the end of the trace. Free but held: bytes of spans without a live object. "
        "Held by one: spans that a single object keeps from being released."
    )
    return table("classes", "Size classes and their spans", heads, rows, note)


def _span_table(history: History) -> str:
    largest = sorted(history.spans, key=lambda row: -row["free_bytes_held"])[:ROWS]
    rows: list[tuple[str, list[tuple[float, str]]]] = [
        (
            f"{row['name']}, {row['class']}",
            [(row["spans"], f"{row['spans']:,}"), (row["free_bytes_held"], human_bytes(row["free_bytes_held"]))],
        )
        for row in largest
    ]
    types = [row["name"] for row in largest]
    heads = ("type and class of the object", "spans", "free but held")
    return table(
        "spans",
        "Spans held by a single object",
        heads,
        rows,
        "Memory that cannot be released because of a single object, at the end of the trace.",
        types,
    )
