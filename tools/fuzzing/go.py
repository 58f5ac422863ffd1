"""Target ``go``: gotrace and Go's own reader accept and reject the same inputs, with the same text of all events.

Never here: inputs, or how Go's reader is built.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from support import reference

import gotrace
from fuzzing.checks import Problem, problem_of
from gotrace.spec.enums import EventType

# What docs/differences.md documents. By the message of gotrace's error, the text of Go's reader is the same or not.
SAME_TEXT = re.compile(
    "a number is cut off by the end of its batch|the input ends after the first byte of an experimental batch"
    "|the input ends inside generation"
)
OTHER_TEXT = re.compile(
    "an end-of-generation mark inside a batch|a clock frequency of 0|unknown stack id .* in a CPU sample"
    "|proc id .* does not fit into 32 bits|event type 51 has no timestamp"
)
WIDE_PROC = re.compile(rb" P=(2147483647|-2147483648) G=-?\d+ StackSample ")
REWRITTEN = "is read as such"
CRASH = re.compile(r"runtime error: index out of range \[(\d+)\] with length (\d)$")
EXPERIMENTS, PROC_STATES = "2", "5"  # entries of Go's tables


class Go:
    """Inputs in lots, since Go's reader is a process of its own."""

    lot = 250
    largest = 40_000
    changed = 0

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"{i}.trace" for i in range(self.lot)]
        self.runs = 0
        self.documented = Counter[str]()

    def check(self, inputs: Sequence[bytes], number: int, only: str | None = None) -> list[Problem | None]:
        """Test inputs."""
        paths = self._paths[: len(inputs)]
        for path, data in zip(paths, inputs, strict=True):
            path.write_bytes(data)
        verdicts = reference.verdicts(paths)
        self.runs += 2 * len(inputs)
        return [
            problem_of("parsed text", partial(self._differs, data, verdict))
            for data, verdict in zip(inputs, verdicts, strict=True)
        ]

    def _differs(self, data: bytes, go: reference.Verdict) -> str | None:
        found = bytearray()
        notes: list[str] = []
        error = None
        try:
            with gotrace.open(data) as trace:
                try:
                    for piece in trace.text():
                        found += piece
                finally:
                    notes = trace.warnings
        except gotrace.TraceError as fault:
            error = fault
        text = bytes(found)
        same = (len(text), sha256(text).hexdigest()) == (go.size, go.digest)
        if same and go.word == ("refused" if error else "ok"):
            return None
        known = _crash(data, text, go) if go.word == "crashed" else ""
        known = known or _documented(error, notes, go, same)
        if not error and go.word == "ok" and WIDE_PROC.search(text):
            known = "a CPU sample of a proc id that does not fit into 32 bits"
        if known:
            self.documented[known] += 1
            return None
        ours = _generic(error.detail) if error else "ok"
        theirs = _generic(go.reason or go.word)
        return f"gotrace: {ours}; Go: {theirs}; text {'is the same' if same else 'differs'}\n{error}\n{go}\n{notes}"


def _generic(text: str) -> str:
    return re.sub(r"\d+", "N", text)


def _crash(data: bytes, text: bytes, go: reference.Verdict) -> str:
    """Name the crash of Go's reader, if it is documented and the text before it is the same."""
    crash = CRASH.match(go.reason)
    if crash and sha256(text[: go.size]).hexdigest() == go.digest:
        index, length = int(crash[1]), crash[2]
        if length == EXPERIMENTS and index <= 255 and bytes([EventType.EXPERIMENTAL_BATCH, index]) in data:
            return "crash: an experiment other than 1"
        if length == PROC_STATES and index > 255:
            return "crash: a proc status above 255"
    return ""


def _documented(error: gotrace.TraceError | None, notes: list[str], go: reference.Verdict, same: bool) -> str:
    """Name the other documented difference, if it is one."""
    if isinstance(error, gotrace.HeaderError):
        return "header"
    detail = error.detail if error else ""
    if OTHER_TEXT.match(detail) or (same and go.word == "ok" and SAME_TEXT.match(detail)):
        return _generic(detail)
    if go.word == "refused" and any(REWRITTEN in note for note in notes):
        return "an event batch read as a table"
    return ""
