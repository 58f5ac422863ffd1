"""Views of blocks of memory. Never here: what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace.columns._memory import Block


def view(block: Block, dtype: npt.DTypeLike, n: int = -1, at: int = 0) -> npt.NDArray[Any]:
    """Return ``n`` values from byte ``at`` of a block on, all by default; the array is a user of the memory."""
    return np.frombuffer(memoryview(block), dtype, n, at)
