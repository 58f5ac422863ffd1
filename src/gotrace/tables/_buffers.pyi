from typing import final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

@final
class Block(Buffer):
    def __init__(self, memory: npt.NDArray[np.uint8]) -> None: ...
    def free(self) -> bool: ...
