"""Parse sizes and durations, and format them for humans. Never here: numpy, or anything about traces."""

from __future__ import annotations

import re

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30, "b": 1}


def parse_size(size: str | int) -> int:
    """Parse a number of bytes, such as ``"32 MB"`` (decimal) or ``"32 MiB"`` (binary).

    Raises
    ------
    ValueError
        The text is not a size, or the size is below 1.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", size)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(f"step_size={size!r} is not a size: write a number and a unit, such as '32 MB'")
        size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 1:
        raise ValueError(f"step_size={size} is too small: it must be at least 1")
    return size


def nanoseconds(text: str) -> int:
    """Parse a duration such as ``1.5s`` into ns; the unit is required.

    Raises
    ------
    ValueError
        The text is not a duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 1.5s or 100ms")
    from fractions import Fraction  # slow to import

    unit = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}[match[2]]
    return round(Fraction(match[1]) * unit)


_PREFIXES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def human_bytes(n: int) -> str:
    """Format a number of bytes for humans: ``"3.1 MiB"``."""
    size = float(n)
    for prefix in _PREFIXES:
        if abs(size) < 1024 or prefix == _PREFIXES[-1]:
            break
        size /= 1024
    return f"{n} B" if prefix == "B" else f"{size:.1f} {prefix}"


def human_time(ns: int) -> str:
    """Format a duration in ns for humans: ``"1.25 s"``."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}" if abs(ns) < 1000 * size else f"{ns / size:,.0f} {unit}"
    return f"{ns} ns"


def printable(text: str) -> str:
    """Return text that a terminal shows on one line: control, bidirectional and surrogate characters as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
