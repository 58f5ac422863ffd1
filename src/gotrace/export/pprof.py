"""The format ``.pb.gz`` of ``go tool pprof``: the messages of ``profile.proto`` that a profile needs.

Never here: other formats.
"""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import BinaryIO, Generic, TypeVar

from gotrace.export.profile import Place, Profile

# Field numbers of profile.proto.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRING, _COMMENT, _DEFAULT = 1, 2, 4, 5, 6, 13, 14
_TYPE, _UNIT = 1, 2  # of a ValueType
_LOCATION_IDS, _VALUES, _LABEL = 1, 2, 3  # of a Sample
_KEY, _TEXT = 1, 2  # of a Label
_ID, _LINE = 1, 4  # of a Location; a Function has _ID, too
_FUNCTION_ID, _LINE_NUMBER = 1, 2  # of a Line
_NAME, _SYSTEM_NAME, _FILE = 2, 3, 4  # of a Function


_T = TypeVar("_T", bound=Hashable)


class _Ids(Generic[_T]):
    """Assigns consecutive ids to distinct values, in order of first use."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.ids: dict[_T, int] = {}

    def __call__(self, value: _T) -> int:
        return self.ids.setdefault(value, len(self.ids) + self._first)


def write_pprof(profile: Profile, out: BinaryIO) -> None:
    """Write a profile, compressed; size classes become values of the label ``class``."""
    strings = _Ids[str](0)
    functions = _Ids[tuple[str, str]](1)
    places = _Ids[Place](1)
    strings("")
    data = bytearray()
    for name, unit in profile.measures:
        data += _bytes(_SAMPLE_TYPE, _number(_TYPE, strings(name)) + _number(_UNIT, strings(unit)))
    for stack, size, values in zip(profile.stacks, profile.classes, profile.values.tolist(), strict=True):
        label = _number(_KEY, strings("class")) + _number(_TEXT, strings(size))
        sample = _packed(_LOCATION_IDS, map(places, stack)) + _packed(_VALUES, values) + _bytes(_LABEL, label)
        data += _bytes(_SAMPLE, sample)
    for place, number in places.ids.items():
        line = _number(_FUNCTION_ID, functions((place.function, place.file))) + _number(_LINE_NUMBER, place.line)
        data += _bytes(_LOCATION, _number(_ID, number) + _bytes(_LINE, line))
    for (function, file), number in functions.ids.items():
        names = _number(_NAME, strings(function)) + _number(_SYSTEM_NAME, strings(function))
        data += _bytes(_FUNCTION, _number(_ID, number) + names + _number(_FILE, strings(file)))
    for comment in (profile.title, *profile.comments):
        data += _number(_COMMENT, strings(comment))
    data += _number(_DEFAULT, strings(profile.measures[-1][0]))
    for text in strings.ids:
        data += _bytes(_STRING, text.encode())
    out.write(gzip.compress(bytes(data), mtime=0))


@lru_cache(1 << 14)
def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _bytes(field, b"".join(map(_varint, values)))
