"""The formats ``.parquet`` and ``.arrow``: batches come in, pyarrow writes the file. Never here: other formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from gotrace import __version__
from gotrace.columns.batch import Batch, empty
from gotrace.columns.fields import SCHEMA_VERSION, Field
from gotrace.tables.frames import library

if TYPE_CHECKING:
    import pyarrow

_PLAIN = ("time", "wall", "address", "offset", "born", "died")  # columns whose values hardly repeat
_RISING = ("time", "wall", "offset")  # differences between rows are small


class _Output:
    """A file as pyarrow writes it. pyarrow completes an abandoned file, which is closed by then: that is ignored."""

    closed = False

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        """Write bytes."""
        return len(data) if self._out.closed else self._out.write(data)

    def flush(self) -> None:
        """Write what is in buffers."""
        if not self._out.closed:
            self._out.flush()


class _ArrowWriter:
    """Base of the writers."""

    rows = 1 << 18
    """Rows of a batch, and of a row group."""
    needs = "pyarrow"

    def __init__(self, out: BinaryIO, fields: list[Field]) -> None:
        schema = library("pyarrow", "export").schema(empty(fields))
        versions = {"gotrace.schema": str(SCHEMA_VERSION), "gotrace.version": __version__}
        self._batch = library("pyarrow", "export").record_batch
        self._writer = self._open(_Output(out), schema.with_metadata(versions))
        self.n = 0

    def _open(self, out: _Output, schema: pyarrow.Schema) -> Any:
        raise NotImplementedError

    def write(self, batch: Batch) -> None:
        """Append a batch."""
        self._writer.write_batch(self._batch(batch))
        self.n += len(batch)

    def finish(self) -> None:
        """Write the footer."""
        self._writer.close()


class ParquetWriter(_ArrowWriter):
    """Writes a row group per batch, so that none has rows of two traces."""

    def _open(self, out: _Output, schema: pyarrow.Schema) -> Any:
        return library("pyarrow.parquet", "export").ParquetWriter(
            out,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in schema.names if name not in _PLAIN],
            column_encoding={name: "DELTA_BINARY_PACKED" for name in schema.names if name in _RISING},
        )


class ArrowWriter(_ArrowWriter):
    """Writes an IPC file: lz4, and dictionaries that grow from batch to batch."""

    def _open(self, out: _Output, schema: pyarrow.Schema) -> Any:
        ipc = library("pyarrow.ipc", "export")
        return ipc.new_file(out, schema, options=ipc.IpcWriteOptions(compression="lz4", emit_dictionary_deltas=True))
