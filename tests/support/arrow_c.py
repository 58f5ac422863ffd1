"""A reader of Arrow streams that uses nothing but the C structs. Never here: assertions."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any


class Array(ctypes.Structure):
    """ArrowArray."""


class Stream(ctypes.Structure):
    """ArrowArrayStream."""


Array._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))),
    ("dictionary", ctypes.POINTER(Array)),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))),
    ("private_data", ctypes.c_void_p),
]
Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.c_void_p)),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Stream), ctypes.POINTER(Array))),
    ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.POINTER(Stream))),
    ("release", ctypes.CFUNCTYPE(None, ctypes.POINTER(Stream))),
    ("private_data", ctypes.c_void_p),
]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


def batches(table: Any) -> Iterator[Array]:
    """Yield the batches of a table, which the caller releases; the functions of the stream run without the GIL.

    Raises
    ------
    OSError
        With the error code and the text of the stream.
    """
    capsule = table.__arrow_c_stream__()
    stream = ctypes.cast(_pointer(capsule, b"arrow_array_stream"), ctypes.POINTER(Stream))
    while True:
        batch = Array()
        code = stream.contents.get_next(stream, ctypes.byref(batch))
        if code:
            raise OSError(code, stream.contents.get_last_error(stream).decode())
        if not batch.release:
            return
        yield batch


def release(batch: Array) -> None:
    """Release a batch."""
    batch.release(ctypes.byref(batch))


def int64(batch: Array, column: int) -> list[int]:
    """Return the values of a column of int64."""
    values = ctypes.c_int64 * batch.length
    return list(values.from_address(batch.children[column].contents.buffers[1]))
