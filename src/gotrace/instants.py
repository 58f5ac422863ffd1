"""The heap at an instant, by any group, of any age: what may be asked, and the replay that answers.

Never here: reading of events, or how a question is spelled on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gotrace.dtypes import HEAP, HeapSize, Life
from gotrace.heap import KINDS, Heap, add_up, group_keys
from gotrace.lifetimes import NEVER, Ages, Lives
from gotrace.owners import OWNERS, Owners
from gotrace.parts import Part
from gotrace.reader import LifetimeBuilder, Pass
from gotrace.sampling import Sampled
from gotrace.selection import nanoseconds
from gotrace.slabs import Rows

GROUPS = (*KINDS, *OWNERS, "site")
"""What a line of a heap can stand for."""

_INSTANTS = "start, peak, end, a time such as 12.5s, or gc:17"
_COUNTERS = [f"{what}_{unit}" for what in ("alloc", "free", "start") for unit in ("objects", "bytes")]


class QuestionError(ValueError):
    """There is no answer to what was asked, whatever the trace holds or because of what it lacks."""


@dataclass(frozen=True)
class Question:
    """What of the heap is asked.

    Raises
    ------
    QuestionError
        There is no such group, instant or age.

    Attributes
    ----------
    by : str
        One of :data:`GROUPS`.
    at : str
        ``"start"`` (the snapshot), ``"peak"`` (the first instant of most bytes in use), ``"end"``;
        ``"12.5s"``, just after what happened up to that time from the trace's start;
        ``"gc:17"``, as the trace's 17th mark phase begins.
    min_age, max_age : int, optional
        Ages in GC cycles, both included: mark phases that began while an object lived.
    """

    by: str = "type"
    at: str = "end"
    min_age: int | None = None
    max_age: int | None = None

    def __post_init__(self) -> None:
        if self.by not in GROUPS:
            raise QuestionError(f"by={self.by!r}: {', '.join(GROUPS)}")
        for name, age in (("min_age", self.min_age), ("max_age", self.max_age)):
            if age is not None and age < 0:
                raise QuestionError(f"{name}={age}: at least 0")
        if self.cycle is None and self.time is None and self.at not in ("start", "peak", "end"):
            raise QuestionError(f"at={self.at!r}: {_INSTANTS}")

    @property
    def time(self) -> int | None:
        """The instant in ns from the trace's start, if it is given so."""
        try:
            return nanoseconds(self.at)
        except ValueError:
            return None

    @property
    def cycle(self) -> int | None:
        """Number of the mark phase, if the instant is given so; the trace's first one is 1."""
        word, _, number = self.at.partition(":")
        return int(number) if word == "gc" and number.isdecimal() and 0 < int(number) < NEVER else None

    @property
    def aged(self) -> bool:
        """Whether ages matter."""
        return self.min_age is not None or self.max_age is not None

    @property
    def simple(self) -> bool:
        """Whether counts by type and size class at the end are all that is needed."""
        return self.by in KINDS and self.at == "end" and not self.aged

    @property
    def twice(self) -> bool:
        """Whether the trace must be read twice: ages at the peak are known when the peak is."""
        return self.at == "peak" and self.aged


class HeapBuilder(LifetimeBuilder):
    """Replays the heap up to an instant; no rows.

    Parameters
    ----------
    rows : int
        Rows of ALLOC to replay at most: where the peak is, known from a first pass.
    """

    def __init__(self, shared: Pass, question: Question, rows: int = NEVER) -> None:
        self._question = question
        self.shared = shared
        self._owners: Owners | Sampled | None = None
        if question.by == "site":
            self._owners = Sampled(shared)
        elif question.by in OWNERS:
            self._owners = OWNERS[question.by](shared.registry)
        oldest = NEVER if question.max_age is None else question.max_age
        ages = Ages(min(question.min_age or 0, NEVER), min(oldest, NEVER))
        stop = 0 if question.at == "start" else NEVER  # the snapshot is replayed nevertheless
        super().__init__(shared, 1, Lives(ages=ages, stop=stop, cycle=question.cycle or NEVER, rows=rows))
        self.start = -1

    def feed(self, part: Part) -> Iterator[Rows]:
        """Replay a part's events."""
        if self.start < 0:
            self.start = part.start
            if self._question.time is not None:
                self.lives.stop = min(self.start + self._question.time + 1, NEVER)
        if self._owners is not None:
            self._owners.read(part, self.shared)
        yield from super().feed(part)

    def take(self, rows: Rows) -> Iterator[Rows]:
        """Replay rows of ALLOC."""
        yield from self.lives.follow(rows, self._owners.of(rows) if self._owners else np.empty(0, np.int64))

    @property
    def done(self) -> bool:
        """Whether what comes next does not matter."""
        return self.lives.stopped

    def heap(self) -> Heap:
        """Say what the replay came to.

        Raises
        ------
        QuestionError
            There are not so many mark phases.
        """
        question, lives, life = self._question, self.lives, self.lives.life
        lives.finish()
        if question.cycle is not None and lives.stop == NEVER:
            raise QuestionError(f"at={question.at!r}: only {int(life[Life.CYCLE])} mark phases begin in this trace")
        peak = question.at == "peak"
        table, errors, unaged = self._table(peak)
        return Heap(
            table,
            self._time(),
            question.by,
            start=self.start,
            seen=bool(self.allocs.heap.sizes[HeapSize.EVENTS]),
            memory=lives.memory(peak=peak),
            anomalies=self.anomaly_counts(),
            at=question.at,
            ages=(question.min_age, question.max_age),
            unaged=unaged,
            errors=errors,
            samples=self._owners.counts if isinstance(self._owners, Sampled) else None,
        )

    def _time(self) -> int:
        question, lives = self._question, self.lives
        if question.at == "start" or self.start < 0:
            return self.start
        if question.at == "peak":
            return int(lives.life[Life.PEAK_TIME]) if lives.life[Life.PEAK_BYTES] else self.start
        if lives.stop != NEVER:
            return lives.stop - (question.time is not None)
        return self.allocs.heap.time

    def _table(self, peak: bool) -> tuple[Rows, Rows | None, dict[str, int]]:
        """Rows of HEAP, of ESTIMATE if they are estimated, and what has no known age."""
        question, lives = self._question, self.lives
        counts = lives.counts(peak=peak)
        parts = np.zeros(len(counts), HEAP)
        for name in _COUNTERS:
            parts[name] = counts[name]
        for unit in ("objects", "bytes"):
            parts[f"inuse_{unit}"] = parts[f"start_{unit}"] + parts[f"alloc_{unit}"] - parts[f"free_{unit}"]
        of_any_age = parts.copy()
        unaged: dict[str, int] = {}
        if question.aged:
            living, unknown = lives.of_age()
            for i, unit in enumerate(("objects", "bytes")):
                at_start = int(parts[f"start_{unit}"].sum())
                unaged[f"inuse_{unit}"] = int(unknown[i])
                unaged[f"free_{unit}"] = at_start - unaged[f"inuse_{unit}"]
                parts[f"inuse_{unit}"] = living[:, i]
                parts[f"free_{unit}"] = lives.tallies["aged"][:, i]
        there = (parts["alloc_objects"] > 0) | (parts["start_objects"] > 0)
        parts, tallies = parts[there], lives.tallies[there]
        if isinstance(self._owners, Sampled):
            return *self._owners.estimate(parts, of_any_age[there], tallies["label"]), unaged
        if self._owners is None:
            return add_up(parts, *group_keys(tallies, self.shared.types, question.by)), None, unaged
        labels = [self._owners.name(label) for label in tallies["label"].tolist()]
        names = sorted(set(labels))
        row = {name: i for i, name in enumerate(names)}
        return add_up(parts, names, np.array([row[name] for name in labels], np.int64)), None, unaged
