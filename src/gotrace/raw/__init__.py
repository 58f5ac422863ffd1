"""Traces written: :class:`Writer` from records and arrays, :func:`assemble` from text, :class:`Reader` for copies.

Never here: what events mean.
"""

from gotrace.raw.batches import Batch, Reader, uvarint
from gotrace.raw.text import TextError, assemble, assemble_stream
from gotrace.raw.writer import Writer, allocfree_info, allocfree_types, event, string

__all__ = [
    "Batch",
    "Reader",
    "TextError",
    "Writer",
    "allocfree_info",
    "allocfree_types",
    "assemble",
    "assemble_stream",
    "event",
    "string",
    "uvarint",
]
