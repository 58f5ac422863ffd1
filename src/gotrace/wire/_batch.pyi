import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_Rows = npt.NDArray[np.void]

def resume(data: _U1, at: int, stop: int, last: bool, enough: int) -> int: ...
def scan(
    data: _U1,
    base: int,
    at: int,
    stop: int,
    last: bool,
    sync_batches: bool,
    end_marks: bool,
    rows: _Rows,
    n: int,
    faults: _Rows,
) -> tuple[int, int]: ...
