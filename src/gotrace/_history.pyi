import numpy as np
import numpy.typing as npt

_F8 = npt.NDArray[np.float64]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.void]

def replay(
    rows: _Rows,
    first: int,
    live: _Rows,
    extents: _Rows,
    page_keys: _U8,
    page_vals: _I4,
    key_keys: _U8,
    key_vals: _I4,
    history: _Rows,
    inuse: _I8,
    series: _I8,
    moments: _Rows,
    ends: _I8,
    cycles: _Rows,
    begins: _I8,
    ages: _I8,
    now: _I8,
    grid: _I8,
    batches: _I8,
    factors: _F8,
    class_bytes: _I8,
    page_shift: int,
    multiplier: int,
    tally: _I8,
    odd: _I8,
    faults: _Rows,
) -> int: ...
def finish(inuse: _I8, series: _I8, moments: _Rows, ends: _I8, now: _I8, grid: _I8, tally: _I8) -> None: ...
def end_snapshot(live: _Rows, multiplier: int, tally: _I8) -> None: ...
def move(old: _Rows, new: _Rows, multiplier: int) -> None: ...
