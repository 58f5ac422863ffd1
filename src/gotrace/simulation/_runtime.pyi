from typing import Any, final

import numpy as np
import numpy.typing as npt

_I4 = npt.NDArray[np.int32]
_I8 = npt.NDArray[np.int64]
_U1 = npt.NDArray[np.uint8]
_U8 = npt.NDArray[np.uint64]
_Rows = npt.NDArray[Any]

@final
class Runtime:
    def __init__(self, knobs: _I8, elems: _I4, class_pages: _I4, act_ends: _I4) -> None: ...
    def attach(
        self,
        ms: _Rows,
        ps: _Rows,
        gs: _Rows,
        spans: _Rows,
        pages: _I4,
        borders: _U1,
        births: _U8,
        types: _I4,
        buffers: _U1,
        out: _U1,
        caches: _I4,
        sites: _I4,
        ids: _I4,
        id_order: _I4,
        told: _I8,
        readings: _I8,
    ) -> None: ...
    def boot(self) -> None: ...
    def run(self, events: int, until: int) -> int: ...
    def start(self, allocfree: bool, joined: bool, least: int) -> int: ...
    def close_generation(self) -> int: ...
    def open_generation(self) -> None: ...
    def remember(self, horizon: int, late: _I8) -> None: ...
    def stop(self) -> None: ...
    def drained(self) -> None: ...
    def forget_types(self) -> None: ...
