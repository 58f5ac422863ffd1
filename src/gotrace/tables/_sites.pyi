import numpy as np
import numpy.typing as npt

_I8 = npt.NDArray[np.int64]

def match(
    rows: npt.NDArray[np.void],
    keys: npt.NDArray[np.uint64],
    vals: npt.NDArray[np.int32],
    bits: int,
    multiplier: int,
    threads: _I8,
    samples: _I8,
    pairs: _I8,
) -> int: ...
