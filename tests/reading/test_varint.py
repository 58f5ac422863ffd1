"""Bulk varints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gotrace import MalformedError, TruncatedError, varint
from gotrace.raw import uvarint

numbers = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1), st.integers(0, 63).map(lambda n: 1 << n))


@given(st.lists(numbers, max_size=200))
def test_round_trip(values: list[int]) -> None:
    encoded = varint.encode(np.array(values, np.uint64))
    assert encoded == b"".join(map(uvarint, values))
    assert varint.decode(encoded).tolist() == values


@given(st.lists(st.tuples(numbers, st.integers(0, 10)), max_size=100))
def test_padded_forms_are_read(values: list[tuple[int, int]]) -> None:
    encoded = b"".join(uvarint(value, width) for value, width in values)
    assert varint.decode(encoded).tolist() == [value for value, _ in values]


@pytest.mark.parametrize("tail", [b"\x80", b"\xff" * 9, b"\x80" * 3])
@pytest.mark.parametrize("before", [b"", b"\1\2\3" * 20])
def test_cut(before: bytes, tail: bytes) -> None:
    with pytest.raises(TruncatedError) as caught:
        varint.decode(before + tail)
    assert caught.value.offset == len(before)


@pytest.mark.parametrize("wrong", [b"\xff" * 9 + b"\2", b"\xff" * 10 + b"\0", b"\x80" * 10])
@pytest.mark.parametrize("after", [b"", b"\1" * 40])
def test_overflow(wrong: bytes, after: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        varint.decode(b"\5" * 30 + wrong + after)
    assert caught.value.offset == 30


def test_largest() -> None:
    assert varint.decode(b"\xff" * 9 + b"\1").tolist() == [2**64 - 1]
    assert varint.decode(b"").tolist() == []
