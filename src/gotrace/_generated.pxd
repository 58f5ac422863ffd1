# Written by tools/gen_pxd.py from dtypes.py, errors.py and spec/limits.py. Do not edit.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    OK = 0
    FULL = 1
    MORE = 2
    GROW_SPANS = 3
    GROW_PAGES = 4
    GROW_STACKS = 5
    GROW_LOOSE = 6
    GROW_CELLS = 7
    GROW_KEYS = 8
    CUT_VARINT = -1
    VARINT_OVERFLOW = -2
    CUT_BATCH = -3
    CUT_HEADER = -4
    NOT_A_BATCH = -5
    BATCH_TOO_BIG = -6
    GENERATION_ZERO = -7
    END_MARK_IN_BATCH = -8
    UNKNOWN_EVENT = -9
    UNTIMED_EVENT = -10
    WRONG_RECORD = -11
    STRING_TOO_LONG = -12
    STRING_CUT = -13
    DUPLICATE_STRING = -14
    STACK_TOO_DEEP = -15
    DUPLICATE_STACK = -16
    SECOND_FREQUENCY = -17
    ZERO_FREQUENCY = -18
    SECOND_CLOCK = -19
    UNKNOWN_STRING = -20
    UNKNOWN_STACK = -21
    WIDE_PROC = -22
    SPAN_TOO_BIG = -23
    BAD_KINDCLASS = -24
    STACK_ORDER_TOO_BIG = -25
    TYPE_CUT = -26
    TYPE_ID_ZERO = -27
    CUT_MARK = -28
    GENERATION_ORDER = -29
    GENERATION_MIXED = -30
    NO_END_MARK = -31
    NO_FREQUENCY = -32
    NO_CLOCK = -33
    NO_BATCHES = -34
    BAD_INFO = -35
    TYPE_NUMBER = -38

cdef enum:
    KIND_EVENTS = 0
    KIND_STRINGS = 1
    KIND_STACKS = 2
    KIND_SAMPLES = 3
    KIND_SYNC = 4
    KIND_EXPERIMENT = 5
    KIND_END = 6

cdef enum:
    WHAT_SPAN = 0
    WHAT_OBJECT = 1
    WHAT_STACK = 2

cdef enum:
    OP_EXISTS = 0
    OP_ALLOC = 1
    OP_FREE = 2

cdef enum:
    AHEAD = 128
    LEAF = 64
    GROUP = 32
    GROUPS = 32
    REPLAY = 8

cdef enum:
    SIZE_N_SPANS = 0
    SIZE_FREE_SPAN = 1
    SIZE_N_LEAVES = 2
    SIZE_N_STACKS = 3
    SIZE_N_LOOSE = 4
    SIZE_N_GROUPS = 5
    SIZE_FREE_GROUP = 6
    SIZE_N_KEYS = 7
    SIZE_HEAP_SPANS = 8
    SIZE_HEAP_SPAN_BYTES = 9
    SIZE_MANUAL_SPANS = 10
    SIZE_MANUAL_SPAN_BYTES = 11
    SIZE_STACKS = 12
    SIZE_STACK_BYTES = 13
    SIZE_LATE_STACK = 14
    SIZE_LATE_STACK_M = 15
    SIZE_EVENTS = 16
    SIZE_LATEST = 17

cdef enum:
    ODD_RELATIVE = 0
    ODD_UNRESOLVED_TYPE = 1
    ODD_OVERLAPPING_SPAN = 2
    ODD_UNKNOWN_SPAN_FREED = 3
    ODD_OBJECT_IN_FREED_SPAN = 4
    ODD_OBJECT_OUTSIDE = 5
    ODD_LIVE_SLOT_ALLOCATED = 6
    ODD_TINY_SHARED = 7
    ODD_UNKNOWN_OBJECT_FREED = 8
    ODD_STACK_OF_ORDER_0 = 9
    ODD_LIVE_STACK_ALLOCATED = 10
    ODD_UNKNOWN_STACK_FREED = 11
    ODD_LATE_FREE = 12

cdef enum:
    MAX_BATCH_SIZE = 65536
    MAX_STRING = 1024
    MAX_FRAMES = 128
    HEAP_ADDRESS_BITS = 48

cdef struct ALLOC:
    int64_t time
    uint64_t address
    int64_t size
    int64_t offset
    int64_t g
    int64_t m
    int32_t type
    int32_t p
    uint32_t generation
    uint8_t what
    uint8_t op
    uint8_t spanclass
    uint8_t inset

cdef struct EXPERIMENTAL:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    uint64_t args[4]
    int32_t p
    uint32_t generation
    uint8_t experiment
    uint8_t type
    uint8_t n_args

cdef struct BATCH:
    int64_t offset
    uint64_t time
    uint64_t generation
    int64_t m
    int32_t gen
    int32_t size
    uint8_t head
    uint8_t kind
    uint8_t experiment

cdef struct FAULT:
    int64_t offset
    uint64_t detail
    uint64_t limit
    int32_t status
    int32_t batch
    int32_t type

cdef struct CLOCK:
    uint64_t frequency
    uint64_t time
    uint64_t mono
    int64_t sec
    int64_t nsec
    uint8_t n_frequencies
    uint8_t n_snapshots

cdef struct RAW_STRING:
    uint64_t id
    int64_t offset
    int64_t at
    int32_t size
    int32_t gen

cdef struct RAW_STACK:
    uint64_t id
    int64_t offset
    int64_t first
    int32_t n_frames
    int32_t gen

cdef struct RAW_FRAME:
    uint64_t pc
    uint64_t function
    uint64_t file
    uint64_t line
    int32_t stack
    int32_t gen

cdef struct RAW_SAMPLE:
    int64_t offset
    uint64_t args[5]
    int32_t gen

cdef struct RAW_TYPE:
    uint64_t id
    uint64_t address
    uint64_t size
    uint64_t ptr_bytes
    int64_t at
    int64_t length

cdef struct GEN:
    uint64_t number
    double factor
    uint64_t heap_base
    uint64_t object_align
    uint64_t stack_align
    int64_t type_at
    int32_t first_run
    int32_t n_runs
    uint8_t page_shift
    uint8_t type_bits
    uint8_t relative

cdef struct RUN:
    int64_t due
    int64_t time
    int64_t next
    int64_t end
    int64_t base
    int64_t snapshot
    int64_t m
    int32_t batch
    int32_t last_batch
    int32_t ctx
    int32_t at
    int32_t n
    uint8_t fresh

cdef struct DECODED:
    uint64_t args[4]
    int64_t time
    int64_t start
    int32_t hint
    uint8_t type

cdef struct CTX:
    int64_t m
    int64_t g
    int32_t p
    uint8_t in_syscall

cdef struct SPAN:
    uint64_t base
    int64_t elem
    uint32_t reciprocal
    uint32_t n_slots
    uint8_t spanclass
    uint8_t over

cdef struct SPAN_REST:
    int32_t groups[32]
    int64_t bytes
    uint64_t page
    int64_t late
    int64_t late_m
    int64_t born
    int64_t born_m
    int64_t old_bytes
    int32_t n_pages
    int32_t next_free
    uint8_t old_spanclass

cdef struct COUNTS:
    int32_t type
    uint8_t spanclass
    int64_t alloc_objects
    int64_t alloc_bytes
    int64_t free_objects
    int64_t free_bytes
    int64_t start_objects
    int64_t start_bytes
