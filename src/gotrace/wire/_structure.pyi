import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[np.void]

def parse(
    data: _U1,
    base: int,
    batches: _Rows,
    sync_batches: bool,
    strings: _Rows,
    stacks: _Rows,
    frames: _I4,
    pcs: _Rows,
    near: _Rows,
    near_bits: int,
    multiplier: int,
    samples: _Rows,
    clocks: _Rows,
    faults: _Rows,
) -> tuple[int, int, int, int, int]: ...
def index(ids: _U8, gens: _I4, at: _I8, bits: _U1, multiplier: int, keys: _U8, vals: _I4, first: _I8) -> None: ...
def find(ids: _U8, gens: _I4, at: _I8, bits: _U1, multiplier: int, keys: _U8, vals: _I4, rows: _I8) -> None: ...
def resolve(
    pcs: _Rows,
    at: _I8,
    bits: _U1,
    multiplier: int,
    keys: _U8,
    vals: _I4,
    string_at: _I8,
    string_bits: _U1,
    string_keys: _U8,
    string_vals: _I4,
    first: _I8,
    functions: _I8,
    files: _I8,
    frames: _I4,
) -> int: ...
