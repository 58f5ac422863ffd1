from typing import final

import numpy as np
import numpy.typing as npt

from gotrace.wire._prefetch import Ahead

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_Rows = npt.NDArray[np.void]

@final
class Walk(Ahead):
    def __init__(
        self,
        data: _U1,
        base: int,
        batches: _Rows,
        order: _I4,
        n_args: _U1,
        gens: _Rows,
        runs: _Rows,
        ctxs: _Rows,
        ctx_of: _I4,
        heap: _I4,
        pool: _Rows,
        two: bool,
    ) -> None: ...
