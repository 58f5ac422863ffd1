"""Limits of Go's trace reader and runtime. Never here: behaviour."""

MAX_BATCH_SIZE = 65536
"""Most data bytes of a batch: the runtime's buffers are 64 KiB."""

MAX_STRING = 1024
"""Most bytes of a string; the runtime truncates longer ones."""

MAX_FRAMES = 128
"""Most frames of a stack: the runtime unwinds no deeper."""

HEAP_ADDRESS_BITS = 48
"""Most bits of an address in Go's heap, and so of the size of a span or stack."""
