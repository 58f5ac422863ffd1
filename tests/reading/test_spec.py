"""Invariants of the event table."""

import numpy as np
import pytest

from gotrace.dtypes import Op, What
from gotrace.order.specs import specs
from gotrace.spec import lookup, sizeclasses
from gotrace.spec.enums import EventKind
from gotrace.spec.events import ALLOC_FREE_EVENTS, EVENTS, EventSpec
from gotrace.spec.printable import PRINTABLE
from gotrace.spec.rules import Rule
from gotrace.spec.versions import VERSIONS
from gotrace.text.pieces import line_pieces

ALL = EVENTS + ALLOC_FREE_EVENTS
SUFFIXES = ("seq", "pstatus", "gstatus", "g", "m", "p", "string", "stack", "value", "task")


def test_numbers_and_names_are_unique() -> None:
    assert [spec.id for spec in EVENTS] == list(range(1, 53))
    assert [spec.id for spec in ALLOC_FREE_EVENTS] == list(range(128, 137))
    assert len({spec.name for spec in ALL}) == len(ALL)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_row(spec: EventSpec) -> None:
    assert not (spec.timed and (spec.data or spec.frames)), "timed xor data"
    assert spec.timed == (9 <= spec.id <= 48 or spec.id >= 128)
    assert "dt" not in spec.args[1:]
    assert len(spec.args) <= 5
    assert spec.since in VERSIONS
    assert len(set(spec.args)) == len(spec.args)
    assert (spec.experiment != 0) == (spec.id > 127) == (spec.kind == EventKind.EXPERIMENTAL)
    if spec.start:
        begin = EVENTS[spec.start - 1]
        assert begin.name.endswith("Begin")
        assert begin.since <= spec.since


def test_what_an_event_needs_of_the_ordering() -> None:
    table = specs(ALL, {1: "R??"})
    words = {"goroutine", "proc", "thread", "range", "region", "task", "name"}
    for spec in ALL:
        assert set(spec.creates.split()) <= words
        row = table[spec.id]
        assert row["rule"] == (Rule.EXPERIMENT if spec.experiment else spec.rule)
        assert bool(row["rule"]) == spec.timed
        assert row["bulk"] == (1 if spec.id > 127 else 2 if spec.name in ("HeapAlloc", "HeapGoal") else 0)
        assert row["needs"].tolist() == ([1, 0, 0] if spec.id > 127 else [0, 0, 0])
    row = table[14]
    assert [row[name] for name in ("stack", "stack2", "string", "string2", "creates")] == [2, 1, -1, -1, 1]
    row = table[44]
    assert [row[name] for name in ("stack", "stack2", "string", "string2", "creates")] == [3, -1, 1, 2, 0]


def test_the_main_stack_is_called_stack_and_comes_last() -> None:
    for spec in EVENTS:
        stacks = [name for name in spec.args if name.split("_")[-1] == "stack"]
        if stacks and spec.timed:
            assert stacks[-1] == "stack"
            assert spec.args[-1] == "stack"


def test_experimental_types_follow_from_what_and_op() -> None:
    names = ("Span", "HeapObject", "GoroutineStack")
    for spec in ALLOC_FREE_EVENTS:
        what, op = divmod(spec.id - 128, 3)
        assert spec.name == names[What(what)] + ("", "Alloc", "Free")[Op(op)]


def test_lookup_arrays() -> None:
    counts = lookup.timed_args(ALL)
    for spec in ALL:
        assert counts[spec.id] == (len(spec.args) if spec.timed else 0)
    assert not counts[0]
    assert not counts[137:].any()
    pieces, bounds = line_pieces(ALL)
    for spec in ALL:
        parts = [bytes(pieces[a:b]).decode() for a, b in zip(bounds[spec.id], bounds[spec.id][1:], strict=False)]
        assert "0".join(parts[: len(spec.args)]) + ("0" if spec.args else "") + "".join(parts[len(spec.args) :]) == (
            " ".join([spec.name, *(f"{name}=0" for name in spec.args)])
        )
    assert lookup.experiments(ALL)[128:137].tolist() == [1] * 9


def test_size_classes() -> None:
    sizes = np.array(sizeclasses.CLASS_BYTES)
    assert len(sizes) == 68
    assert sizes[0] == 0
    assert (np.diff(sizes[1:]) > 0).all()
    assert sizes[-1] == 32768
    assert not (sizes % 8).any()
    for elem in sizes[1:].tolist():  # the kernel's reciprocal is exact for every offset of a small span
        reciprocal = -(-(1 << 32) // elem)
        offsets = np.arange(0, 10 * 8192, dtype=np.uint64)
        assert (((offsets * np.uint64(reciprocal)) >> np.uint64(32)) == offsets // np.uint64(elem)).all()


def test_printable_ranges_are_sorted() -> None:
    flat = [value for pair in PRINTABLE for value in pair]
    assert flat[0] == 0xA1
    assert flat == sorted(flat)
