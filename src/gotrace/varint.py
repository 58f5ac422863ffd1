"""Bulk decoding and encoding of varints, for plug-ins and tests. Never here: traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gotrace import _varint
from gotrace.errors import Status, from_fault, new_fault


def decode(buffer: Any) -> npt.NDArray[np.uint64]:
    """Decode a buffer of unsigned LEB128 varints.

    Parameters
    ----------
    buffer : bytes-like

    Returns
    -------
    ndarray of uint64, shape (n,)

    Raises
    ------
    TruncatedError
        If the buffer ends inside a varint; ``offset`` is an index in the buffer.
    MalformedError
        If a varint has more than 64 bits (FORMAT 2.1).
    """
    data = np.frombuffer(buffer, np.uint8)
    values = np.empty(_varint.count(data) + 1, np.uint64)
    n, at, status = _varint.decode(data, values)
    if status:
        fault = new_fault()
        fault["offset"], fault["status"] = at, Status(status)
        raise from_fault(fault[0])
    return values[:n].copy()


def encode(values: npt.ArrayLike) -> bytes:
    """Encode numbers as unsigned LEB128 varints in their shortest form.

    Parameters
    ----------
    values : array_like of uint64, shape (n,)

    Returns
    -------
    bytes
    """
    numbers = np.ascontiguousarray(values, np.uint64).reshape(-1)
    out = np.empty(10 * len(numbers) + 1, np.uint8)
    return out[: _varint.encode(numbers, out)].tobytes()
