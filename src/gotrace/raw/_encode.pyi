import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]

def wrong(types: _U1, times: _U8, n_args: _U1, columns: int) -> int: ...
def events(types: _U1, times: _U8, args: _U8, n_args: _U1, first: int, base: int, out: _U1) -> tuple[int, int]: ...
def lines(
    data: _U1,
    at: int,
    names: _U1,
    name_ends: _I4,
    types: _U1,
    n_args: _U1,
    pieces: _U1,
    bounds: _I4,
    frame: _U1,
    frame_bounds: _I4,
    state: _I8,
    out: _U1,
) -> tuple[int, int, int]: ...
