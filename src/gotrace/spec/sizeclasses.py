"""Size classes, page size and special span classes of Go's allocator. Never here: behaviour."""

CLASS_BYTES: tuple[int, ...] = (
    *(0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384),
    *(416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072),
    *(3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336),
    *(16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768),
)
"""Bytes of a slot by size class, the same from Go 1.22 to 1.27; class 0 is for large objects."""

LARGEST_SMALL = CLASS_BYTES[-1]
"""Bytes of the largest slot that has a size class; a larger object has a span of its own."""

PAGE_BYTES = 8192
"""Bytes of a heap page."""

HEADER_BYTES = 8
"""Bytes of a malloc header."""

HEADER_FROM = 512
"""Size in bytes of the largest object with pointers that has no malloc header."""

TINY_CLASS = 5
"""Span class of the tiny allocator, whose slots several objects share: 16 bytes, noscan."""

MANUAL = 254
"""Value in place of a span class: a manually managed span, such as one of goroutine stacks."""

UNKNOWN_CLASS = 255
"""Value in place of a span class: the span is unknown."""
