"""Go execution traces (Go 1.22 and later) as numpy structured arrays.

The public names, imported at first use; their ``__module__`` is this one. Never here: any other logic.
"""

import sys
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gotrace.analysis.ages import Lifespans, lifespans
    from gotrace.analysis.annotations import Latencies, regions, tasks
    from gotrace.analysis.check import Check, check
    from gotrace.analysis.collector import Collector, gc
    from gotrace.analysis.critical import PATH, SEGMENT, Critical, critical
    from gotrace.analysis.diff import DIFF, Change, Diff, diff
    from gotrace.analysis.footprint import Footprint, footprint
    from gotrace.analysis.goroutines import Goroutines, goroutines
    from gotrace.analysis.growth import growth
    from gotrace.analysis.heap import heap
    from gotrace.analysis.history import History, history
    from gotrace.analysis.info import Info, info
    from gotrace.analysis.leaks import Leaks, leaks
    from gotrace.analysis.methods import Methods as Methods  # for type checkers
    from gotrace.analysis.mmu import MMU, Utilization, mmu
    from gotrace.analysis.profiles import WAIT, Profile, profile
    from gotrace.analysis.sites import Sites, sites
    from gotrace.analysis.spans import Spans, spans
    from gotrace.analysis.stats import Stats, stats
    from gotrace.analysis.usage import Usage, procs
    from gotrace.analysis.utilization import UTIL, utilization
    from gotrace.analysis.validate import Verdict, validate
    from gotrace.analysis.waits import Waits, block, net, sched, syscalls
    from gotrace.dtypes import (
        ALLOC,
        CYCLE,
        ESTIMATE,
        EVENT,
        EXPERIMENTAL,
        FRAME,
        GENERATION,
        GOROUTINE,
        GOTIME,
        HEAP,
        LABEL,
        LIFETIME,
        LOG,
        METRIC,
        PAUSE,
        PROC,
        RANGE,
        REGION,
        REGIONTIME,
        SAMPLE,
        SITE,
        STACK,
        STATE,
        STRING,
        TASK,
        TASKTIME,
        THREAD,
        TRANSITION,
        TYPE,
        End,
        Op,
        RegionEnd,
        State,
        StopKind,
        TimeKind,
        What,
    )
    from gotrace.errors import (
        ChangedError,
        ExperimentError,
        GenerationError,
        HeaderError,
        InternalError,
        MalformedError,
        MissingDataError,
        NoHeapDataError,
        OrderingError,
        ReadError,
        TableError,
        TraceError,
        TruncatedError,
        UnknownNameError,
        UnsupportedVersionError,
    )
    from gotrace.experiments import Experiment, ExperimentData, register
    from gotrace.fleet import each, expand, iterate
    from gotrace.heap.table import Heap
    from gotrace.simulation import simulate
    from gotrace.spec.enums import EventKind as Kind
    from gotrace.spec.enums import GoState, ProcState, Resource
    from gotrace.spec.events import EventSpec
    from gotrace.tables.generation import Generation
    from gotrace.tables.table import Table
    from gotrace.text.event import Event
    from gotrace.trace import Trace, open
    from gotrace.wire.clock import Clock
    from gotrace.wire.structure import Frame

__version__ = "0.1.0"

__all__ = [
    "ALLOC",
    "CYCLE",
    "DIFF",
    "ESTIMATE",
    "EVENT",
    "EXPERIMENTAL",
    "FRAME",
    "GENERATION",
    "GOROUTINE",
    "GOTIME",
    "HEAP",
    "LABEL",
    "LIFETIME",
    "LOG",
    "METRIC",
    "MMU",
    "PATH",
    "PAUSE",
    "PROC",
    "RANGE",
    "REGION",
    "REGIONTIME",
    "SAMPLE",
    "SEGMENT",
    "SITE",
    "STACK",
    "STATE",
    "STRING",
    "TASK",
    "TASKTIME",
    "THREAD",
    "TRANSITION",
    "TYPE",
    "UTIL",
    "WAIT",
    "Change",
    "ChangedError",
    "Check",
    "Clock",
    "Collector",
    "Critical",
    "Diff",
    "End",
    "Event",
    "EventSpec",
    "Experiment",
    "ExperimentData",
    "ExperimentError",
    "Footprint",
    "Frame",
    "Generation",
    "GenerationError",
    "GoState",
    "Goroutines",
    "HeaderError",
    "Heap",
    "History",
    "Info",
    "InternalError",
    "Kind",
    "Latencies",
    "Leaks",
    "Lifespans",
    "MalformedError",
    "MissingDataError",
    "NoHeapDataError",
    "Op",
    "OrderingError",
    "ProcState",
    "Profile",
    "ReadError",
    "RegionEnd",
    "Resource",
    "Sites",
    "Spans",
    "State",
    "Stats",
    "StopKind",
    "Table",
    "TableError",
    "TimeKind",
    "Trace",
    "TraceError",
    "TruncatedError",
    "UnknownNameError",
    "UnsupportedVersionError",
    "Usage",
    "Utilization",
    "Verdict",
    "Waits",
    "What",
    "block",
    "check",
    "critical",
    "diff",
    "each",
    "expand",
    "footprint",
    "gc",
    "goroutines",
    "growth",
    "heap",
    "history",
    "info",
    "iterate",
    "leaks",
    "lifespans",
    "mmu",
    "net",
    "open",
    "procs",
    "profile",
    "raw",
    "regions",
    "register",
    "sched",
    "simulate",
    "simulation",
    "sites",
    "spans",
    "stats",
    "syscalls",
    "tasks",
    "utilization",
    "validate",
    "varint",
]

_HOMES = {  # imported at first use: numpy and the kernels take a while, which --version need not wait for
    "gotrace.dtypes": (
        "ALLOC CYCLE ESTIMATE EVENT EXPERIMENTAL FRAME GENERATION GOROUTINE GOTIME HEAP LABEL LIFETIME LOG "
        "METRIC PAUSE PROC RANGE REGION REGIONTIME SAMPLE SITE STACK STATE STRING TASK TASKTIME THREAD "
        "TRANSITION TYPE End Op RegionEnd State StopKind TimeKind What"
    ),
    "gotrace.errors": (
        "ChangedError ExperimentError GenerationError HeaderError InternalError MalformedError MissingDataError "
        "NoHeapDataError OrderingError ReadError TableError TraceError TruncatedError UnknownNameError "
        "UnsupportedVersionError"
    ),
    "gotrace.experiments": "Experiment ExperimentData register",
    "gotrace.fleet": "each expand iterate",
    "gotrace.heap.table": "Heap",
    "gotrace.spec.enums": "GoState Kind ProcState Resource",
    "gotrace.spec.events": "EventSpec",
    "gotrace.tables.generation": "Generation",
    "gotrace.tables.table": "Table",
    "gotrace.trace": "Trace open",
    "gotrace.wire.clock": "Clock",
    "gotrace.wire.structure": "Frame",
    "gotrace.analysis.annotations": "Latencies regions tasks",
    "gotrace.analysis.ages": "Lifespans lifespans",
    "gotrace.analysis.check": "Check check",
    "gotrace.analysis.collector": "Collector gc",
    "gotrace.analysis.critical": "PATH SEGMENT Critical critical",
    "gotrace.analysis.diff": "DIFF Change Diff diff",
    "gotrace.analysis.footprint": "Footprint footprint",
    "gotrace.analysis.goroutines": "Goroutines goroutines",
    "gotrace.analysis.growth": "growth",
    "gotrace.analysis.heap": "heap",
    "gotrace.analysis.history": "History history",
    "gotrace.analysis.info": "Info info",
    "gotrace.analysis.leaks": "Leaks leaks",
    "gotrace.analysis.mmu": "MMU Utilization mmu",
    "gotrace.analysis.profiles": "WAIT Profile profile",
    "gotrace.analysis.sites": "Sites sites",
    "gotrace.analysis.spans": "Spans spans",
    "gotrace.analysis.stats": "Stats stats",
    "gotrace.analysis.usage": "Usage procs",
    "gotrace.analysis.utilization": "UTIL utilization",
    "gotrace.analysis.validate": "Verdict validate",
    "gotrace.analysis.waits": "Waits block net sched syscalls",
    "gotrace.simulation": "simulate",
    "gotrace.text.event": "Event",
}

ANALYSES = frozenset(
    name
    for home, names in _HOMES.items()
    if home.startswith("gotrace.analysis.")
    for name in names.split()
    if name.islower()
)
"""Functions that are methods of a trace, too."""

_MODULES = ("raw", "simulation", "varint")
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_ORIGINAL = {"Kind": "EventKind"}  # names that differ where they are defined


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"gotrace.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(_HOME_OF[name])
    if "gotrace.heap" in sys.modules:  # a folder, which must not hide the function
        import_module("gotrace.analysis.heap")
    for home, names in _HOMES.items():
        if home in sys.modules:
            _publish(sys.modules[home], names.split())
    return globals()[name]


def _publish(home: ModuleType, names: list[str]) -> None:
    """Add names of a module, as if they were defined in this one, as far as it is imported."""
    for name in names:
        value = getattr(home, _ORIGINAL.get(name, name), None)
        if value is None:
            continue
        globals()[name] = value
        if isinstance(value, type | FunctionType):
            value.__module__, value.__name__, value.__qualname__ = __name__, name, name


def __dir__() -> list[str]:
    return __all__
