from typing import final

import numpy as np
import numpy.typing as npt

_U1 = npt.NDArray[np.uint8]
_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U8 = npt.NDArray[np.uint64]

def room(n: int) -> int: ...

@final
class Ahead:
    def __init__(
        self,
        memory: _U1,
        kept: object,
        spec: npt.NDArray[np.void],
        multiplier: int,
        string_at: _I8,
        string_bits: _U1,
        string_keys: _U8,
        string_vals: _I4,
        string_base: int,
        stack_at: _I8,
        stack_bits: _U1,
        stack_keys: _U8,
        stack_vals: _I4,
        stack_base: int,
    ) -> None: ...
    def claim(self) -> bool: ...
    def serve(self) -> None: ...
    def stop(self) -> None: ...
