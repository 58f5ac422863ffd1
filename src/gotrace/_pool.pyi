import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_Rows = npt.NDArray[np.void]

class Pool:
    def __init__(
        self,
        data: _U1,
        base: int,
        batches: _Rows,
        order: _I4,
        n_args: _U1,
        runs: _Rows,
        events: _Rows,
        faults: _Rows,
    ) -> None: ...
    def refill(self, factor: float, run: int, first: int, room: int) -> int: ...
