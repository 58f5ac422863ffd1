import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.void]

_U4 = npt.NDArray[np.uint32]

def quote(data: _U1, ranges: _U4, out: _U1) -> int: ...
def wire(
    data: _U1,
    base: int,
    at: int,
    last: bool,
    end_marks: bool,
    n_args: _U1,
    pieces: _U1,
    bounds: _I4,
    ranges: _U4,
    state: _U8,
    text: _U1,
    faults: _Rows,
) -> tuple[int, int]: ...
def parsed(
    rows: _Rows,
    at: int,
    data: _U1,
    strings: _Rows,
    string_base: int,
    names: _Rows,
    letters: _U1,
    stacks: _Rows,
    stack_base: int,
    frames: _I4,
    pcs: _Rows,
    functions: _I8,
    files: _I8,
    pieces: _U1,
    bounds: _I4,
    words: _I4,
    n_args: _U1,
    clocks: _U1,
    clock_at: _I8,
    ranges: _U4,
    text: _U1,
) -> tuple[int, int]: ...
