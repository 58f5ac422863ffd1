import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_U8 = npt.NDArray[np.uint64]

def events(types: _U1, times: _U8, args: _U8, n_args: _U1, first: int, base: int, out: _U1) -> tuple[int, int]: ...
