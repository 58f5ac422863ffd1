"""Bounds that Go's reader sets. Never here: behaviour."""

MAX_BATCH_SIZE = 65536
"""Data bytes of a batch: the runtime's buffers are 64 KiB."""

MAX_STRING = 1024
"""Bytes of a string; the runtime cuts longer ones."""

MAX_FRAMES = 128
"""Frames of a stack, as deep as the runtime unwinds."""

HEAP_ADDRESS_BITS = 48
"""Go's heap never uses wider addresses: no span or stack is larger than this."""
