from typing import final

import numpy as np
import numpy.typing as npt

from gotrace.wire._merge import Walk

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.void]

@final
class Extractor:
    def __init__(
        self,
        walk: Walk,
        type_keys: _U8,
        type_vals: _I4,
        multiplier: int,
        class_bytes: _I8,
        flags: int,
        faults: _Rows,
    ) -> None: ...
    def tables(
        self,
        spans: _Rows,
        page_keys: _U8,
        page_vals: _I4,
        leaves: _Rows,
        stack_keys: _U8,
        stack_vals: _I4,
        loose_keys: _U8,
        loose_vals: _I4,
        cells: _I4,
        key_keys: _U8,
        key_vals: _I4,
        counts: _Rows,
        sizes: _I8,
        anomalies: _I8,
    ) -> None: ...
    def take(self, rows: _Rows) -> int: ...

def rehash(keys: _U8, vals: _I4, new_keys: _U8, new_vals: _I4, multiplier: int) -> None: ...
def parse_types(data: _U1, at: int, rows: _Rows, faults: _Rows) -> int: ...
