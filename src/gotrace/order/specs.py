"""Event specs come in, SPEC rows for the ordering's kernels go out. Never here: facts about event types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from gotrace.order.rows import SPEC
from gotrace.spec.events import EventSpec
from gotrace.spec.rules import Rule


def specs(events: Iterable[EventSpec], needs: Mapping[int, str]) -> npt.NDArray[np.void]:
    """Return an array of dtype SPEC and shape (256,), by event type.

    ``needs`` maps an experiment's number to the context that its events need: a letter each for thread, proc and
    goroutine, "R" required, "N" forbidden, "?" either.
    """
    table = np.zeros(256, SPEC)
    columns = {name: table[name] for name in SPEC.names or ()}
    for name in ("stack", "stack2", "string", "string2"):
        columns[name][:] = -1
    for event in events:
        row = event.id
        columns["kind"][row] = event.kind or 0
        if not event.timed:
            continue
        rule = Rule.EXPERIMENT if event.experiment else event.rule
        columns["rule"][row], columns["start"][row] = rule, event.start
        columns["creates"][row] = bool(event.creates)
        ends = [name.rpartition("_")[2] for name in event.arg_names]
        for what in ("stack", "string"):
            id_table = [i for i, end in enumerate(ends) if end == what]
            if what == "stack":
                id_table.reverse()  # the context's stack is the last one
            for name, at in zip((what, f"{what}2"), id_table, strict=False):
                columns[name][row] = at
        context = {Rule.EXPERIMENT: needs.get(event.experiment), Rule.ON_PROC: "RR?"}.get(rule)
        if columns["stack"][row] == columns["string"][row] == -1:
            columns["bulk"][row] = {"R??": 1, "RR?": 2}.get(context or "", 0)
        columns["needs"][row] = ["?RN".index(letter) for letter in needs.get(event.experiment, "???")]
    return table
