"""What is lost of a trace that is opened to salvage, in words. Never here: how reading goes on."""

from __future__ import annotations

from gotrace.errors import TraceError

_MOST = 1000  # lines: a hostile trace can be damaged everywhere


class Losses:
    """One line for each loss; several passes over a trace tell the same one once."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, error: TraceError, how_much: str) -> None:
        """Note how much is lost, and why and where."""
        place = f"generation {error.generation}: " if error.generation is not None else ""
        where = f" (byte {error.offset})" if error.offset >= 0 else ""
        self.note(f"{place}{how_much}: {error.detail}{where}")

    def note(self, line: str) -> None:
        """Note a loss that is in words already."""
        if len(self._lines) < _MOST:
            self._lines.setdefault(line)
        elif line not in self._lines:
            self._lines.setdefault("and more")

    def lines(self) -> list[str]:
        """All of them; of very many, the first ones."""
        return list(self._lines)
