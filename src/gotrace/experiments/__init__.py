"""The registry of experiments: sets of timed events plus bags of bytes tied to one generation.

A package adds its own with :func:`register`, or by an entry point of group ``gotrace.experiments`` that names an
:class:`Experiment`. Never here: what one experiment means.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from gotrace.experiments import allocfree
from gotrace.spec.events import ALLOC_FREE_EVENTS, EVENTS, EventSpec
from gotrace.spec.lookup import TimedEvents, timed_args

Batches = list[tuple[int, bytes]]

_GROUP = "gotrace.experiments"
_FIRST_EVENT = 128
_MAX_ARGS = 5


class Experiment:
    """One experiment.

    Parameters
    ----------
    id : int
        Its number in experimental batches, 1 to 255.
    name : str
        Go's name of it.
    events : iterable of EventSpec
        Its timed events: types 128 to 255 that no other experiment uses, ``dt`` first, at most five arguments. The
        attribute is a mapping of them by type.
    parse : callable or None
        Turns the batches of one generation, ``[(thread, bytes), ...]``, into whatever the experiment offers. It
        raises ValueError for bytes that make no sense.
    needs : str
        What an event needs of its context, for thread, proc and goroutine in this order: R required, N forbidden,
        ? either.
    """

    def __init__(
        self,
        id: int,
        name: str,
        events: Iterable[EventSpec] = (),
        parse: Callable[[Batches], Any] | None = None,
        needs: str = "R??",
    ) -> None:
        specs = tuple(events)
        self.id = id
        self.name = name
        self.events: Mapping[int, EventSpec] = MappingProxyType({spec.id: spec for spec in specs})
        self.parse = parse
        self.needs = needs
        if len(self.events) < len(specs):
            raise ValueError(f"{name}: two events of one type")

    def __repr__(self) -> str:
        return f"<gotrace.Experiment {self.id}: {self.name}>"


@dataclass
class ExperimentData:
    """The batches of one experiment in one generation.

    There is one object for each experiment and generation, so it can be a key of a cache.

    Attributes
    ----------
    batches : list of (int, bytes)
        Thread and data of each batch, in file order.
    """

    experiment: Experiment = field(repr=False)
    generation: int
    batches: Batches = field(repr=False)

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @cached_property
    def parsed(self) -> Any:
        """What the experiment makes of its batches; None for one that nobody registered."""
        return self.experiment.parse(self.batches) if self.experiment.parse else None


class Registry(Mapping[int, Experiment]):
    """Experiments by number; ``registry["AllocFree"]`` finds one by name. Unknown numbers give a bare one."""

    def __init__(self, experiments: dict[int, Experiment]) -> None:
        self._experiments = experiments

    def __getitem__(self, key: int | str) -> Experiment:
        if isinstance(key, str):
            for experiment in self._experiments.values():
                if experiment.name == key:
                    return experiment
            raise KeyError(key)
        if not 1 <= key <= 255:
            raise KeyError(key)
        return self._experiments.get(key) or Experiment(key, f"experiment {key}")

    def __iter__(self) -> Iterator[int]:
        return iter(self._experiments)

    def __len__(self) -> int:
        return len(self._experiments)

    @cached_property
    def events(self) -> tuple[EventSpec, ...]:
        """All events: Go's own and those of each experiment."""
        return EVENTS + tuple(event for e in self._experiments.values() for event in e.events.values())

    @cached_property
    def event_names(self) -> dict[int, str]:
        """Names of all events by type."""
        return {event.id: event.name for event in self.events}

    @cached_property
    def timed(self) -> TimedEvents:
        """The same events, as reading of a trace needs them."""
        return TimedEvents(timed_args(self.events), self.event_names)


_registered: dict[int, Experiment] = {}
_entry_points_read = False


def register(experiment: Experiment) -> None:
    """Add an experiment; traces opened from now on know it.

    Raises
    ------
    ValueError
        When its number, or a type of its events, is taken or impossible.
    """
    known = _registered.get(experiment.id)
    if known is experiment:
        return
    if known is not None or not 1 <= experiment.id <= 255:
        raise ValueError(f"experiment number {experiment.id} is {'taken' if known else 'not between 1 and 255'}")
    taken = {event.id: e.name for e in _registered.values() for event in e.events.values()}
    names = {event.name for e in _registered.values() for event in e.events.values()} | {event.name for event in EVENTS}
    for event in experiment.events.values():
        if not _FIRST_EVENT <= event.id <= 255 or event.id in taken or event.name in names:
            owner = taken.get(event.id)
            raise ValueError(f"event {event.name} (type {event.id}): {'taken by ' + owner if owner else 'not allowed'}")
        if not event.timed or len(event.args) > _MAX_ARGS or event.experiment != experiment.id:
            raise ValueError(f"event {event.name}: needs dt first, at most {_MAX_ARGS} arguments, its experiment's id")
    if len(experiment.needs) != 3 or set(experiment.needs) - set("RN?"):
        raise ValueError(f"needs={experiment.needs!r}: three of R, N and ?")
    _registered[experiment.id] = experiment


def registry() -> Registry:
    """Return the experiments known by now; the first call loads those of installed packages."""
    global _entry_points_read
    first, _entry_points_read = not _entry_points_read, True
    if first and _may_be_installed():
        from importlib import metadata  # takes as long as all of gotrace

        for entry in metadata.entry_points(group=_GROUP):
            register(entry.load())
    return Registry(dict(_registered))


def _may_be_installed() -> bool:
    """Whether a package's files name our group of entry points, or there may be packages without such files."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib takes longer to import than all this
        except FileNotFoundError:
            continue
        except OSError:  # a zip file, say
            return True
        for name in names:
            if name.endswith(".egg"):
                return True
            if name.endswith((".dist-info", ".egg-info")) and _names_group(os.path.join(folder, name)):  # noqa: PTH118
                return True
    return False


def _names_group(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123
            return _GROUP.encode() in file.read()
    except OSError:
        return False


register(Experiment(1, "AllocFree", ALLOC_FREE_EVENTS, allocfree.parse))
