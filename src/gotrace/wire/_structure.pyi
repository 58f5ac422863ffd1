from typing import final

from gotrace._hashmap import IdIndex
from gotrace.dtypes import I4, I8, U1, Rows

@final
class Records:
    def __init__(
        self,
        strings: Rows,
        stacks: Rows,
        frames: I4,
        pcs: Rows,
        samples: Rows,
        clocks: Rows,
        near: Rows,
        multiplier: int,
    ) -> None: ...
    def parse(
        self,
        data: U1,
        base: int,
        batches: Rows,
        sync_batches: bool,
        faults: Rows,
    ) -> tuple[int, int, int, int, int]: ...

def resolve(pcs: Rows, pc_index: IdIndex, strings: IdIndex, first: I8, functions: I8, files: I8, frames: I4) -> int: ...
