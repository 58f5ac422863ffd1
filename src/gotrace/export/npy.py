"""The format ``.npy`` of numpy, which can be memory-mapped. Never here: other formats."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from gotrace.dtypes import Rows

_MAX_ROWS = 2**63 - 1  # reserves room in the header for any number of rows


class NpyWriter:
    """Writes one array; ``out`` must be seekable, as the header is rewritten with the number of rows at the end."""

    def __init__(self, out: BinaryIO, dtype: np.dtype[np.void]) -> None:
        self._out = out
        self._dtype = dtype
        self._names = dtype.names or ()
        self._gaps = sum(dtype[name].itemsize for name in self._names) < dtype.itemsize
        self.n = 0
        self._out.write(self._header(_MAX_ROWS))

    def _header(self, n: int) -> bytes:
        def text(n: int) -> str:
            return repr({"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (n,)})

        start = np.lib.format.magic(1, 0)
        size = -(-(len(start) + 2 + len(text(_MAX_ROWS)) + 1) // 64) * 64 - len(start) - 2
        return start + size.to_bytes(2, "little") + f"{text(n):<{size - 1}}\n".encode("latin-1")

    def write(self, rows: Rows) -> None:
        """Append rows."""
        if self._gaps:  # zero the padding, which would leak memory contents
            padded = np.zeros(len(rows), self._dtype)
            for name in self._names:
                padded[name] = rows[name]
            rows = padded
        self._out.write(rows.view(np.uint8).data)
        self.n += len(rows)

    def finish(self) -> None:
        """Rewrite the header with the number of rows."""
        self._out.seek(0)
        self._out.write(self._header(self.n))
