"""Go execution traces (Go 1.22 and later) as numpy structured arrays. The public names; never logic."""

from gotrace import raw, varint
from gotrace.clock import Clock
from gotrace.dtypes import (
    ALLOC,
    EXPERIMENTAL,
    FRAME,
    GENERATION,
    HEAP,
    SAMPLE,
    STACK,
    STRING,
    TYPE,
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
from gotrace.experiments import Experiment, ExperimentData, register
from gotrace.heap import Heap
from gotrace.spec.enums import EventKind as Kind
from gotrace.spec.events import EventSpec
from gotrace.tables import Frame
from gotrace.trace import Generation, Table, Trace, open

__version__ = "0.1.0"

__all__ = [
    "ALLOC",
    "EXPERIMENTAL",
    "FRAME",
    "GENERATION",
    "HEAP",
    "SAMPLE",
    "STACK",
    "STRING",
    "TYPE",
    "Clock",
    "EventSpec",
    "Experiment",
    "ExperimentData",
    "ExperimentError",
    "Frame",
    "Generation",
    "GenerationError",
    "HeaderError",
    "Heap",
    "InternalError",
    "Kind",
    "MalformedError",
    "Op",
    "OrderingError",
    "State",
    "Table",
    "TableError",
    "Trace",
    "TraceError",
    "TruncatedError",
    "UnsupportedVersionError",
    "What",
    "open",
    "raw",
    "register",
    "varint",
]
