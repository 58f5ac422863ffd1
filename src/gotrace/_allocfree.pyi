from typing import final

import numpy as np
import numpy.typing as npt

from gotrace._ahead import Ahead

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.void]

@final
class ObjectsAhead(Ahead): ...

def extract(
    data: _U1,
    base: int,
    batches: _Rows,
    order: _I4,
    n_args: _U1,
    gens: _Rows,
    runs: _Rows,
    heap: _I4,
    pool: _Rows,
    briefs: _Rows,
    state: _I8,
    ahead: ObjectsAhead | None,
    ctxs: _Rows,
    type_keys: _U8,
    type_vals: _I4,
    multiplier: int,
    class_bytes: _I8,
    flags: int,
    rows: _Rows,
    faults: _Rows,
    spans: _Rows,
    rests: _Rows,
    page_keys: _U8,
    page_vals: _I4,
    leaves: _I4,
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
) -> int: ...
def rehash(keys: _U8, vals: _I4, new_keys: _U8, new_vals: _I4, multiplier: int) -> None: ...
def parse_types(data: _U1, at: int, rows: _Rows, faults: _Rows) -> int: ...
