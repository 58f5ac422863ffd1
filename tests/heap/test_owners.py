"""Heaps by task and region of random programs, as in a plain account of what each goroutine has open."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.trace_builder import BASE, GO, PROC, new, span

import gotrace
from gotrace.raw import Writer, allocfree_info, event

NAMES = ("", "read", "write", "wait", "work")
OBJECTS_OF_SPAN = 512


@dataclass
class Program:
    """One thread that runs many goroutines in turn."""

    dice: random.Random
    events: list[bytes] = field(default_factory=lambda: [PROC, GO])
    by_task: Counter[str] = field(default_factory=Counter)
    by_region: Counter[str] = field(default_factory=Counter)
    goroutines: dict[int, int] = field(default_factory=dict)  # sequence number of each that is runnable
    open: defaultdict[int, list[tuple[str, int, str]]] = field(default_factory=lambda: defaultdict(list))
    tasks: dict[int, tuple[int, str]] = field(default_factory=dict)
    running: int = 1
    last: int = 1
    n: int = 0

    def step(self) -> None:
        dice = self.dice
        choice = dice.randrange(10)
        stack = self.open[self.running]
        if choice == 0:
            self.last += 1
            self.events.append(event("GoCreate", 1, self.last, 0, 0))
            self.goroutines[self.last] = 0
        elif choice == 1 and self.goroutines:
            self.switch()
        elif choice == 2:
            self.last += 1
            name = dice.randrange(1, len(NAMES))
            self.events.append(event("UserTaskBegin", 1, self.last, 0, name, 0))
            self.tasks[self.last] = self.running, NAMES[name]
            stack.append(("task", self.last, NAMES[name]))
        elif choice == 3 and self.tasks:
            task = dice.choice(list(self.tasks))
            self.events.append(event("UserTaskEnd", 1, task, 0))
            g, _ = self.tasks.pop(task)
            self.open[g] = [entry for entry in self.open[g] if entry[:2] != ("task", task)]
        elif choice in (4, 5):
            task = dice.choice([0, *self.tasks])
            name = dice.randrange(1, len(NAMES))
            self.events.append(event("UserRegionBegin", 1, task, name, 0))
            owner = self.tasks[task][1] if task else ""
            stack.append((f"region {NAMES[name]}", task, owner))
        elif choice == 6:
            inner = next((i for i in reversed(range(len(stack))) if stack[i][0] != "task"), -1)
            if inner >= 0:
                kind, task, _ = stack.pop(inner)
                self.events.append(event("UserRegionEnd", 1, task, NAMES.index(kind.split()[1]), 0))
        else:
            self.allocate()

    def switch(self) -> None:
        """Run another goroutine; the current one ends in half of the cases, with all that it has open."""
        if self.dice.random() < 0.5:
            self.events.append(event("GoDestroy", 1))
            self.open.pop(self.running, None)
        else:
            self.events.append(event("GoStop", 1, 1, 0))
            self.goroutines[self.running] = self.seq
        g = self.dice.choice(list(self.goroutines))
        self.running, self.seq = g, self.goroutines.pop(g) + 1
        self.events.append(event("GoStart", 1, g, self.seq))

    seq: int = 0

    def allocate(self) -> None:
        if self.n % OBJECTS_OF_SPAN == 0:
            self.events.append(span(self.n // OBJECTS_OF_SPAN))
        self.events.append(new(2 * self.n))
        self.n += 1
        stack = self.open[self.running]
        named = [name for _, _, name in stack if name]
        self.by_task[named[-1] if named else "(none)"] += 1
        regions = [kind.split()[1] for kind, _, _ in stack if kind != "task"]
        self.by_region[regions[-1] if regions else "(none)"] += 1

    def trace(self) -> bytes:
        trace = Writer(26).frequency(1, 100).strings(1, {i: name.encode() for i, name in enumerate(NAMES) if i})
        trace.batch(1, -1, 100, allocfree_info(BASE), experiment=1)
        data, time = b"", 100
        for one in self.events:
            if len(data) + len(one) > 60_000:
                trace.batch(1, 1, time, data)
                data, time = b"", time + 100_000
            data += one
        return trace.batch(1, 1, time, data).end_of_generation().getvalue()


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed: int) -> None:
    program = Program(random.Random(seed))
    for _ in range(20_000):
        program.step()
    with gotrace.open(program.trace()) as trace:
        cases: list[tuple[Any, Any]] = [("task", program.by_task), ("region", program.by_region)]
        for by, expected in cases:
            table = trace.heap(by=by).table
            assert {row["name"]: int(row["alloc_objects"]) for row in table} == dict(expected)
