import numpy as np
import numpy.typing as npt

from gotrace.wire._merge import Walk

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_Rows = npt.NDArray[np.void]

def count(
    data: _U1,
    base: int,
    batches: _Rows,
    order: _I4,
    n_args: _U1,
    gens: _Rows,
    runs: _Rows,
    counts: _I8,
    ends: _I8,
    faults: _Rows,
) -> None: ...
def trim(
    data: _U1,
    base: int,
    batches: _Rows,
    order: _I4,
    n_args: _U1,
    runs: _Rows,
    faults: _Rows,
) -> tuple[int, int]: ...
def experimental(walked: Walk, experiments: _U1, rows: _Rows, faults: _Rows) -> int: ...
def marks(
    data: _U1,
    base: int,
    batches: _Rows,
    order: _I4,
    n_args: _U1,
    gens: _Rows,
    runs: _Rows,
    kinds: _U1,
    rows: _Rows,
) -> int: ...
