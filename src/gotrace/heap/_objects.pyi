import numpy as np
import numpy.typing as npt

_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_F8 = npt.NDArray[np.float64]
_Rows = npt.NDArray[np.void]

def follow(
    rows: _Rows,
    labels: _I8,
    begins: _I8,
    stop: int,
    batches: _Rows,
    factors: _F8,
    page_shift: int,
    youngest: int,
    oldest: int,
    class_bytes: _I8,
    out: _Rows,
    multiplier: int,
    spans: _Rows,
    page_keys: _U8,
    page_vals: _I4,
    leaves: _I4,
    cells: _Rows,
    loose_keys: _U8,
    loose_vals: _I4,
    loose_cells: _Rows,
    stack_keys: _U8,
    stack_vals: _I4,
    key_keys: _U8,
    key_vals: _I4,
    tallies: _Rows,
    ages: _I8,
    cycles: _Rows,
    life: _I8,
    odd: _I8,
) -> tuple[int, int, int, int]: ...
def survivors(
    out: _Rows,
    spans: _Rows,
    cells: _Rows,
    loose_keys: _U8,
    loose_vals: _I4,
    loose_cells: _Rows,
    tallies: _Rows,
    life: _I8,
) -> int: ...
def tally_ages(
    youngest: int,
    oldest: int,
    out: _I8,
    ages: _I8,
    unknown: _I8,
    spans: _Rows,
    cells: _Rows,
    loose_cells: _Rows,
    life: _I8,
) -> None: ...
def draw(low: int, shift: int, grid: _I8, spans: _Rows, cells: _Rows, life: _I8) -> None: ...
def holders(by: _I4, spans: _Rows, cells: _Rows, life: _I8) -> None: ...
