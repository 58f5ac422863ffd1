"""Allocations by goroutine, task and region, from the text of Go's own trace tool. Never here: imports of gotrace."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_LINE = re.compile(r"M=-?\d+ P=-?\d+ G=(-?\d+) (\w+) Time=\d+ ?(.*)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class Owned:
    """Number of allocated objects by the goroutine's start function, innermost task and innermost region."""

    text: str
    goroutine: Counter[str] = field(default_factory=Counter)
    task: Counter[str] = field(default_factory=Counter)
    region: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        by_goroutine: Counter[int] = Counter()
        open_by_g: dict[int, list[tuple[str, int, str]]] = {}
        tasks: dict[int, tuple[int, str]] = {0: (-1, "")}
        functions: dict[int, str] = {}
        events = self.text.split("\nM=")
        for event in events:
            line, _, more = event.partition("\n")
            match = _LINE.match(line if line.startswith("M=") else "M=" + line)
            if match is None:
                continue
            g, kind, rest = int(match[1]), match[2], match[3]
            numbers = {name: int(value) for name, value in re.findall(r"(ID|Task|Parent|GoID)=(-?\d+)", rest)}
            if kind == "Experimental" and "Name=HeapObjectAlloc" in rest:
                by_goroutine[g] += 1
                stack = open_by_g.get(g, [])
                self.region[next((name for what, _, name in reversed(stack) if what == "region"), "(none)")] += 1
                self.task[
                    next((tasks.get(task, (-1, "(unknown)"))[1] for _, task, _ in reversed(stack) if task), "(none)")
                ] += 1
            elif kind == "StateTransition" and "GoID" in numbers:
                if "->NotExist" in rest:
                    open_by_g.pop(numbers["GoID"], None)
                if more.startswith("TransitionStack=\n"):
                    frames = re.findall(r"^\t(?!\t)(.*) @ 0x", more.partition("\n\n")[0], re.MULTILINE)
                    if (
                        frames
                        and frames[-1]
                        and len(frames) < 128
                        and ("NotExist->" in rest or numbers["GoID"] not in functions)
                    ):
                        functions[numbers["GoID"]] = frames[-1]
            elif kind == "TaskBegin":
                tasks[numbers["ID"]] = (g, self._name(rest))
                open_by_g.setdefault(g, []).append(("task", numbers["ID"], ""))
            elif kind == "TaskEnd":
                owner = tasks.get(numbers["ID"], (g, ""))[0]
                stack = open_by_g.get(owner, [])
                open_by_g[owner] = [item for item in stack if item[:2] != ("task", numbers["ID"])]
            elif kind == "RegionBegin":
                open_by_g.setdefault(g, []).append(("region", numbers["Task"], self._name(rest)))
            elif kind == "RegionEnd":
                stack = open_by_g.get(g, [])
                at = [i for i, item in enumerate(stack) if item[0] == "region"]
                if at:
                    del stack[at[-1]]
        for g, n in by_goroutine.items():
            self.goroutine["(none)" if g < 0 else functions.get(g, "(unknown)")] += n

    @staticmethod
    def _name(rest: str) -> str:
        match = _STRING.search(rest)
        assert match is not None
        return match[1]
