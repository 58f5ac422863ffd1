"""Use of procs and threads, pauses and mark phases of a trace, from its public tables, interval by interval.

Slow and direct: what the tables of scheduling are compared with. Names are text. Never here: assertions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from gotrace import GoState, Kind, ProcState, Resource, StopKind
from support.sched_oracle import ASSIST, STW, SWEEP, Oracle

Row = dict[str, Any]
Interval = tuple[int, int]
MARK, PROC_START, PROC_STEAL, HEAP_ALLOC, HEAP_GOAL = 29, 10, 12, 37, 38
LABELS = {"GC (dedicated)": "dedicated", "GC (fractional)": "fractional", "GC (idle)": "idle"}


def covered(intervals: list[Interval]) -> int:
    """Return the length of the union of intervals."""
    total = reached = 0
    for start, end in sorted(intervals):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return total


def common(some: list[Interval], others: list[Interval]) -> list[Interval]:
    """Return the parts of intervals that are in other ones."""
    both = [(max(a, c), min(b, d)) for a, b in some for c, d in others]
    return [(start, end) for start, end in both if start < end]


class ProcOracle:
    """The rows of ``pauses``, ``cycles``, ``procs`` and ``threads``, as dicts.

    Parameters
    ----------
    oracle : Oracle
    """

    def __init__(self, oracle: Oracle) -> None:
        self.oracle, self.end, self.syncs = oracle, oracle.end, oracle.syncs
        rows = oracle.tables
        self.turns = [
            row for row in rows["transitions"] if row["resource"] == Resource.PROC and row["old"] != row["new"]
        ]
        self.ranges, self.labels, self.metrics = rows["ranges"], rows["labels"], rows["metrics"]
        self.running: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)  # start, end, thread by proc
        self.idle: Counter[int] = Counter()
        self.proc_states()
        self.by_p: defaultdict[int, list[Row]] = defaultdict(list)
        for state in oracle.states:
            if state["p"] >= 0:
                self.by_p[state["p"]].append({**state, "until": self.end if state["end"] < 0 else state["end"]})
        died = {life["g"]: life["ended"] for life in oracle.goroutines if life["ended"] >= 0}
        assists = self.open_and_close(ASSIST, "id")
        self.assists = [(start, min(end, died.get(g, end)), g) for start, end, g in assists]
        self.workers = self.work()
        self.pauses = self.make_pauses()
        self.cycles = self.make_cycles()
        self.procs = [self.make_proc(p) for p in sorted({row["id"] for row in self.turns})]
        seen: dict[int, int] = {}  # time of the first transition by thread
        for row in rows["transitions"]:
            runs = row["old"] != row["new"] and row["new"] in (GoState.RUNNING, GoState.SYSCALL)
            if row["m"] >= 0 and (row["resource"] == Resource.PROC or runs):
                seen.setdefault(row["m"], row["time"])
        self.threads = [self.make_thread(m, seen[m]) for m in sorted(seen)]

    def proc_states(self) -> None:
        now: dict[int, tuple[int, int, int]] = {}  # state, since, thread
        for row in self.turns:
            p, time = row["id"], row["time"]
            known = row["old"] != ProcState.UNDETERMINED
            start = time if known else max(sync for sync in self.syncs if sync <= time)
            self.leave(p, time, now)
            now[p] = row["new"], start, row["m"]
        for p in list(now):
            self.leave(p, self.end, now)

    def leave(self, p: int, time: int, now: dict[int, tuple[int, int, int]]) -> None:
        state, since, m = now.pop(p, (ProcState.UNDETERMINED, 0, -1))
        if state == ProcState.RUNNING:
            self.running[p].append((since, time, m))
        elif state == ProcState.IDLE:
            self.idle[p] += time - since

    def open_and_close(self, start: int, owner: str) -> list[tuple[int, int, int]]:
        """Return start, end and owner of each range that starts with this type of event."""
        open_since: dict[int, int] = {}
        found = []
        for row in self.ranges:
            if row["start"] != start:
                continue
            if row["kind"] == Kind.RANGE_END:
                found.append((open_since.pop(row[owner]), row["time"], row[owner]))
            else:
                sync = max(sync for sync in self.syncs if sync <= row["time"])
                open_since.setdefault(row[owner], sync if row["kind"] == Kind.RANGE_ACTIVE else row["time"])
        return found + [(since, self.end, key) for key, since in open_since.items()]

    def work(self) -> list[tuple[int, int, int, str]]:
        """Return start, end, proc and label of each time that a mark worker runs."""
        found = []
        ends: dict[int, int] = {}  # by goroutine, of the interval that its label is in
        running = [state for states in self.by_p.values() for state in states if state["state"] == GoState.RUNNING]
        for row in reversed(self.labels):
            label = LABELS.get(self.oracle.text[row["label"]], "")
            for state in running:
                if state["g"] == row["g"] and state["start"] < row["time"] <= state["until"]:
                    end = min(state["until"], ends.get(row["g"], self.end))
                    ends[row["g"]] = row["time"] if row["time"] > state["start"] else state["start"]
                    if label:
                        found.append((row["time"], end, state["p"], label))
        return found

    def use(self, p: int, running: list[Interval]) -> tuple[int, int, int]:
        """Return how long a proc runs, is in system calls and collects, of the time in which it is running."""
        syscalls = [
            (state["start"], state["p_lost"] if state["p_lost"] >= 0 else state["until"])
            for state in self.by_p[p]
            if state["state"] == GoState.SYSCALL
        ]
        marking = [(start, end) for start, end, at, _ in self.workers if at == p]
        for since, until, g in self.assists:
            marking += common(
                [(since, until)],
                [(s["start"], s["until"]) for s in self.by_p[p] if s["g"] == g and s["state"] == GoState.RUNNING],
            )
        marking += [(start, end) for start, end, at in self.open_and_close(SWEEP, "id") if at == p]
        in_syscall = covered(common(syscalls, running))
        collecting = common(marking, running)
        gc = covered(collecting) - covered(common(collecting, syscalls))
        return covered(running) - in_syscall, in_syscall, gc

    def make_proc(self, p: int) -> Row:
        running, syscall, gc = self.use(p, [(start, end) for start, end, _ in self.running[p]])
        times = {"id": p, "running": running, "idle": self.idle[p], "syscall": syscall, "gc": gc}
        return {**times, **self.count("id", p)}

    def make_thread(self, m: int, since: int) -> Row:
        uses = [self.use(p, [(start, end) for start, end, by in times if by == m]) for p, times in self.running.items()]
        running, _, gc = (sum(column) for column in zip((0, 0, 0), *uses, strict=True))
        syscall = sum(
            (self.end if state["end"] < 0 else state["end"]) - state["start"]
            for state in self.oracle.states
            if state["m"] == m and state["state"] == GoState.SYSCALL
        )
        idle = max(self.end - since - running - syscall, 0)
        times = {"id": m, "running": running, "idle": idle, "syscall": syscall, "gc": gc}
        return {**times, **self.count("m", m)}

    def count(self, who: str, id: int) -> Row:
        """Return how often a proc, or a thread, starts or steals."""
        types = [row["type"] for row in self.turns if row[who] == id]
        return {"starts": types.count(PROC_START), "steals": types.count(PROC_STEAL)}

    def make_pauses(self) -> list[Row]:
        open_pauses: dict[int, Row] = {}
        found = []
        for row in self.ranges:
            if row["start"] != STW:
                continue
            if row["kind"] != Kind.RANGE_END:
                fields = {"start": row["time"], **{name: row[name] for name in ("g", "m", "p", "stack")}}
                open_pauses[row["id"]] = {**fields, "reason": self.oracle.text[row["reason"]], "end": -1}
            else:
                found.append({**open_pauses.pop(row["id"]), "end": row["time"]})
        return [self.explain(pause) for pause in found + list(open_pauses.values())]

    def explain(self, pause: Row) -> Row:
        """Add when the world stopped, and when it ran again.

        The world runs again when a goroutine starts on another proc, after all procs that ran at the start stopped.
        """
        nobody = {"culprit_g": -1, "culprit_m": -1, "culprit_p": -1, "culprit_stack": 0}
        end = self.end if pause["end"] < 0 else pause["end"]
        others = [(a, b, p) for p, times in self.running.items() if p != pause["p"] for a, b, _ in times]
        gone = max((b for a, b, _ in others if a < pause["start"] < b), default=pause["start"])
        if gone >= end:
            return {**pause, **nobody, "stopped": -1, "restarted": -1, "stop_kind": StopKind.UNKNOWN}
        runs = [
            s["start"]
            for p, states in self.by_p.items()
            for s in states
            if p != pause["p"] and s["state"] == GoState.RUNNING and s["start"] > gone
        ]
        limit = min([*runs, end])
        stopped, last = max(((b, p) for _, b, p in others if pause["start"] < b < limit), default=(pause["start"], -1))
        culprit = self.culprit(last, stopped) if last >= 0 else {**nobody, "stop_kind": StopKind.NONE}
        starts = [row["time"] for row in self.turns if row["type"] == PROC_START and stopped < row["time"] < end]
        return {**pause, **culprit, "stopped": stopped, "restarted": min(starts, default=pause["end"])}

    def culprit(self, p: int, stopped: int) -> Row:
        """Return what ran last on a proc that stopped at a time."""
        turn = next(row for row in self.turns if row["id"] == p and row["time"] == stopped)
        m = next(m for _, end, m in self.running[p] if end == stopped)
        ran = max((s for s in self.by_p[p] if s["start"] < stopped), key=lambda s: s["start"], default=None)
        culprit = {"culprit_p": p, "culprit_m": m, "culprit_g": ran["g"] if ran else -1}
        if ran is None:
            return {**culprit, "culprit_stack": 0, "stop_kind": StopKind.UNKNOWN}
        if (ran["state"] == GoState.SYSCALL and ran["until"] > stopped) or turn["type"] == PROC_STEAL:
            return {**culprit, "culprit_stack": ran["stack"], "stop_kind": StopKind.SYSCALL}
        preempted = any(
            s["g"] == ran["g"] and s["start"] == ran["end"] and s["reason"] == "preempted" for s in self.oracle.states
        )
        kind = StopKind.PREEMPTED if preempted else StopKind.BLOCKED
        return {**culprit, "culprit_stack": ran["by_stack"], "stop_kind": kind}

    def make_cycles(self) -> list[Row]:
        found: list[Row] = []
        for row in self.ranges:
            if row["start"] != MARK:
                continue
            if row["kind"] == Kind.RANGE_END:
                if found:
                    found[-1].update(end=row["time"], live_end=self.metric(HEAP_ALLOC, row["time"]))
            elif row["kind"] == Kind.RANGE_BEGIN or not found:
                begin = row["kind"] == Kind.RANGE_BEGIN
                found.append({"start": row["time"] if begin else -1, "from": row["time"], "end": -1, "live_end": -1})
                found[-1].update(
                    number=len(found) - 1,
                    live_start=self.metric(HEAP_ALLOC, row["time"]),
                    goal=self.metric(HEAP_GOAL, row["time"]),
                )
        for i, cycle in enumerate(found):
            first, last = cycle.pop("from"), found[i + 1]["from"] if i + 1 < len(found) else self.end
            window = [(first, last)]
            cycle["assists"] = sum(
                r["start"] == ASSIST and r["kind"] == Kind.RANGE_BEGIN and first < r["time"] < last for r in self.ranges
            )
            cycle["assist"] = sum(
                b - a for since, until, _ in self.assists for a, b in common([(since, until)], window)
            )
            for label in LABELS.values():
                times = [(start, end) for start, end, _, of in self.workers if of == label]
                cycle[label] = sum(b - a for time in times for a, b in common([time], window))
            ends = [
                r
                for r in self.ranges
                if r["start"] == SWEEP and r["kind"] == Kind.RANGE_END and first < r["time"] < last
            ]
            cycle["swept"], cycle["reclaimed"] = (sum(r[name] for r in ends) for name in ("swept", "reclaimed"))
            for name, reason in (("sweep_pause", "GC sweep termination"), ("mark_pause", "GC mark termination")):
                rows = [
                    n
                    for n, pause in enumerate(self.pauses)
                    if pause["reason"] == reason
                    and first < pause["start"]
                    and (last == self.end if pause["end"] < 0 else pause["end"] < last)
                ]
                cycle[name] = rows[0 if name == "sweep_pause" else -1] if rows else -1
        return found

    def metric(self, kind: int, time: int) -> int:
        """Return the last sample of a metric before a time."""
        return next((row["value"] for row in reversed(self.metrics) if row["type"] == kind and row["time"] < time), -1)
