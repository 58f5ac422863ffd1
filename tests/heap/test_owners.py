"""Groups of random programs, as in a plain account of what each goroutine has open and of each object."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from support import reference
from support.trace_builder import BASE, GO, PROC, free, mark, new, span

import gotrace
from gotrace.analysis.ages import FIRST_AGES
from gotrace.raw import Writer, allocfree_info, event
from gotrace.tables.instants import ExactGroup, Group

NAMES = ("", "read", "write", "wait", "work")
OBJECTS_OF_SPAN = 512


@dataclass
class Object:
    """An object, and what its goroutine had open."""

    task: str
    region: str
    born: int
    died: int = -1


@dataclass
class Program:
    """One thread that runs many goroutines in turn, and collects garbage."""

    dice: random.Random
    events: list[bytes] = field(default_factory=lambda: [PROC, GO])
    objects: list[Object] = field(default_factory=list)
    cycle: int = 0
    goroutines: dict[int, int] = field(default_factory=dict)  # sequence number of each that is runnable
    open: defaultdict[int, list[tuple[str, int, str]]] = field(default_factory=lambda: defaultdict(list))
    tasks: dict[int, tuple[int, str]] = field(default_factory=dict)
    running: int = 1
    last: int = 1

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
        elif choice == 7 and self.objects:
            self.free(dice.randrange(len(self.objects)))
        elif choice == 7:
            self.events.append(mark(self.cycle))
            self.cycle += 1
        else:
            self.allocate()

    def free(self, number: int) -> None:
        """Free an object if it is alive; one in twenty starts a GC cycle, too."""
        if self.objects[number].died < 0:
            self.events.append(free(2 * number))
            self.objects[number].died = self.cycle
        if self.dice.random() < 0.05:
            self.events.append(mark(self.cycle))
            self.cycle += 1

    def leave_holes(self) -> dict[int, Object]:
        """Free all objects but one of each other span; return the ones that are left."""
        left = {}
        for first in range(0, len(self.objects) - OBJECTS_OF_SPAN, 2 * OBJECTS_OF_SPAN):
            living = [i for i in range(first, first + OBJECTS_OF_SPAN) if self.objects[i].died < 0]
            keep = self.dice.choice(living)
            left[keep] = self.objects[keep]
            for number in living:
                if number != keep:
                    self.free(number)
        return left

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
        n = len(self.objects)
        if n % OBJECTS_OF_SPAN == 0:
            self.events.append(span(n // OBJECTS_OF_SPAN))
        self.events.append(new(2 * n))
        stack = self.open[self.running]
        named = ["(none)", *(name for _, _, name in stack if name)]
        regions = ["(none)", *(kind.split()[1] for kind, _, _ in stack if kind != "task")]
        self.objects.append(Object(named[-1], regions[-1], self.cycle))

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


def numbers(table: Any, column: str) -> Counter[str]:
    """Return a column by name, without zeros."""
    return +Counter(dict(zip(table["name"].tolist(), table[column].tolist(), strict=True)))


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed: int) -> None:
    program = Program(random.Random(seed))
    for _ in range(20_000):
        program.step()
    holes = program.leave_holes()
    assert len(holes) > 3
    with gotrace.open(program.trace()) as trace:
        for by in ("task", "region"):
            of = attrgetter(by)
            heap, stats, lives = trace.heap(by=by), trace.stats(by=by), trace.lifespans(by=by)
            assert numbers(heap.table, "alloc_objects") == Counter(map(of, program.objects))
            assert np.array_equal(np.sort(stats.table, order="name"), np.sort(heap.table, order="name"))
            alive = Counter(of(one) for one in program.objects if one.died < 0)
            assert numbers(lives.table, "alive_objects") == numbers(heap.table, "inuse_objects") == alive
            ages = Counter((of(one), one.died - one.born) for one in program.objects if one.died >= 0)
            for first, end in zip(FIRST_AGES, (*FIRST_AGES[1:], 1 << 31), strict=True):
                expected: Counter[str] = Counter()
                for (name, age), n in ages.items():
                    expected[name] += n if first <= age < end else 0
                assert numbers(lives.table, f"age_{first}") == +expected
            assert not lives.table["unaged_objects"].any()
            held = Counter(of(one) for one in holes.values())
            assert numbers(trace.spans(by=by).holders, "spans") == held


@pytest.mark.parametrize("path", [p for p in reference.fixtures() if "allocfree" in p.name], ids=lambda p: p.name)
def test_groups_add_up(path: Path) -> None:
    """Any group has the totals of types; goroutines have what the tables of objects and of goroutines say."""
    with gotrace.open(reference.load(path)) as trace:
        whole = trace.stats()
        for by in get_args(Group):
            found = trace.stats(by=by)
            for column in (found.table.dtype.names or ())[1:]:
                assert found.table[column].sum() == whole.totals[column], (by, column)
            assert (found.totals, found.by, found.errors is None) == (whole.totals, by, by != "site")
        single = trace.spans().table["single_spans"].sum()
        for by in get_args(ExactGroup):
            lives, heap = trace.lifespans(by=by), trace.heap(by=by)
            for unit in ("objects", "bytes"):
                assert lives.table[f"died_{unit}"].sum() == whole.totals[f"free_{unit}"]
                assert numbers(lives.table, f"alive_{unit}") == numbers(heap.table, f"inuse_{unit}")
            assert trace.spans(by=by).holders["spans"].sum() == single
        analyses: tuple[Any, ...] = (trace.lifespans, trace.spans)
        for analysis in analyses:
            with pytest.raises(ValueError, match="by='site': must be one of 'type', 'class', "):
                analysis(by="site")
        if any("cannot be attributed" in warning for warning in trace.warnings):
            return
        lives = trace.lifespans(by="goroutine")
        goroutines = trace.goroutines.to_pandas(["g", "function"])
        assert goroutines["g"].is_unique
        function = dict(zip(goroutines["g"], goroutines["function"].astype(object), strict=True))
        died: Counter[str] = Counter()
        for row in trace.lifetimes:
            if row["end"]:
                name = "(unknown)" if row["born"] < 0 else function[int(row["g"])] if row["g"] >= 0 else "(none)"
                died[name] += 1
        assert numbers(lives.table, "died_objects") == died
