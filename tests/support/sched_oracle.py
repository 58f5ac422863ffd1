"""States, goroutines, regions and tasks of a trace, computed event by event in plain Python from the public tables.

Slow and direct: what the tables of scheduling are compared with. Names are text, not rows of ``strings``. Never here:
assertions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

import gotrace
from gotrace import GoState, Kind, ProcState, Resource
from gotrace.dtypes import Rows

Row = dict[str, Any]
TABLES = ("transitions", "ranges", "tasks", "regions", "logs", "labels", "metrics")
STW, SWEEP, ASSIST = 26, 32, 35
COLUMN = {GoState.RUNNING: "exec", GoState.RUNNABLE: "sched", GoState.WAITING: "block"}
OPEN = {"end": -1, "end_stack": 0, "end_kind": 2}
UNSEEN = {"start": -1, "stack": 0, "inherited": 0}
TIMES = ("exec", "sched", "block", "syscall", "syscall_block")


def read(source: Path | bytes, *names: str) -> dict[str, Rows]:
    """Return the rows of tables and of ``strings``, up to the fault if there is one."""
    names = ("strings", *names)  # lookups first, so that they have a generation whose order breaks
    with gotrace.open(source) as trace:
        pieces = {name: [np.empty(0, getattr(trace, name).dtype)] for name in names}
        with suppress(gotrace.OrderingError):
            for chunk in trace.iterate(names):
                for name in names:
                    pieces[name].append(chunk[name])
    return {name: np.concatenate(found) for name, found in pieces.items()}


def dicts(rows: Rows) -> list[Row]:
    """Return rows as dicts."""
    return [dict(zip(rows.dtype.names or (), row, strict=True)) for row in rows.tolist()]


def cut(rows: Rows, until: int, events: Rows) -> Rows:
    """Return the rows before a time; and those of its generation that mention something for the first time, then."""
    names = rows.dtype.names or ()
    last = events["generation"][np.searchsorted(events["time"], until)]
    late = (rows["time"] >= until) & (rows["generation"] == last)
    mentions = np.zeros(len(rows), bool)
    if "old" in names:
        mentions = rows["old"] == 0
    elif "start" in names:
        mentions = rows["kind"] == Kind.RANGE_ACTIVE
    rows = rows[(rows["time"] < until) | (late & mentions)]
    rows["time"] = np.minimum(rows["time"], until)
    return rows


@dataclass
class Life:
    """A goroutine from its first to its last event."""

    g: int
    life: int
    created: int
    creator_g: int = -1
    stack: int = 0
    started: int = -1
    ended: int = -1
    function: str = ""
    starts: int = 0
    sched_max: int = 0
    end_stack: int = 0
    state: Row | None = None
    last_state: int = 0
    times: Counter[str] = field(default_factory=Counter)
    waits: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    ranges: defaultdict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    open_ranges: dict[tuple[int, str], int] = field(default_factory=dict)
    regions: list[Row] = field(default_factory=list)

    def spent(self, now: int) -> Counter[str]:
        """Return the time in each state, up to now."""
        times = self.times.copy()
        if self.state is not None and not (
            self.state["state"] == GoState.WAITING and self.state["reason"] == "forever"
        ):
            times += durations(self.state, now)
        times["total"] = (now if self.ended < 0 else self.ended) - self.created
        return times


def forever(state: Row) -> bool:
    """Return whether a goroutine waits for what cannot happen: its life is over."""
    return bool(state["state"] == GoState.WAITING and state["reason"] == "forever")


def is_system(function: str) -> bool:
    """Return whether goroutines that start with a function belong to the runtime; "" is that of unknown ones."""
    return not function or (function.startswith("runtime.") and function != "runtime.main")


def durations(state: Row, end: int) -> Counter[str]:
    """Return the columns to which an interval adds its time."""
    if state["state"] != GoState.SYSCALL:
        return Counter({COLUMN[state["state"]]: end - state["start"]})
    lost = state["p_lost"] if state["p_lost"] >= 0 else end
    return Counter(syscall=lost - state["start"], syscall_block=end - lost)


class Oracle:
    """The rows of all tables of a trace, as dicts.

    Parameters
    ----------
    source : Path or bytes
        If it is damaged, the rows are those up to the fault.
    as_go : bool
        Make a mistake of Go's tool: a goroutine that leaves a system call without its P ends the next one that another
        goroutine makes with that P, as far as losing the P is concerned.
    until : int, optional
        ns: end there. Of the events from then on, only first mentions count, in the same generation.

    Attributes
    ----------
    states, goroutines, goroutine_times, region_times : list of dict
    task_times : dict of int to dict
        By task.
    """

    def __init__(self, source: Path | bytes, *, as_go: bool = False, until: int | None = None) -> None:
        self.as_go = as_go
        found = read(source, "stacks", "frames", *TABLES, "events")
        if until is not None:
            found.update((name, cut(found[name], until, found["events"])) for name in (*TABLES, "events"))
        self.tables = {name: dicts(found[name]) for name in TABLES}
        self.text = found["strings"]["text"].tolist()
        functions = found["frames"]["function"].tolist()
        stacks = found["stacks"][["first", "n_frames"]].tolist()
        self.function = [self.text[functions[first + n - 1]] if n else "" for first, n in stacks]
        self.states: list[Row] = []
        self.goroutines: list[Row] = []
        self.goroutine_times: list[Row] = []
        self.region_times: list[Row] = []
        self.task_times: dict[int, Row] = {}
        self.live: dict[int, Life] = {}
        self.lives: Counter[int] = Counter()
        self.in_syscall: dict[int, int] = {}  # goroutine by the P that it entered a syscall with
        self.entered_with: dict[int, int] = {}  # the inverse
        self.sweeps: dict[int, int] = {}  # goroutine by P
        events = found["events"]
        self.end = until if until is not None else int(events["time"][-1]) if len(events) else 0
        self.syncs: list[int] = events["time"][events["kind"] == Kind.SYNC].tolist()
        rows: list[tuple[int, str, Row]] = [(time, "sync", {}) for time in self.syncs]
        for table in TABLES[:5]:
            rows += [(row["time"], table, row) for row in self.tables[table]]
        self.sync = 0
        for time, table, row in sorted(rows, key=itemgetter(0)):
            if table == "sync":
                self.sync = time
            elif table == "transitions" and row["resource"] == Resource.PROC:
                self.proc(row)
            elif row.get("old") != row.get("new") or table != "transitions":
                getattr(self, table)(row)
        rest = sorted(self.live.values(), key=lambda life: life.g)
        opened = [life.state for life in rest if life.state is not None]
        self.states += sorted(opened, key=lambda state: (state["start"], state["g"]))
        for life in rest:
            if life.ended < 0:
                self.finish(life, self.end)

    # Goroutines.

    def transitions(self, row: Row) -> None:
        g, old, new, now = row["id"], row["old"], row["new"], row["time"]
        if old in (GoState.UNDETERMINED, GoState.NOT_EXIST):
            self.begin(row)
        life = self.live[g]
        state = life.state
        if state is not None:
            by = row["g"] if old == GoState.WAITING else g
            state.update(end=now, by_g=by, by_stack=row["stack"], next_state=new)
            self.leave(life, state)
        if not life.function:
            life.function = self.function[row["resource_stack"]]
        life.state, life.last_state, life.end_stack = None, new, row["stack"]
        if new == GoState.NOT_EXIST:
            life.ended = now
            del self.live[g]
            self.finish(life, now)
            return
        life.state = self.enter(row)
        if new == GoState.RUNNING:
            life.starts += 1
            life.started = now if life.started < 0 else life.started
        elif forever(life.state):
            life.ended = now
            self.finish(life, now)

    def begin(self, row: Row) -> None:
        g = row["id"]
        new = row["old"] == GoState.NOT_EXIST
        life = Life(g, self.lives[g], row["time"] if new else self.sync)
        self.lives[g] += 1
        if new:
            life.creator_g, life.stack = row["g"], row["stack"]
            creator = self.live.get(row["g"])
            if creator is not None and creator.regions:
                task = creator.regions[-1]["task"]
                region = {"start": row["time"], "stack": row["stack"], "name": "", "task": task, "inherited": 1}
                self.open_region(life, region, Counter())
        self.live[g] = life

    def enter(self, row: Row) -> Row:
        known = row["old"] != GoState.UNDETERMINED
        on_thread = row["new"] in (GoState.RUNNING, GoState.SYSCALL)
        state = {
            "start": row["time"] if known else self.sync,
            "time": row["time"],  # of the event, where start is earlier
            "end": -1,
            "offset": row["offset"],
            "g": row["id"],
            "by_g": -1,
            "m": row["m"] if on_thread else -1,
            "p_lost": -1,
            "stack": row["stack"],
            "by_stack": 0,
            "reason": self.text[row["reason"]],
            "p": row["p"] if on_thread else -1,
            "generation": row["generation"],
            "life": self.lives[row["id"]] - 1,
            "state": row["new"],
            "next_state": 0,
            "start_known": int(known),
        }
        if row["new"] == GoState.SYSCALL:
            if row["p"] < 0 and not known:
                state["p_lost"] = state["start"]
            self.in_syscall[row["p"]] = row["id"]
            self.entered_with[row["id"]] = row["p"]
        return state

    def leave(self, life: Life, state: Row) -> None:
        self.states.append(state)
        if state["state"] == GoState.SYSCALL:
            p = self.entered_with.pop(life.g)
            if self.as_go or self.in_syscall.get(p) == life.g:
                self.in_syscall.pop(p, None)
        self.account(life, state, state["end"])

    def account(self, life: Life, state: Row, end: int) -> None:
        life.times += durations(state, end)
        if state["state"] == GoState.RUNNABLE:
            life.sched_max = max(life.sched_max, end - state["start"])
        elif state["state"] == GoState.WAITING:
            life.waits[state["reason"]][0] += end - state["start"]
            life.waits[state["reason"]][1] += 1

    def finish(self, life: Life, now: int) -> None:
        """Emit the rows of a life; what is open counts up to now."""
        spent = life.spent(now)
        if life.state is not None and not (
            life.state["state"] == GoState.WAITING and life.state["reason"] == "forever"
        ):
            self.account(life, life.state, now)
        for key, start in life.open_ranges.items():
            life.ranges[key][0] += now - start
        by_start: Counter[int] = Counter()
        for (start, _), (time, _) in life.ranges.items():
            by_start[start] += time
        self.goroutines.append(
            {
                **{name: getattr(life, name) for name in ("created", "started", "ended", "g", "creator_g")},
                **{name: spent[name] for name in (*TIMES, "total")},
                "unknown": max(spent["total"] - sum(spent[name] for name in TIMES), 0),
                **{name: getattr(life, name) for name in ("sched_max", "starts", "function", "stack", "life")},
                **{name: by_start[start] for name, start in (("assist", ASSIST), ("sweep", SWEEP), ("stw", STW))},
                "state": life.last_state,
            }
        )
        who = {"g": life.g, "life": life.life}
        for reason, (time, count) in life.waits.items():
            self.goroutine_times.append({**who, "kind": 1, "start": 0, "name": reason, "time": time, "count": count})
        for (start, reason), (time, count) in life.ranges.items():
            self.goroutine_times.append(
                {**who, "kind": 2, "start": start, "name": reason, "time": time, "count": count}
            )
        for region in reversed(life.regions):
            if not (is_system(life.function) and region["inherited"]):
                end = {"end": life.ended, "end_stack": life.end_stack, "end_kind": 1} if life.ended >= 0 else OPEN
                self.close_region(region, spent, **end)

    # Procs, ranges.

    def proc(self, row: Row) -> None:
        if row["old"] != row["new"] and row["new"] == ProcState.IDLE and row["id"] in self.in_syscall:
            life = self.live.get(self.in_syscall.pop(row["id"]))
            if life is not None and life.state is not None and life.state["state"] == GoState.SYSCALL:
                life.state["p_lost"] = row["time"]

    def ranges(self, row: Row) -> None:
        key = row["start"], self.text[row["reason"]]
        if row["resource"] == Resource.NONE:
            return
        g = row["id"] if row["resource"] == Resource.GOROUTINE else row["g"]
        life = self.live.get(g)
        if row["kind"] == Kind.RANGE_END:
            if row["resource"] == Resource.PROC and self.sweeps.pop(row["id"], None) != g:
                return
            if life is not None and key in life.open_ranges:
                life.ranges[key][0] += row["time"] - life.open_ranges.pop(key)
        elif life is not None:
            if row["resource"] == Resource.PROC:
                self.sweeps[row["id"]] = g
            active = row["kind"] == Kind.RANGE_ACTIVE
            if active and key in life.open_ranges:
                life.ranges[key][0] += self.sync - life.open_ranges[key]
            else:
                life.ranges[key][1] += 1
            life.open_ranges[key] = self.sync if active else row["time"]

    # Regions, tasks.

    def open_region(self, life: Life, region: Row, before: Counter[str]) -> None:
        life.regions.append({**region, "g": life.g, "life": life.life, "depth": len(life.regions), "before": before})

    def close_region(self, region: Row, spent: Counter[str], **end: Any) -> None:
        before = region.pop("before")
        times = {name: spent[name] - before[name] for name in (*TIMES, "total")}
        self.region_times.append({**region, **times, **end})

    def regions(self, row: Row) -> None:
        life = self.live[row["g"]]
        spent = life.spent(row["time"])
        name = self.text[row["name"]]
        if row["kind"] == Kind.REGION_BEGIN:
            region = {name: row[name] for name in ("stack", "task")}
            self.open_region(life, {**region, "start": row["time"], "name": name, "inherited": 0}, spent)
            self.task(row["task"], row["g"])["regions"] += 1
        elif life.regions:
            self.close_region(life.regions.pop(), spent, end=row["time"], end_stack=row["stack"], end_kind=0)
        else:
            self.open_region(
                life, {"start": -1, "stack": 0, "name": name, "task": row["task"], "inherited": 0}, Counter()
            )
            self.close_region(life.regions.pop(), spent, end=row["time"], end_stack=row["stack"], end_kind=3)
            self.task(row["task"], row["g"])["regions"] += 1

    def task(self, task: int, g: int) -> Row:
        new = {"start": -1, "end": -1, "task": task, "parent": -1, "g": -1, "end_g": -1, "regions": 0, "logs": 0}
        found = self.task_times.setdefault(task, {**new, "goroutines": set(), "name": ""})
        found["goroutines"].add(g)
        return found

    def tasks(self, row: Row) -> None:
        task = self.task(row["task"], row["g"])
        task["name"] = self.text[row["name"]]
        begins = row["kind"] == Kind.TASK_BEGIN
        task["start" if begins else "end"] = row["time"]
        task["g" if begins else "end_g"] = row["g"]
        if task["parent"] < 0 < row["parent"]:
            task["parent"] = row["parent"]

    def logs(self, row: Row) -> None:
        self.task(row["task"], row["g"])["logs"] += 1
