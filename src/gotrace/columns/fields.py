"""The columns of each row type: fields come in; names, Arrow types, nulls, units and dictionaries go out.

docs/schema.md and every container and file format follow from this module. Never here: values.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import NamedTuple

import numpy as np

from gotrace.dtypes import (
    CYCLE,
    EVENT,
    EXPERIMENTAL,
    GENERATION,
    GOTIME,
    REGIONTIME,
    STACK,
    STRING,
    TASKTIME,
    TYPE,
    End,
    Op,
    RegionEnd,
    State,
    StopKind,
    TimeKind,
    What,
)
from gotrace.spec.enums import EventKind, GoState, ProcState, Resource

SCHEMA_VERSION = 1
"""Version of the names, types and meanings of columns."""

FORMATS = {"i8": "l", "i4": "i", "u8": "L", "u4": "I", "u1": "C", "M8[ns]": "tsn:UTC"}
"""Format strings of Arrow by type of the values in memory."""

TEXT = "u"
"""Format string of utf8."""

STATES: tuple[str, ...]
"""States of goroutines, then those of procs that have another name: values of ``old`` and ``new``."""


class Dictionary(IntEnum):
    """What the values of a dictionary are."""

    NONE = 0  # the column is no dictionary
    ENUM = 1  # names of an enum
    STATES = 2  # STATES
    EVENTS = 3  # names of event types
    TYPES = 4  # names of rows of types
    STRINGS = 5  # texts of rows of strings
    TRACE = 6  # the name of the input


class Field(NamedTuple):
    """A column.

    Attributes
    ----------
    name : str
    source : str
        Field of the row type; empty if the column is computed.
    part : int
        Element of a field that is an array; else 0.
    type : str
        Type of the values in memory, of an index in a dictionary, or ``"O"`` for text that rows hold as objects.
    null : int or None
        Value in memory that is null; None if there is none.
    unit : str
        ``"ns"``, ``"bytes"``, ``"rows of TABLE"``, or empty.
    dictionary : Dictionary
    names : tuple of str
        Values of the dictionary of an enum.
    text : bool
        True if the column is utf8: its dictionary, if any, is not visible.
    doc : str
        Contents of a column that is no field of the row type.
    """

    name: str
    source: str
    type: str
    part: int = 0
    null: int | None = None
    unit: str = ""
    dictionary: Dictionary = Dictionary.NONE
    names: tuple[str, ...] = ()
    text: bool = False
    doc: str = ""

    @property
    def grows(self) -> bool:
        """True if values are added to the dictionary while the trace is read."""
        return self.dictionary >= Dictionary.TYPES

    @property
    def format(self) -> str:
        """Format string of Arrow; of the index, if the column is a dictionary."""
        return TEXT if self.text else FORMATS[self.type]


def _words(name: str) -> str:
    """Return the name that Go gives to a constant."""
    return "".join(word.capitalize() for word in name.split("_"))


def _names(enum: type[IntEnum]) -> tuple[str, ...]:
    """Return the names of an enum by value: Go's names of Go's enums, else the members in lower case."""
    of_go = enum in (EventKind, GoState, ProcState, Resource)
    return tuple(_words(member.name) if of_go else member.name.lower() for member in enum)


_ENUMS: dict[str, type[IntEnum]] = {
    "what": What,
    "op": Op,
    "end": End,
    "state": GoState,
    "next_state": GoState,
    "kind": EventKind,
    "resource": Resource,
    "end_kind": RegionEnd,
    "stop_kind": StopKind,
}
_ENUMS_OF: dict[np.dtype[np.void], dict[str, type[IntEnum]]] = {
    GENERATION: {"state": State},
    GOTIME: {"kind": TimeKind},
}  # where a field of the same name has another one
STATES = tuple(dict.fromkeys(_names(GoState) + _names(ProcState)))
PROC_STATES = np.array([STATES.index(name) for name in _names(ProcState)], np.uint8)
"""Place in STATES of each state of a proc."""

_MINUS_ONE = frozenset(
    (
        *(
            "g",
            "m",
            "p",
            "id",
            "task",
            "parent",
            "born",
            "died",
            "born_cycle",
            "died_cycle",
            "age",
            "swept",
            "reclaimed",
        ),
        *("started", "ended", "p_lost", "stopped", "restarted", "live_start", "live_end", "goal"),
        *("by_g", "creator_g", "end_g", "culprit_g", "culprit_m", "culprit_p", "sweep_pause", "mark_pause"),
    )
)  # signed fields that are -1 for none or unknown
_STRING_ROWS = frozenset(("name", "reason", "category", "label", "function", "file"))
_STACK_ROWS = frozenset(("stack", "resource_stack", "by_stack", "end_stack", "culprit_stack"))
_UNITS = {
    **dict.fromkeys(
        (
            *("time", "start", "end", "born", "died", "created", "started", "ended", "p_lost", "stopped", "restarted"),
            *("exec", "sched", "block", "syscall", "syscall_block", "total", "unknown", "sched_max"),
            *("assist", "sweep", "stw", "dedicated", "fractional", "idle", "running", "gc"),
        ),
        "ns",
    ),
    **dict.fromkeys(
        (
            *("address", "size", "offset", "inset", "nbytes", "ptr_bytes", "swept", "reclaimed"),
            *("live_start", "live_end", "goal"),
        ),
        "bytes",
    ),
    **dict.fromkeys(("sweep_pause", "mark_pause"), "rows of pauses"),
    "frequency": "1/s",
}
_LOOKUPS = (TYPE, STRING, STACK)
_NAT = int(np.iinfo(np.int64).min)

_ROW = Field("row", "", "i4", doc="its own row, counted from 0: what other tables refer to")
_TRACE = Field("trace", "", "i4", dictionary=Dictionary.TRACE, doc="name of the input")
_WALL = Field("wall", "", "M8[ns]", null=_NAT, doc="wall-clock time of `time`, by the clock of its generation")


@cache
def fields_of(dtype: np.dtype[np.void]) -> dict[str, Field]:
    """Return the columns of a row type by name, without those that are only included if named."""
    found = [_ROW] if dtype in _LOOKUPS else []
    for name in dtype.names or ():
        found += _fields(dtype, name)
    return {field.name: field for field in found}


@cache
def extras_of(dtype: np.dtype[np.void]) -> dict[str, Field]:
    """Return the columns of a row type that are only included if named."""
    names = dtype.names or ()
    found = [_TRACE]
    if "time" in names and "generation" in names:
        found.append(_WALL)
    if "type" in names and dtype["type"] == np.int32:
        found.append(Field("type_row", "type", "i4", unit="rows of types", doc="row of `types`"))
    return {field.name: field for field in found}


def _fields(dtype: np.dtype[np.void], name: str) -> list[Field]:
    base, shape = dtype[name].base, dtype[name].shape
    kind = base.str.lstrip("<|=")
    if shape:
        return [Field(f"{name}{i}", name, kind, part=i) for i in range(*shape)]
    if kind == "O":
        return [Field(name, name, kind, text=True)]
    if kind == "u1":
        return [_small(dtype, name)]
    if kind == "i4" and name == "type":
        return [Field(name, name, kind, dictionary=Dictionary.TYPES)]
    if kind == "i4" and name in _STRING_ROWS:
        return [Field(name, name, kind, null=0, dictionary=Dictionary.STRINGS)]
    if kind == "i4" and name == "message":
        return [Field(name, name, kind, null=0, dictionary=Dictionary.STRINGS, text=True)]
    if kind == "i4" and name in _STACK_ROWS:
        return [Field(name, name, kind, null=0, unit="rows of stacks")]
    if kind == "M8[ns]":
        return [Field(name, name, kind, null=_NAT)]
    unknown = name in _MINUS_ONE or (name == "offset" and dtype == EVENT) or _is_extent(dtype, name)
    return [Field(name, name, kind, null=-1 if unknown and base.kind == "i" else None, unit=_UNITS.get(name, ""))]


def _is_extent(dtype: np.dtype[np.void], name: str) -> bool:
    """True for a start or end that may not be in the trace."""
    return (name == "start" and dtype in (REGIONTIME, TASKTIME, CYCLE)) or (name == "end" and dtype != GENERATION)


def _small(dtype: np.dtype[np.void], name: str) -> Field:
    """Return the column of a field of one byte."""
    enum = _ENUMS_OF.get(dtype, {}).get(name, _ENUMS.get(name))
    if enum is not None:
        return Field(name, name, "u1", dictionary=Dictionary.ENUM, names=_names(enum))
    if name in ("old", "new"):
        return Field(name, name, "u1", dictionary=Dictionary.STATES, names=STATES)
    if name in ("type", "start") and dtype != EXPERIMENTAL:
        return Field(name, name, "u1", dictionary=Dictionary.EVENTS)
    return Field(name, name, "u1", unit=_UNITS.get(name, ""))
