"""Limits of growth: a comparison and limits come in, a verdict goes out. Never here: statistics, or output."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gotrace.analysis.diff import Change, Diff
from gotrace.units import human_bytes, human_change, human_mean, parse_size


@dataclass(frozen=True)
class Limit:
    """How much a total, or the rows of one name, may grow.

    Attributes
    ----------
    text : str
        As written.
    name : str
        Name of the rows; empty for the total.
    share : float or None
        Growth allowed, as a share of the old value.
    amount : float or None
        Growth allowed, in bytes or objects.
    """

    text: str
    name: str
    share: float | None
    amount: float | None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Parse ``5`` or ``5%`` (percent), ``512KiB`` (a size), or one of them for a type: ``main.T=5%``.

        Raises
        ------
        ValueError
            The text is not a limit.
        """
        name, _, value = text.rpartition("=")
        if re.fullmatch(r"\d+(\.\d+)?%?", value):
            return cls(text, name, float(value.rstrip("%")) / 100, None)
        if re.fullmatch(r"\d+(\.\d+)?\s*[KMG]?i?B", value, re.IGNORECASE):
            return cls(text, name, None, float(parse_size(value)))
        raise ValueError(f"{text!r} is not a limit: write 5%, 512KiB, or TYPE=5%")

    @property
    def allowed(self) -> str:
        """The growth allowed: a percentage, or an amount as written."""
        value = self.text.rpartition("=")[2]
        return value if self.share is None else f"{value.rstrip('%')}%"

    def growth(self, diff: Diff) -> Change:
        """Return the change that the limit applies to."""
        if not self.name:
            return diff.totals[diff.sort]
        rows = diff.table[diff.table["name"] == self.name]
        parts = {part: rows[f"{diff.sort}_{part}"] for part in ("old", "new", "diff", "low", "high")}
        change = {part: float(values.sum()) for part, values in parts.items()}
        if len(rows) > 1:  # types that share a name are taken as independent
            noise = float(np.sqrt(((parts["high"] - parts["diff"]) ** 2).sum()))
            change["low"], change["high"] = change["diff"] - noise, change["diff"] + noise
        return Change(**change)

    def exceeded(self, diff: Diff) -> bool:
        """Return True if the growth is over the limit beyond noise."""
        change = self.growth(diff)
        allowed = self.amount if self.amount is not None else (self.share or 0) * change.old
        return change.growth > allowed


@dataclass(frozen=True)
class Verdict:
    """What a comparison found.

    Attributes
    ----------
    text : str
        One sentence for each limit, or on the total if there is no limit.
    limits : list of dict
        For each limit: ``limit`` (as written), ``name``, ``old``, ``new``, ``exceeded``.
    """

    text: str
    limits: list[dict[str, object]]

    @property
    def exceeded(self) -> bool:
        """True if a limit is exceeded."""
        return any(limit["exceeded"] for limit in self.limits)


def judge(diff: Diff, limits: list[Limit]) -> Verdict:
    """Return what grew, by how much, and over which limit."""
    sentences = []
    found: list[dict[str, object]] = []
    for limit in limits:
        change, over = limit.growth(diff), limit.exceeded(diff)
        known = not limit.name or bool((diff.table["name"] == limit.name).any())
        relation = "over" if over else "within"
        end = f"{relation} the limit of {limit.allowed}" if known else "in no trace"
        sentences.append(f"{describe(limit.name or diff.sort, change, diff)}: {end}")
        found.append({"limit": limit.text, "name": limit.name, "old": change.old, "new": change.new, "exceeded": over})
    if not limits:
        sentences = [describe(diff.sort, diff.totals[diff.sort], diff) + _largest(diff)]
    return Verdict("; ".join(sentences), found)


def describe(name: str, change: Change, diff: Diff) -> str:
    """Describe a change in words: ``"alloc_bytes grew by 12.0% (1.2 MiB to 1.4 MiB)"``."""
    values = f"{amount(diff.sort, change.old)} to {amount(diff.sort, change.new)}"
    if diff.per:
        values += f" per {diff.per}"
    if not change.significant:
        return f"{name} has not changed significantly ({values})" if change.diff else f"{name} is unchanged ({values})"
    verb = "grew" if change.diff > 0 else "shrank"
    by = human_change(change.new, change.old).lstrip("+-") or amount(diff.sort, change.diff)
    return f"{name} {verb} by {by} ({values})"


def amount(metric: str, value: float) -> str:
    """Format a value of a metric: bytes with a unit, objects as numbers; small means have decimals."""
    if metric.endswith("bytes"):
        return human_bytes(value) if abs(value) >= 99.95 else f"{human_mean(value)} B"
    return human_mean(value)


def _largest(diff: Diff) -> str:
    """Name the row that changed most in the direction of the total."""
    total = diff.totals[diff.sort]
    rows = diff.table[diff.significant()]
    rows = rows[np.sign(rows[f"{diff.sort}_diff"]) == np.sign(total.diff)]
    if not (total.significant and len(rows)):
        return ""
    change = float(rows[0][f"{diff.sort}_diff"])
    return f", most of all {rows[0]['name']} by {amount(diff.sort, abs(change))}"
