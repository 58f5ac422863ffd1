from typing import final

from gotrace._hashmap import IdIndex
from gotrace.dtypes import Rows
from gotrace.wire._cursor import EventBatches
from gotrace.wire._prefetch import Prefetcher

@final
class NamePrefetcher(Prefetcher):
    def __init__(
        self,
        n: int,
        source: EventBatches,
        spec: Rows,
        strings: IdIndex,
        string_base: int,
        stacks: IdIndex,
        stack_base: int,
    ) -> None: ...

@final
class Lookahead:
    @property
    def whole(self) -> bool: ...
    n: int
    last: int
    def __init__(
        self,
        source: EventBatches,
        spec: Rows,
        cursors: Rows,
        pool: Rows,
        faults: Rows,
        ahead: NamePrefetcher | None = None,
    ) -> None: ...
    def fill(self, rows: Rows) -> None: ...
    def begin(self, gen: int, first: int, n_cursors: int, factor: float) -> None: ...
    def decode(self, cursor: int) -> int: ...
    def args(self, place: int) -> list[int]: ...
    def look_ahead(self, cursor: int) -> int: ...
    def copy_through(self, cursor: int, bound: int, g: int, p: int, generation: int) -> int: ...

def take_events(rows: Rows, out: Rows) -> None: ...
