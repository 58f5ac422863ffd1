"""Write traces: records, arrays, text or batches come in, bytes of a trace go out.

:class:`Writer` takes records and arrays, :func:`assemble` takes text, :class:`Reader` yields batches to copy.
Never here: the meaning of events.
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
