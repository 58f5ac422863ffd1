"""Go execution traces (Go 1.22 and later) as numpy structured arrays. The public names; never logic."""

from gotrace import raw, simulation, varint
from gotrace.analysis.diff import DIFF, Change, Diff, diff
from gotrace.analysis.history import History
from gotrace.analysis.history import collect as history
from gotrace.analysis.sites import Sites, sites
from gotrace.analysis.spans import Spans, spans
from gotrace.analysis.stats import Stats, stats
from gotrace.clock import Clock
from gotrace.dtypes import (
    ALLOC,
    EVENT,
    EXPERIMENTAL,
    FRAME,
    GENERATION,
    HEAP,
    LABEL,
    LIFETIME,
    LOG,
    METRIC,
    RANGE,
    REGION,
    SAMPLE,
    SITE,
    STACK,
    STRING,
    TASK,
    TRANSITION,
    TYPE,
    End,
    Op,
    State,
    What,
)
from gotrace.errors import (
    ExperimentError,
    GenerationError,
    HeaderError,
    InternalError,
    MalformedError,
    OrderingError,
    TableError,
    TraceError,
    TruncatedError,
    UnsupportedVersionError,
)
from gotrace.events import Event
from gotrace.experiments import Experiment, ExperimentData, register
from gotrace.heap import Heap
from gotrace.simulation import simulate
from gotrace.spec.enums import EventKind as Kind
from gotrace.spec.enums import GoState, ProcState, Resource
from gotrace.spec.events import EventSpec
from gotrace.tables import Frame
from gotrace.trace import Generation, Table, Trace, open

__version__ = "0.1.0"

__all__ = [
    "ALLOC",
    "DIFF",
    "EVENT",
    "EXPERIMENTAL",
    "FRAME",
    "GENERATION",
    "HEAP",
    "LABEL",
    "LIFETIME",
    "LOG",
    "METRIC",
    "RANGE",
    "REGION",
    "SAMPLE",
    "SITE",
    "STACK",
    "STRING",
    "TASK",
    "TRANSITION",
    "TYPE",
    "Change",
    "Clock",
    "Diff",
    "End",
    "Event",
    "EventSpec",
    "Experiment",
    "ExperimentData",
    "ExperimentError",
    "Frame",
    "Generation",
    "GenerationError",
    "GoState",
    "HeaderError",
    "Heap",
    "History",
    "InternalError",
    "Kind",
    "MalformedError",
    "Op",
    "OrderingError",
    "ProcState",
    "Resource",
    "Sites",
    "Spans",
    "State",
    "Stats",
    "Table",
    "TableError",
    "Trace",
    "TraceError",
    "TruncatedError",
    "UnsupportedVersionError",
    "What",
    "diff",
    "history",
    "open",
    "raw",
    "register",
    "simulate",
    "simulation",
    "sites",
    "spans",
    "stats",
    "varint",
]
