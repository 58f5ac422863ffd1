from typing import final

import numpy as np
import numpy.typing as npt

from gotrace.wire._prefetch import Ahead

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.void]

@final
class NamesAhead(Ahead):
    def __init__(
        self,
        n: int,
        kept: object,
        spec: _Rows,
        multiplier: int,
        string_at: _I8,
        string_bits: _U1,
        string_keys: _U8,
        string_vals: _I4,
        string_base: int,
        stack_at: _I8,
        stack_bits: _U1,
        stack_keys: _U8,
        stack_vals: _I4,
        stack_base: int,
    ) -> None: ...

@final
class Pool:
    n: int
    last: int
    @property
    def whole(self) -> bool: ...
    def __init__(
        self,
        data: _U1,
        base: int,
        batches: _Rows,
        order: _I4,
        n_args: _U1,
        spec: _Rows,
        runs: _Rows,
        pool: _Rows,
        faults: _Rows,
        ahead: NamesAhead | None = None,
    ) -> None: ...
    def fill(self, rows: _Rows) -> None: ...
    def begin(self, gen: int, first: int, n_runs: int, factor: float) -> None: ...
    def decode(self, run: int) -> int: ...
    def args(self, place: int) -> list[int]: ...
    def look_ahead(self, run: int) -> int: ...
    def pass_on(self, run: int, bound: int, g: int, p: int, generation: int) -> int: ...

def take_events(rows: _Rows, out: _Rows) -> None: ...
