"""The registry of experiments.

An experiment defines timed events and batches of its own that belong to a generation. Packages add experiments with
:func:`register`, or with an entry point in the group ``gotrace.experiments`` that names an :class:`Experiment`. In:
experiments. Out: a :class:`Registry` of them with all event types. Never here: what one experiment means.
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
        Go's name for it.
    events : iterable of EventSpec
        Its timed events: types 128 to 255 that no other experiment uses, ``dt`` first, at most five arguments. The
        attribute of this name maps types to events.
    parse : callable or None
        Parses the batches of one generation, ``[(thread, bytes), ...]``, and returns any object. It raises
        ValueError for invalid bytes.
    needs : str
        Context that an event needs: one character each for thread, proc and goroutine, R required, N forbidden,
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
            raise ValueError(f"{name}: two events have the same type")

    def __repr__(self) -> str:
        return f"<gotrace.Experiment {self.id}: {self.name}>"


@dataclass
class ExperimentData:
    """The batches of one experiment in one generation.

    There is one object for each experiment and generation, so it can be the key of a cache.

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
        """Result of the experiment's ``parse``; None if it has none, as for experiments that are not registered."""
        return self.experiment.parse(self.batches) if self.experiment.parse else None


class Registry(Mapping[int, Experiment]):
    """Experiments by number, or by name as in ``registry["AllocFree"]``; an unknown number gives one without events."""

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
        """The timed events among these, in the form that the reader takes."""
        return TimedEvents(timed_args(self.events), self.event_names)


_registered: dict[int, Experiment] = {}
_entry_points_read = False


def register(experiment: Experiment) -> None:
    """Add an experiment, for traces that are opened afterwards.

    Raises
    ------
    ValueError
        If its number, or the type or name of one of its events, is already used or not allowed.
    """
    registered = _registered.get(experiment.id)
    if registered is experiment:
        return
    if registered is not None or not 1 <= experiment.id <= 255:
        problem = f"already taken by {registered.name}" if registered else "not between 1 and 255"
        raise ValueError(f"experiment number {experiment.id} is {problem}")
    taken = {event.id: e.name for e in _registered.values() for event in e.events.values()}
    names = {event.name for e in _registered.values() for event in e.events.values()} | {event.name for event in EVENTS}
    for event in experiment.events.values():
        if not _FIRST_EVENT <= event.id <= 255 or event.id in taken or event.name in names:
            owner = taken.get(event.id)
            problem = (
                f"the type is already taken by {owner}"
                if owner
                else f"only types {_FIRST_EVENT} to 255 and unused names are allowed"
            )
            raise ValueError(f"event {event.name} (type {event.id}): {problem}")
        if not event.timed or len(event.args) > _MAX_ARGS or event.experiment != experiment.id:
            raise ValueError(
                f"event {event.name}: it needs dt as its first argument, at most {_MAX_ARGS} arguments, and "
                f"experiment={experiment.id}"
            )
    if len(experiment.needs) != 3 or set(experiment.needs) - set("RN?"):
        raise ValueError(f"needs={experiment.needs!r}: it needs three characters out of R, N and ?")
    _registered[experiment.id] = experiment


def registry() -> Registry:
    """Return the registered experiments; the first call loads those of installed packages."""
    global _entry_points_read
    first, _entry_points_read = not _entry_points_read, True
    if first and _may_be_installed():
        from importlib import metadata  # importing it takes as long as importing gotrace

        for entry in metadata.entry_points(group=_GROUP):
            register(entry.load())
    return Registry(dict(_registered))


def _may_be_installed() -> bool:
    """True if a package has an entry point in our group, or if that cannot be excluded by listing folders."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - importing pathlib takes longer than this search
        except FileNotFoundError:
            continue
        except OSError:  # such as a zip file
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
