"""Plots with matplotlib: arrays come in, axes go out.

Never here: replay, or an import of matplotlib at module level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_COLOURS = (
    *("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#8a7fd1"),
)
_OTHER = "#aab2bd"
_MAX_NAME = 48  # characters of a name


def axes(ax: Any, width: float, height: float) -> Any:
    """Return ``ax``, or the axes of a new figure if it is None.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plots need matplotlib: python -m pip install 'gotrace[plot]'") from error
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def unit_of(largest: float) -> tuple[str, float]:
    """Return the name and the size in bytes of the unit that suits numbers of bytes up to ``largest``."""
    power = 0
    while largest >= 1024 ** (power + 1) and power < len(_UNITS) - 1:
        power += 1
    return _UNITS[power], float(1024**power)


def bars(ax: Any, names: Sequence[str], sizes: npt.NDArray[np.int64], *, top: int, title: str) -> Any:
    """Draw bytes as horizontal bars, the first at the top; those after the first ``top`` share one bar."""
    shown = [_short(name) for name in names[:top]]
    values = sizes[:top].astype(float)
    colours = [_COLOURS[0]] * len(shown)
    if len(names) > top:
        shown.append(f"{len(names) - top} others")
        values = np.append(values, float(sizes[top:].sum()))
        colours.append(_OTHER)
    unit, scale = unit_of(float(values.max(initial=0)))
    ax = axes(ax, 7, 0.6 + 0.28 * max(len(shown), 1))
    places = np.arange(len(shown))
    ax.barh(places, values / scale, color=colours)
    ax.set_yticks(places, shown)
    ax.invert_yaxis()
    ax.set_xlabel(f"{title}, {unit}")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def areas(
    ax: Any,
    seconds: npt.NDArray[np.float64],
    names: Sequence[str],
    series: npt.NDArray[np.int64],
    marks: npt.NDArray[np.float64],
) -> Any:
    """Draw bytes over time as stacked areas, the last row at the top, and shade the intervals ``marks``."""
    ax = axes(ax, 9, 4)
    unit, scale = unit_of(float(series.sum(axis=0).max(initial=0)))
    colours = [_OTHER if name == "(other)" else _COLOURS[i % len(_COLOURS)] for i, name in enumerate(reversed(names))]
    for start, end in marks.tolist():
        ax.axvspan(start, end, color="#0b6bcb", alpha=0.12, linewidth=0)
    ax.stackplot(seconds, series / scale, labels=[_short(name) for name in names], colors=colours[::-1])
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False)
    ax.set_xlabel("time, s")
    ax.set_ylabel(f"live objects, {unit}")
    ax.margins(x=0)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _short(name: str) -> str:
    # matplotlib renders text between dollar signs as mathematics
    name = name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
    return name.replace("$", r"\$")
