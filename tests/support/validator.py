"""Invariants of any stream of ordered events, from any reader: a check of the text, line by line.

It uses no sequence numbers and no rules of advancing, only what a program can do: a thread has one P and one goroutine,
states follow each other, an end has a start. Shares nothing with the state machine. Never here: gotrace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LINE = re.compile(r"^M=(-?\d+) P=(-?\d+) G=(-?\d+) (\w+) Time=(-?\d+)(.*)$")
MOVE = re.compile(r" (Go|Proc)ID=(-?\d+) (\w+)->(\w+)")
RANGE = re.compile(r' Name=("(?:[^"\\]|\\.)*") Scope=(\w+(?:\((-?\d+)\))?)')
TASK = re.compile(r' ID=(\d+) Parent=(\d+) Type=("(?:[^"\\]|\\.)*")')
REGION = re.compile(r' Task=(\d+) Type=("(?:[^"\\]|\\.)*")')


class Validator:
    """Takes lines; ``faults`` lists what is impossible.

    The P and goroutine of a thread follow from its events. A repeated status may bind a thread that the line does not
    name: then the P and goroutine of the threads concerned are unknown until their next event.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.time = -(1 << 63)
        self.syncs = 0
        self.holds: dict[int, dict[str, int | None]] = {}  # P and G by thread; None if unknown
        self.state: dict[tuple[str, int], str] = {}
        self.ranges: set[tuple[str, str]] = set()
        self.tasks: dict[int, tuple[int, str]] = {}
        self.regions: dict[int, list[tuple[int, str]]] = {}

    def feed(self, lines: Iterable[str]) -> list[str]:
        for number, line in enumerate(lines, 1):
            match = LINE.match(line)
            if match is None:
                continue  # a line of a stack
            m, p, g, time = (int(match[i]) for i in (1, 2, 3, 5))
            for fault in self.event(m, p, g, match[4], time, match[6]):
                self.faults.append(f"line {number}: {fault}: {line}")
        return self.faults

    def event(self, m: int, p: int, g: int, kind: str, time: int, rest: str) -> Iterable[str]:
        if time <= self.time:
            yield "time does not rise"
        self.time = time
        if kind == "Sync":
            self.syncs += 1
            if f" N={self.syncs}" not in rest:
                yield "Syncs do not count up"
            return
        if kind == "StackSample":  # as recorded, independent of the scheduler
            return
        thread = self.holds.setdefault(m, {"P": None, "G": None})
        no_proc = p == -1 and "Syscall->Syscall" in rest  # the thread may have its P
        if m != -1:
            for what, found in (("G", g),) if no_proc else (("P", p), ("G", g)):
                if thread[what] not in (None, found):
                    yield f"the thread has {what} {thread[what]}"
                thread[what] = found
        if kind == "StateTransition":
            yield from self.transition(m, p, g, rest)
        elif kind.startswith("Range"):
            yield from self.range(kind, rest)
        elif kind.startswith("Task"):
            yield from self.task(kind, rest)
        elif kind.startswith("Region"):
            yield from self.region(kind, g, rest)

    def transition(self, m: int, p: int, g: int, rest: str) -> Iterable[str]:
        move = MOVE.search(rest)
        assert move is not None, rest
        what, number, old, new = "G" if move[1] == "Go" else "P", int(move[2]), move[3], move[4]
        key = what, number
        known = self.state.get(key)
        status = old == new or old == "Undetermined" or (what == "P" and old == "NotExist")
        if known is None:
            if old not in ("Undetermined", "NotExist"):
                yield f"its state was unknown, but is {old}"
        elif old not in (known, "Undetermined") and not (old == "NotExist" and known == "NotExist"):
            yield f"it was {known}"
        elif old == "Undetermined":
            yield f"it was known to be {known}"
        self.state[key] = new
        if what == "G" and new == "NotExist":
            self.ranges -= {key for key in self.ranges if key[1] == f"Goroutine({number})"}
            self.regions.pop(number, None)
        if status:  # binds some thread, perhaps another one
            for thread in self.holds.values():
                if thread[what] in (number, -1):
                    thread[what] = None
            if what == "G":
                for thread in self.holds.values():
                    thread["P"] = thread["P"] if thread["P"] != -1 else None
            return
        holders = [thread for thread in self.holds.values() if thread[what] == number]
        if new in ("Running", "Syscall") and old not in ("Running", "Syscall"):
            if [thread for thread in holders if thread is not self.holds[m]]:
                yield "another thread has it"
            if old != "NotExist" or self.holds[m][what] == -1:
                self.holds[m][what] = number
        elif new not in ("Running", "Syscall") and old in ("Running", "Syscall", "Idle"):
            for thread in holders:
                thread[what] = -1
        if what == "G" and old == "Syscall" and new != "Running":
            self.holds[m]["P"] = None  # a P still held is released with it

    def range(self, kind: str, rest: str) -> Iterable[str]:
        match = RANGE.search(rest)
        assert match is not None, rest
        key = match[1], match[2]
        if kind == "RangeBegin" and key in self.ranges:
            yield "started twice"
        if kind == "RangeEnd" and key not in self.ranges:
            yield "ended without a start"
        (self.ranges.discard if kind == "RangeEnd" else self.ranges.add)(key)

    def task(self, kind: str, rest: str) -> Iterable[str]:
        match = TASK.search(rest)
        assert match is not None, rest
        number, task = int(match[1]), (int(match[2]), match[3])
        if kind == "TaskBegin":
            if number in self.tasks:
                yield "started twice"
            self.tasks[number] = task
        elif self.tasks.pop(number, ((1 << 64) - 1, '""')) != task:
            yield "its start has another parent or type"

    def region(self, kind: str, g: int, rest: str) -> Iterable[str]:
        match = REGION.search(rest)
        assert match is not None, rest
        open_ones = self.regions.setdefault(g, [])
        if kind == "RegionBegin":
            open_ones.append((int(match[1]), match[2]))
        elif open_ones and open_ones.pop() != (int(match[1]), match[2]):
            yield "not the innermost one"
