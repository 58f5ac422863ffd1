from typing import final

from gotrace.dtypes import I4, Rows
from gotrace.wire._cursor import EventBatches
from gotrace.wire._prefetch import Prefetcher

@final
class Merge(Prefetcher):
    def __init__(
        self,
        source: EventBatches,
        gens: Rows,
        cursors: Rows,
        threads: Rows,
        thread_row: I4,
        heap: I4,
        pool: Rows,
        two: bool,
    ) -> None: ...
