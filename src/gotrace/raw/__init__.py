"""Traces written plainly: :class:`Writer` batch by batch, :func:`assemble` from the text form. Never here: reading."""

from gotrace.raw.text import TextError, assemble, assemble_lines
from gotrace.raw.writer import Writer, allocfree_info, allocfree_types, event, string, uvarint

__all__ = [
    "TextError",
    "Writer",
    "allocfree_info",
    "allocfree_types",
    "assemble",
    "assemble_lines",
    "event",
    "string",
    "uvarint",
]
