"""Messages about what is lost when a damaged trace is salvaged. Never here: the recovery itself."""

from __future__ import annotations

from gotrace.errors import TraceError

_MAX_LINES = 1000  # a hostile trace can be damaged everywhere


class Losses:
    """One line per loss; a loss that several passes over a trace find is listed once.

    Attributes
    ----------
    n_found : int
        Number of losses found, in all passes.
    """

    def __init__(self) -> None:
        self.n_found = 0
        self._lines: dict[str, None] = {}

    def add(self, error: TraceError, how_much: str) -> None:
        """Add a loss: how much is lost, why and where."""
        place = f"generation {error.generation}: " if error.generation is not None else ""
        where = f" (byte {error.offset})" if error.offset >= 0 else ""
        self.note(f"{place}{how_much}: {error.detail}{where}")

    def note(self, line: str) -> None:
        """Add a loss that is already a message."""
        self.n_found += 1
        if len(self._lines) < _MAX_LINES:
            self._lines.setdefault(line)
        elif line not in self._lines:
            self._lines.setdefault("more losses are not listed")

    def lines(self) -> list[str]:
        """Return the messages, at most the first thousand and a note that there are more."""
        return list(self._lines)
