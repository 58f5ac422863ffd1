"""Mutations that leave traces well formed: events, batches and threads are moved, numbers are changed.

Never here: assertions, damage to bytes.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

import gotrace
from gotrace.raw import assemble
from gotrace.spec.events import EVENTS

TIMED = {event.name for event in EVENTS if event.timed}
STATUS_ARGS = ("pstatus", "gstatus")


@dataclass
class Batch:
    """A batch in text form."""

    head: str
    lines: list[str] = field(default_factory=list)

    def holds_events(self) -> bool:
        return bool(self.lines) and self.lines[0].split()[0] in TIMED

    def __str__(self) -> str:
        if not self.holds_events():
            return "\n".join([self.head, *self.lines])
        size = len(assemble("\n".join(self.lines), version=26)) - 16
        return "\n".join([re.sub(r"size=\d+", f"size={size}", self.head), *self.lines])


def batches(trace: bytes) -> list[Batch]:
    with gotrace.open(trace) as opened:
        text = b"".join(opened.text("wire")).decode("utf-8", "surrogateescape")
    parsed: list[Batch] = []
    for line in text.splitlines():
        if line.startswith(("EventBatch", "ExperimentalBatch", "EndOfGeneration")):
            parsed.append(Batch(line))
        else:
            parsed[-1].lines.append(line)
    return parsed


def change_number(line: str, dice: random.Random) -> str:
    """Change one number of an event, to a value small enough that only the ordering rules reject it."""
    places = list(re.finditer(r"(\w+)=(\d+)", line))
    if not places:
        return line
    place = dice.choice(places)
    value = int(place[2])
    highest = 5 if place[1] in STATUS_ARGS else 1 << 31
    other = dice.choice([value + 1, abs(value - 1), 0, 1, 2, dice.randrange(8), value])
    return line[: place.start(2)] + str(other % highest) + line[place.end(2) :]


def mutated(trace: bytes, dice: random.Random) -> bytes:
    """Return the trace with one to three mutations."""
    all_batches = batches(trace)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        events = [batch for batch in all_batches if batch.holds_events()]
        if not events:
            break
        one, other = dice.choice(events), dice.choice(events)
        at = dice.randrange(len(one.lines))
        change = dice.randrange(10)
        if change <= 2:
            one.lines[at] = change_number(one.lines[at], dice)
        elif change == 3 and at:
            one.lines[at - 1 : at + 1] = one.lines[at], one.lines[at - 1]
        elif change == 4 and len(one.lines) > 1:
            del one.lines[at]
        elif change == 5:
            one.lines.insert(at, one.lines[at])
        elif change == 6:
            other.lines.insert(dice.randrange(len(other.lines) + 1), one.lines[at])
        elif change == 7:
            i, j = all_batches.index(one), all_batches.index(other)
            if re.findall(r"gen=\d+", one.head) == re.findall(r"gen=\d+", other.head):
                all_batches[i], all_batches[j] = all_batches[j], all_batches[i]
        elif change == 8:
            thread = re.findall(r" m=\d+", other.head)[0]
            one.head = re.sub(r" m=\d+", thread, one.head)
        elif change == 9:
            one.head = re.sub(r" time=(\d+)", lambda m: f" time={abs(int(m[1]) + dice.randrange(-500, 500))}", one.head)
    return assemble("\n".join(map(str, all_batches)), version=int(trace[5:7]))
