"""Parse sizes and durations; format them for humans, and words for a shell. Never here: numpy, or traces."""

from __future__ import annotations

import math
import re
import shlex

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30, "b": 1}


def parse_size(size: str | int, name: str = "step_size") -> int:
    """Parse a number of bytes, such as ``"32 MB"`` (decimal) or ``"32 MiB"`` (binary); ``name`` is for errors.

    Raises
    ------
    ValueError
        The text is not a size, or the size is below 1.
    """
    if not isinstance(size, str | int):
        raise TypeError(f"step_size={size!r}: must be a number of bytes or a text such as '32 MB'")
    if isinstance(size, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", size)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(f"{name}={size!r} is not a size: write a number and a unit, such as '32 MB'")
        size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 1:
        raise ValueError(f"{name}={size} is too small: it must be at least 1")
    return size


def nanoseconds(text: str) -> int:
    """Parse a duration such as ``1.5s`` into ns; only ``0`` needs no unit.

    Raises
    ------
    ValueError
        The text is not a duration.
    """
    if text == "0":
        return 0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 1.5s or 100ms")
    from fractions import Fraction  # slow to import

    unit = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}[match[2]]
    return round(Fraction(match[1]) * unit)


_PREFIXES = ("KiB", "MiB", "GiB", "TiB", "PiB")
_LONG = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))  # seconds


def human_bytes(n: float) -> str:
    """Format a number of bytes for humans: ``"3.1 MiB"``."""
    size = round(n)
    if abs(size) < 1024:
        return f"{size:,} B"
    # Go to the next unit where a size would be rounded up to 1024.0.
    power = next((i for i in range(1, len(_PREFIXES)) if abs(size) < 1023.95 * 1024**i), len(_PREFIXES))
    return f"{size / 1024**power:,.1f} {_PREFIXES[power - 1]}"


def human_mean(value: float) -> str:
    """Format a number that may be a mean: ``"1,234.5"``, below 1 with two digits: ``"0.042"``."""
    digits = 1 if abs(value) >= 0.95 or not value else min(1 - math.floor(math.log10(abs(value))), 9)
    text = f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def human_time(ns: int) -> str:
    """Format a duration in ns for humans: ``"1.25 s"``, ``"2 h 5 min"``."""
    if abs(ns) >= 59.95e9:
        return _long_time(ns)
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if abs(ns) >= 0.9995 * size:  # what is rounded up to 1
            return f"{ns / size:.3g} {unit}"
    return f"{ns:,} ns"


def _long_time(ns: int) -> str:
    """Format a duration of a minute or more: two units, whole numbers."""
    seconds = round(abs(ns) / 1e9)
    seconds = _two_units(seconds)[0]  # what is rounded up to a larger unit is written in that unit
    _, unit, size, smaller, part = _two_units(seconds)
    whole, rest = divmod(seconds, size)
    return "-" * (ns < 0) + f"{whole:,} {unit}" + (f" {rest // part} {smaller}" if rest else "")


def _two_units(seconds: int) -> tuple[int, str, int, str, int]:
    """Return a duration rounded to the smaller of the two units that fit it, and these units with their seconds."""
    at = next(i for i, (_, size) in enumerate(_LONG) if seconds >= size)
    (unit, size), (smaller, part) = _LONG[at : at + 2]
    return round(seconds / part) * part, unit, size, smaller, part


def human_count(n: int, noun: str, plural: str = "") -> str:
    """Format a number of things for humans: ``"1 event"``, ``"2,000 events"``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def human_share(part: float, whole: float, digits: int = 1) -> str:
    """Format a share in percent: ``"12.5%"``; ``"0.0%"`` and ``"100.0%"`` are exact."""
    percent = 100 * part / whole if whole else 0.0
    least = 10**-digits
    if 0 < percent < least / 2:
        return f"<{least:.{digits}f}%"
    if 100 - least / 2 <= percent < 100:
        return f">{100 - least:.{digits}f}%"
    return f"{percent:,.{digits}f}%"


def human_change(new: float, old: float) -> str:
    """Format a relative change with its sign: ``"+12.5%"``; ``"+0.0%"`` is exact; empty if ``old`` is 0."""
    if not old:
        return ""
    percent = 100 * (new - old) / old
    return f"{'-' if percent < 0 else '+'}{'<0.1' if 0 < abs(percent) < 0.05 else f'{abs(percent):,.1f}'}%"


def printable(text: str) -> str:
    """Return text that a terminal shows on one line: control, bidirectional and surrogate characters as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def shell_word(text: str) -> str:
    """Quote text as one word of a command line; what is not printable becomes escapes that bash, zsh and ksh read."""
    if text.isprintable():
        return shlex.quote(text)
    escapes = {"'": "\\'", "\\": "\\\\"}
    words = [escapes.get(char, char) if char.isprintable() else _bytes_of(char) for char in text]
    return f"$'{''.join(words)}'"


def shell_path(path: str) -> str:
    """Quote a path as one word of a command line that is not taken for a flag."""
    return shell_word(f"./{path}" if path.startswith("-") else path)


def shell_flag(flag: str, value: str) -> str:
    """Return a flag with its value for a command line; the value may start like a flag."""
    return f"{flag}{'=' if value.startswith('-') else ' '}{shell_word(value)}"


def _bytes_of(char: str) -> str:
    errors = "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass"  # of bytes that are not UTF-8
    return "".join(f"\\x{byte:02x}" for byte in char.encode(errors=errors))


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
