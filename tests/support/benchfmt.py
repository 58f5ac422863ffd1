"""Go's benchmark format, read more strictly than benchstat does (golang.org/design/14313-benchmark-format).

Never here: imports of gotrace.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e[+-][0-9]{2,3})?")  # what Go's strconv.ParseFloat takes and fmt prints


class Result(NamedTuple):
    """One benchmark line."""

    name: str
    iterations: int
    values: dict[str, float]
    texts: dict[str, str]
    """Values by unit, as written."""


def parse(text: str) -> list[Result]:
    """Return the results of a text that has nothing but benchmark lines.

    Raises
    ------
    ValueError
        A line has another form: a name that starts with ``Benchmark`` and no lower-case letter, the number of
        iterations, then pairs of a value and a unit; all separated by spaces or tabs, each unit once.
    """
    if text and not text.endswith("\n"):
        raise ValueError("the last line is not complete")
    return [_line(line) for line in text.splitlines()]


def _line(line: str) -> Result:
    name, *fields = re.split(r"[ \t]+", line)
    if not re.fullmatch(r"Benchmark(?![a-z])\S*", name):
        raise ValueError(f"no name of a benchmark: {line!r}")
    if len(fields) < 3 or len(fields) % 2 == 0:
        raise ValueError(f"values and units are not in pairs: {line!r}")
    if not re.fullmatch(r"[1-9][0-9]*", fields[0]) or int(fields[0]) >= 2**63:
        raise ValueError(f"no number of iterations: {line!r}")
    texts: dict[str, str] = {}
    for value, unit in zip(fields[1::2], fields[2::2], strict=True):
        if not _NUMBER.fullmatch(value) or not unit or unit in texts:
            raise ValueError(f"wrong value {value!r} or unit {unit!r}: {line!r}")
        texts[unit] = value
    return Result(name, int(fields[0]), {unit: float(value) for unit, value in texts.items()}, texts)
