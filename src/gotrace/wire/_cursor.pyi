from typing import final

from gotrace.dtypes import I4, U1, Rows

@final
class EventBatches:
    def __init__(self, data: U1, base: int, batches: Rows, order: I4, n_args: U1) -> None: ...
