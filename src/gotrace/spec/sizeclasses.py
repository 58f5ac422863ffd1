"""Sizes that Go's allocator uses, and the numbers of span classes. Never here: behaviour."""

CLASS_BYTES: tuple[int, ...] = (
    *(0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384),
    *(416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072),
    *(3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336),
    *(16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768),
)
"""Bytes of an object by size class, the same from Go 1.22 to 1.27; class 0 are large objects."""

PAGE_BYTES = 8192
"""Bytes of a page of the heap."""

HEADER_FROM = 512
"""Bytes of the largest object with pointers that has no header."""

TINY_CLASS = 5
"""Span class whose slots tiny objects share: 16 bytes without pointers."""

MANUAL = 254
"""In place of a span class: a manually managed span, as of goroutine stacks."""

UNKNOWN_CLASS = 255
"""In place of a span class: no span is known."""
