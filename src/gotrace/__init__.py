"""Go execution traces (Go 1.22 and later) as numpy structured arrays.

The public names, imported at first use. Never here: any other logic.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gotrace.analysis.check import Check, check
    from gotrace.analysis.critical import PATH, SEGMENT, Critical, critical
    from gotrace.analysis.diff import DIFF, Change, Diff, diff
    from gotrace.analysis.footprint import Footprint, footprint
    from gotrace.analysis.growth import growth
    from gotrace.analysis.history import History
    from gotrace.analysis.history import collect as history
    from gotrace.analysis.leaks import Leaks, leaks
    from gotrace.analysis.mmu import MMU
    from gotrace.analysis.profiles import WAIT, Profile, profile
    from gotrace.analysis.sites import Sites, sites
    from gotrace.analysis.spans import Spans, spans
    from gotrace.analysis.stats import Stats, stats
    from gotrace.analysis.utilization import UTIL, utilization
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
        NoHeapDataError,
        OrderingError,
        TableError,
        TraceError,
        TruncatedError,
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
    "HeaderError",
    "Heap",
    "History",
    "InternalError",
    "Kind",
    "Leaks",
    "MalformedError",
    "NoHeapDataError",
    "Op",
    "OrderingError",
    "ProcState",
    "Profile",
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
    "UnsupportedVersionError",
    "What",
    "check",
    "critical",
    "diff",
    "each",
    "expand",
    "footprint",
    "growth",
    "history",
    "iterate",
    "leaks",
    "open",
    "profile",
    "raw",
    "register",
    "simulate",
    "simulation",
    "sites",
    "spans",
    "stats",
    "utilization",
    "varint",
]

_HOMES = {  # imported at first use: numpy and the kernels take a while, which --version need not wait for
    "gotrace.dtypes": (
        "ALLOC CYCLE ESTIMATE EVENT EXPERIMENTAL FRAME GENERATION GOROUTINE GOTIME HEAP LABEL LIFETIME LOG "
        "METRIC PAUSE PROC RANGE REGION REGIONTIME SAMPLE SITE STACK STATE STRING TASK TASKTIME THREAD "
        "TRANSITION TYPE End Op RegionEnd State StopKind TimeKind What"
    ),
    "gotrace.errors": (
        "ChangedError ExperimentError GenerationError HeaderError InternalError MalformedError "
        "NoHeapDataError OrderingError TableError TraceError TruncatedError UnsupportedVersionError"
    ),
    "gotrace.experiments": "Experiment ExperimentData register",
    "gotrace.fleet": "each expand iterate",
    "gotrace.heap.table": "Heap",
    "gotrace.spec.enums": "GoState ProcState Resource",
    "gotrace.spec.events": "EventSpec",
    "gotrace.tables.generation": "Generation",
    "gotrace.tables.table": "Table",
    "gotrace.trace": "Trace open",
    "gotrace.wire.clock": "Clock",
    "gotrace.wire.structure": "Frame",
}

_LAZY = {
    **{name: f"{module}:" for module, names in _HOMES.items() for name in names.split()},
    "Kind": "gotrace.spec.enums:EventKind",
    "raw": "gotrace.raw",
    "simulation": "gotrace.simulation",
    "varint": "gotrace.varint",
    **dict.fromkeys(("Check", "check"), "gotrace.analysis.check:"),
    **dict.fromkeys(("PATH", "SEGMENT", "Critical", "critical"), "gotrace.analysis.critical:"),
    **dict.fromkeys(("DIFF", "Change", "Diff", "diff"), "gotrace.analysis.diff:"),
    **dict.fromkeys(("Footprint", "footprint"), "gotrace.analysis.footprint:"),
    "growth": "gotrace.analysis.growth:",
    "History": "gotrace.analysis.history:",
    "history": "gotrace.analysis.history:collect",
    **dict.fromkeys(("Leaks", "leaks"), "gotrace.analysis.leaks:"),
    "MMU": "gotrace.analysis.mmu:",
    **dict.fromkeys(("WAIT", "Profile", "profile"), "gotrace.analysis.profiles:"),
    **dict.fromkeys(("Sites", "sites"), "gotrace.analysis.sites:"),
    **dict.fromkeys(("Spans", "spans"), "gotrace.analysis.spans:"),
    **dict.fromkeys(("Stats", "stats"), "gotrace.analysis.stats:"),
    **dict.fromkeys(("UTIL", "utilization"), "gotrace.analysis.utilization:"),
    "Event": "gotrace.text.event:",
    "simulate": "gotrace.simulation:",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, colon, attribute = _LAZY[name].partition(":")
    value: object = import_module(module)
    if colon:
        value = getattr(value, attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
