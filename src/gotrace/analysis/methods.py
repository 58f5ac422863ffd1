"""The types of those methods of a trace that are analyses, for type checkers. Never here: anything that runs."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast, overload

from gotrace.analysis.ages import lifespans
from gotrace.analysis.annotations import regions, tasks
from gotrace.analysis.check import check
from gotrace.analysis.collector import gc
from gotrace.analysis.critical import critical
from gotrace.analysis.diff import diff
from gotrace.analysis.footprint import footprint
from gotrace.analysis.goroutines import goroutines
from gotrace.analysis.growth import growth
from gotrace.analysis.history import history
from gotrace.analysis.info import info
from gotrace.analysis.leaks import leaks
from gotrace.analysis.mmu import mmu
from gotrace.analysis.profiles import profile
from gotrace.analysis.sites import sites
from gotrace.analysis.spans import spans
from gotrace.analysis.stats import stats
from gotrace.analysis.usage import procs
from gotrace.analysis.utilization import utilization
from gotrace.analysis.validate import validate
from gotrace.analysis.waits import block, net, sched, syscalls
from gotrace.trace import AnalysedTable, Analysis, Trace

P = ParamSpec("P")
R = TypeVar("R")


class _Method(Protocol[P, R]):
    @overload
    def __get__(self, trace: None, owner: type[Trace]) -> Analysis[P, R]: ...

    @overload
    def __get__(self, trace: Trace, owner: type[Trace]) -> Callable[P, R]: ...


def _method(function: Analysis[P, R]) -> _Method[P, R]:
    return cast(_Method[P, R], function)


def _table(function: Analysis[P, R]) -> AnalysedTable[P, R]:
    return cast(AnalysedTable[P, R], function)


class Methods:
    """Analyses by name."""

    block = _method(block)
    check = _method(check)
    critical = _method(critical)
    diff = diff
    footprint = _method(footprint)
    gc = _method(gc)
    goroutines = _table(goroutines)
    growth = _method(growth)
    history = _method(history)
    info = _method(info)
    leaks = _method(leaks)
    lifespans = _method(lifespans)
    mmu = _method(mmu)
    net = _method(net)
    procs = _table(procs)
    profile = _method(profile)
    regions = _table(regions)
    sched = _method(sched)
    sites = _method(sites)
    spans = _table(spans)
    stats = _method(stats)
    syscalls = _method(syscalls)
    tasks = _table(tasks)
    utilization = _method(utilization)
    validate = _method(validate)
