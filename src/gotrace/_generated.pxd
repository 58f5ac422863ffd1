# Written by tools/gen_pxd.py from the row types, enums and limits of the package. Do not edit.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

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
    GROW_STATE = 9
    WAIT = 10
    NEW_NAME = 11
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
    NEEDS_THREAD = -40
    NEEDS_PROC = -41
    NEEDS_GOROUTINE = -42
    HAS_THREAD = -43
    HAS_PROC = -44
    HAS_GOROUTINE = -45
    GO_STATUS_NUMBER = -46
    PROC_STATUS_NUMBER = -47
    GO_STATUS_DIFFERS = -48
    PROC_STATUS_DIFFERS = -49
    PROC_WITHOUT_THREAD = -50
    UNKNOWN_PROC = -51
    UNKNOWN_GOROUTINE = -52
    LATE_GOROUTINE = -53
    WRONG_PROC_STATUS = -54
    WRONG_GO_STATUS = -55
    GOROUTINE_EXISTS = -56
    UNKNOWN_THREAD = -57
    OTHER_PROC = -58
    SYSCALL_WITHOUT_THREAD = -59
    OTHER_GOROUTINE = -60
    PROC_SEQ = -61
    RANGE_OPEN = -62
    RANGE_NOT_OPEN = -63
    MARK_RUNS = -64
    MARK_RUNS_NOT = -65
    MARK_KNOWN = -66
    TASK_ACTIVE = -67
    UNKNOWN_NAME = -68
    OTHER_REGION = -69
    NO_RULE = -70
    STUCK = -71
    UNKNOWN_STRING_ARG = -72
    UNKNOWN_STACK_ARG = -73
    NEXT_TRACE = -74
    INPUT_CHANGED = -75
    KIND_EVENTS = 0
    KIND_STRINGS = 1
    KIND_STACKS = 2
    KIND_SAMPLES = 3
    KIND_SYNC = 4
    KIND_EXPERIMENT = 5
    KIND_END = 6
    WHAT_SPAN = 0
    WHAT_OBJECT = 1
    WHAT_STACK = 2
    OP_EXISTS = 0
    OP_ALLOC = 1
    OP_FREE = 2
    AHEAD = 128
    RING = 16
    LEAF = 32
    GROUP = 32
    GROUPS = 32
    REPLAY = 8
    GRID = 128
    AGES = 64
    SPACE_N_SPANS = 0
    SPACE_FREE_SPAN = 1
    SPACE_N_LEAVES = 2
    SPACE_N_STACKS = 3
    SPACE_N_LOOSE = 4
    SPACE_N_GROUPS = 5
    SPACE_FREE_GROUP = 6
    SPACE_N_KEYS = 7
    SPACE_HEAP_SPANS = 8
    SPACE_HEAP_SPAN_BYTES = 9
    SPACE_MANUAL_SPANS = 10
    SPACE_MANUAL_SPAN_BYTES = 11
    SPACE_STACKS = 12
    SPACE_STACK_BYTES = 13
    SPACE_LATE_STACK = 14
    SPACE_LATE_STACK_M = 15
    HEAP_EVENTS = 16
    HEAP_LATEST = 17
    ANOMALY_RELATIVE = 0
    ANOMALY_UNRESOLVED_TYPE = 1
    ANOMALY_OVERLAPPING_SPAN = 2
    ANOMALY_UNKNOWN_SPAN_FREED = 3
    ANOMALY_OBJECT_IN_FREED_SPAN = 4
    ANOMALY_OBJECT_OUTSIDE = 5
    ANOMALY_LIVE_SLOT_ALLOCATED = 6
    ANOMALY_TINY_SHARED = 7
    ANOMALY_UNKNOWN_OBJECT_FREED = 8
    ANOMALY_STACK_OF_ORDER_0 = 9
    ANOMALY_LIVE_STACK_ALLOCATED = 10
    ANOMALY_UNKNOWN_STACK_FREED = 11
    ANOMALY_LATE_FREE = 12
    END_ALIVE = 0
    END_FREED = 1
    END_REUSED = 2
    END_SPAN = 3
    TIME_BAD = 0
    TIME_WAITING = 1
    TIME_RANGE = 2
    REGION_ENDED = 0
    REGION_GOROUTINE = 1
    REGION_OPEN = 2
    REGION_UNSEEN = 3
    STOP_NONE = 0
    STOP_PREEMPTED = 1
    STOP_BLOCKED = 2
    STOP_SYSCALL = 3
    STOP_UNKNOWN = 4
    REPLAY_INUSE_OBJECTS = 16
    REPLAY_INUSE_BYTES = 17
    REPLAY_TIME = 18
    REPLAY_CYCLE = 19
    REPLAY_PEAK_ID = 20
    REPLAY_RISING = 21
    REPLAY_PEAK_BYTES = 22
    REPLAY_PEAK_TIME = 23
    REPLAY_PEAK_CYCLE = 24
    REPLAY_PEAK_MEMORY = 25
    REPLAY_STOPPED = 31
    REPLAY_ROWS = 32
    REPLAY_PEAK_ROWS = 33
    REPLAY_MOST_BYTES = 34
    KEY_G = 0
    KEY_P = 1
    KEY_M = 2
    KEY_TASK = 3
    KEY_NAME = 4
    WAITS_SLOT_BITS = 14
    WAITS_SLOTS = 16384
    WAITS_MANY = 64
    RULE_NONE = 0
    RULE_EXPERIMENT = 1
    RULE_PROC_STATUS = 2
    RULE_PROC_START = 3
    RULE_PROC_STOP = 4
    RULE_PROC_STEAL = 5
    RULE_GO_STATUS = 6
    RULE_GO_CREATE = 7
    RULE_GO_CREATE_SYSCALL = 8
    RULE_GO_START = 9
    RULE_GO_LEAVE = 10
    RULE_GO_UNBLOCK = 11
    RULE_GO_SWITCH = 12
    RULE_GO_SYSCALL_BEGIN = 13
    RULE_GO_SYSCALL_END = 14
    RULE_GO_SYSCALL_END_BLOCKED = 15
    RULE_GO_DESTROY_SYSCALL = 16
    RULE_GO_RANGE_BEGIN = 17
    RULE_GO_RANGE_ACTIVE = 18
    RULE_GO_RANGE_END = 19
    RULE_PROC_RANGE_BEGIN = 20
    RULE_PROC_RANGE_ACTIVE = 21
    RULE_PROC_RANGE_END = 22
    RULE_GC_BEGIN = 23
    RULE_GC_ACTIVE = 24
    RULE_GC_END = 25
    RULE_USER = 26
    RULE_ON_PROC = 27
    RULE_TASK_BEGIN = 28
    RULE_TASK_END = 29
    RULE_REGION_BEGIN = 30
    RULE_REGION_END = 31
    EVENT_BAD = 0
    EVENT_SYNC = 1
    EVENT_METRIC = 2
    EVENT_LABEL = 3
    EVENT_STACK_SAMPLE = 4
    EVENT_RANGE_BEGIN = 5
    EVENT_RANGE_ACTIVE = 6
    EVENT_RANGE_END = 7
    EVENT_TASK_BEGIN = 8
    EVENT_TASK_END = 9
    EVENT_REGION_BEGIN = 10
    EVENT_REGION_END = 11
    EVENT_LOG = 12
    EVENT_STATE_TRANSITION = 13
    EVENT_EXPERIMENTAL = 14
    EV_EVENT_BATCH = 1
    EV_STACKS = 2
    EV_STACK = 3
    EV_STRINGS = 4
    EV_STRING = 5
    EV_CPU_SAMPLES = 6
    EV_CPU_SAMPLE = 7
    EV_FREQUENCY = 8
    EV_PROCS_CHANGE = 9
    EV_PROC_START = 10
    EV_PROC_STOP = 11
    EV_PROC_STEAL = 12
    EV_PROC_STATUS = 13
    EV_GO_CREATE = 14
    EV_GO_CREATE_SYSCALL = 15
    EV_GO_START = 16
    EV_GO_DESTROY = 17
    EV_GO_DESTROY_SYSCALL = 18
    EV_GO_STOP = 19
    EV_GO_BLOCK = 20
    EV_GO_UNBLOCK = 21
    EV_GO_SYSCALL_BEGIN = 22
    EV_GO_SYSCALL_END = 23
    EV_GO_SYSCALL_END_BLOCKED = 24
    EV_GO_STATUS = 25
    EV_STW_BEGIN = 26
    EV_STW_END = 27
    EV_GC_ACTIVE = 28
    EV_GC_BEGIN = 29
    EV_GC_END = 30
    EV_GC_SWEEP_BEGIN = 32
    EV_GC_SWEEP_END = 33
    EV_GC_MARK_ASSIST_BEGIN = 35
    EV_GC_MARK_ASSIST_END = 36
    EV_HEAP_ALLOC = 37
    EV_HEAP_GOAL = 38
    EV_GO_LABEL = 39
    EV_GO_SWITCH = 45
    EV_GO_SWITCH_DESTROY = 46
    EV_GO_CREATE_BLOCKED = 47
    EV_GO_STATUS_STACK = 48
    EV_EXPERIMENTAL_BATCH = 49
    EV_SYNC_BATCH = 50
    EV_CLOCK_SNAPSHOT = 51
    EV_END_OF_GENERATION = 52
    EV_SPAN = 128
    EV_SPAN_ALLOC = 129
    EV_SPAN_FREE = 130
    EV_HEAP_OBJECT = 131
    EV_HEAP_OBJECT_ALLOC = 132
    EV_HEAP_OBJECT_FREE = 133
    EV_GOROUTINE_STACK = 134
    EV_GOROUTINE_STACK_ALLOC = 135
    EV_GOROUTINE_STACK_FREE = 136
    EV_SYNC = 255
    GO_BAD = 0
    GO_RUNNABLE = 1
    GO_RUNNING = 2
    GO_SYSCALL = 3
    GO_WAITING = 4
    GO_FREE = 255
    PROC_BAD = 0
    PROC_RUNNING = 1
    PROC_IDLE = 2
    PROC_SYSCALL = 3
    PROC_SYSCALL_ABANDONED = 4
    GO_STATE_UNDETERMINED = 0
    GO_STATE_NOT_EXIST = 1
    GO_STATE_RUNNABLE = 2
    GO_STATE_RUNNING = 3
    GO_STATE_WAITING = 4
    GO_STATE_SYSCALL = 5
    PROC_STATE_UNDETERMINED = 0
    PROC_STATE_NOT_EXIST = 1
    PROC_STATE_RUNNING = 2
    PROC_STATE_IDLE = 3
    RESOURCE_NONE = 0
    RESOURCE_GOROUTINE = 1
    RESOURCE_PROC = 2
    RESOURCE_THREAD = 3
    GC_UNDETERMINED = 0
    GC_NOT_RUNNING = 1
    GC_RUNNING = 2
    ORDER_ANOMALY_PROC_STATUS_REPEATED = 0
    ORDER_ANOMALY_GO_STATUS_REPEATED = 1
    ORDER_ANOMALY_PROC_TWICE = 2
    ORDER_ANOMALY_GO_TWICE = 3
    ORDER_ANOMALY_PROC_CORRECTED = 4
    ORDER_ANOMALY_UNKNOWN_STACK = 5
    ORDER_ANOMALY_UNKNOWN_STRING = 6
    ORDER_ANOMALY_REGION_NOT_INNERMOST = 7
    ORDER_ANOMALY_REGION_NOT_OPEN = 8
    ORDER_ANOMALY_TASK_STARTS_TWICE = 9
    ROLE_NONE = 0
    ROLE_FOREVER = 1
    ROLE_PREEMPTED = 2
    ROLE_SWEEP_TERMINATION = 3
    ROLE_MARK_TERMINATION = 4
    ROLE_DEDICATED = 5
    ROLE_FRACTIONAL = 6
    ROLE_IDLE = 7
    ROLE_SYSTEM = 8
    SUM_WAIT = 0
    SUM_STW = 1
    SUM_SWEEP = 2
    SUM_ASSIST = 3
    ACTION_BLOCK = 0
    ACTION_UNBLOCK = 1
    ACTION_STOP = 2
    ACTION_CREATE = 3
    ACTION_DESTROY = 4
    ACTION_SYSCALL = 5
    ACTION_LONG_SYSCALL = 6
    ACTION_SWITCH = 7
    ACTION_GROW_STACK = 8
    ACTION_ASSIST = 9
    ACTION_LIVE_HEAP = 10
    REASON_PREEMPTED = 1
    REASON_GOSCHED = 2
    REASON_CHAN_RECEIVE = 3
    REASON_SELECT = 4
    REASON_SYNC = 5
    REASON_SLEEP = 6
    REASON_WORKER_IDLE = 7
    REASON_START_TRACE = 8
    REASON_SWEEP_TERMINATION = 9
    REASON_MARK_TERMINATION = 10
    REASON_DEDICATED = 11
    REASON_OTHERS = 12
    SIM_ANOMALY_TIMES_AHEAD = 1
    SIM_ANOMALY_SNAPSHOT_INTERLEAVED = 2
    SIM_ANOMALY_OUTSIDE_PROC = 4
    SIM_ANOMALY_WRONG_STATUS = 8
    SIM_ANOMALY_DROPPED = 16
    SIM_ANOMALY_NEXT_GENERATION = 32
    SIM_ANOMALY_UNDER_WAY = 64
    SIM_ANOMALY_IMPLICIT_FREE = 128
    PARAM_SEED = 0
    PARAM_PROCS = 1
    PARAM_GOROUTINES = 2
    PARAM_LIVE_BYTES = 3
    PARAM_LEAST_HEAP = 4
    PARAM_GOGC = 5
    PARAM_BUSY = 6
    PARAM_SHORT_RUN = 7
    PARAM_LONG_RUN = 8
    PARAM_LONG_SHARE = 9
    PARAM_PACE = 10
    PARAM_MARK_EVENTS = 11
    PARAM_OLD_SURVIVE = 12
    PARAM_CLUSTERED = 13
    PARAM_RELEASE = 14
    PARAM_QUIRKS = 15
    PARAM_N_STACKS = 16
    PARAM_HEAP_BASE = 17
    PARAM_FIRST_PAGE = 18
    PARAM_GENERATION_UNITS = 19
    PARAM_GENERATION_EVENTS = 20
    READ_NOW = 0
    READ_EVENTS = 1
    READ_GEN = 2
    READ_OUT = 3
    READ_N_SPANS = 4
    READ_N_PAGES = 5
    READ_N_CELLS = 6
    READ_N_GOROUTINES = 7
    READ_N_TYPE_IDS = 8
    READ_CYCLES = 9
    READ_STARTED = 10
    READ_LIVE_BYTES = 11
    READ_LIVE_OBJECTS = 12
    READ_LATE = 13
    READ_TRACED_EVENTS = 14
    TALLY_ALLOCS = 0
    TALLY_ALLOC_BYTES = 1
    TALLY_FREES = 2
    TALLY_FREE_BYTES = 3
    TALLY_START = 4
    TALLY_START_BYTES = 5
    ALLOC_FREE = 1
    MAX_BATCH_SIZE = 65536
    MAX_STRING = 1024
    MAX_FRAMES = 128
    HEAP_ADDRESS_BITS = 48
    PAGE_BYTES = 8192
    HEADER_FROM = 512
    TINY_CLASS = 5
    MANUAL = 254
    UNKNOWN_CLASS = 255

cdef extern from *:
    """
    #define GT_STARTS_G UINT64_C(0x600000018000)
    #define GT_STOPS_G UINT64_C(0x1a0000)
    #define GT_CHANGES_CONTEXT UINT64_C(0x1000003c43c00)
    """
    const uint64_t STARTS_G "GT_STARTS_G"
    const uint64_t STOPS_G "GT_STOPS_G"
    const uint64_t CHANGES_CONTEXT "GT_CHANGES_CONTEXT"

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

cdef struct STACK:
    uint64_t id
    int64_t first
    int32_t n_frames
    uint32_t generation

cdef struct FRAME:
    uint64_t pc
    uint64_t line
    int32_t function
    int32_t file
    int32_t stack

cdef struct SAMPLE:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int32_t stack
    int32_t p
    uint32_t generation

cdef struct SITE:
    int32_t type
    int32_t stack
    int64_t samples
    int64_t objects
    int64_t bytes
    double objects_error
    double bytes_error

cdef struct EVENT:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int32_t stack
    int32_t p
    uint32_t generation
    uint8_t kind
    uint8_t type
    uint8_t part

cdef struct TRANSITION:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int64_t id
    int32_t stack
    int32_t resource_stack
    int32_t reason
    int32_t p
    uint32_t generation
    uint8_t resource
    uint8_t old
    uint8_t new
    uint8_t type
    uint8_t part

cdef struct RANGE:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int64_t id
    int64_t swept
    int64_t reclaimed
    int32_t stack
    int32_t reason
    int32_t p
    uint32_t generation
    uint8_t kind
    uint8_t resource
    uint8_t type
    uint8_t start

cdef struct TASK:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int64_t task
    int64_t parent
    int32_t name
    int32_t stack
    int32_t p
    uint32_t generation
    uint8_t kind

cdef struct REGION:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int64_t task
    int32_t name
    int32_t stack
    int32_t p
    uint32_t generation
    uint8_t kind

cdef struct LOG:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int64_t task
    int32_t category
    int32_t message
    int32_t stack
    int32_t p
    uint32_t generation

cdef struct LABEL:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int32_t label
    int32_t p
    uint32_t generation

cdef struct METRIC:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int64_t value
    int32_t stack
    int32_t p
    uint32_t generation
    uint8_t type

cdef struct ESTIMATE:
    int64_t inuse_samples
    int64_t alloc_samples
    int64_t free_samples
    double inuse_objects_error
    double inuse_bytes_error
    double alloc_objects_error
    double alloc_bytes_error
    double free_objects_error
    double free_bytes_error

cdef struct LIFETIME:
    int64_t born
    int64_t died
    uint64_t address
    int64_t size
    int64_t offset
    int64_t g
    int32_t type
    int32_t born_cycle
    int32_t died_cycle
    int32_t age
    uint8_t spanclass
    uint8_t end

cdef struct STATE:
    int64_t start
    int64_t end
    int64_t offset
    int64_t g
    int64_t by_g
    int64_t m
    int64_t p_lost
    int32_t stack
    int32_t by_stack
    int32_t reason
    int32_t p
    uint32_t generation
    int32_t life
    uint8_t state
    uint8_t next_state
    uint8_t start_known

cdef struct GOROUTINE:
    int64_t created
    int64_t started
    int64_t ended
    int64_t g
    int64_t creator_g
    int64_t exec
    int64_t sched
    int64_t block
    int64_t syscall
    int64_t syscall_block
    int64_t total
    int64_t unknown
    int64_t sched_max
    int64_t starts
    int64_t assist
    int64_t sweep
    int64_t stw
    int32_t function
    int32_t stack
    int32_t life
    uint8_t state

cdef struct GOTIME:
    int64_t g
    int32_t life
    uint8_t kind
    int32_t name
    int64_t time
    int64_t count
    uint8_t start

cdef struct REGIONTIME:
    int64_t start
    int64_t end
    int64_t g
    int64_t task
    int64_t exec
    int64_t sched
    int64_t block
    int64_t syscall
    int64_t syscall_block
    int64_t total
    int32_t stack
    int32_t end_stack
    int32_t name
    int32_t depth
    uint8_t inherited
    uint8_t end_kind

cdef struct TASKTIME:
    int64_t start
    int64_t end
    int64_t task
    int64_t parent
    int64_t g
    int64_t end_g
    int32_t regions
    int32_t logs
    int32_t goroutines
    int32_t name

cdef struct PAUSE:
    int64_t start
    int64_t stopped
    int64_t restarted
    int64_t end
    int64_t g
    int64_t m
    int64_t culprit_g
    int64_t culprit_m
    int32_t reason
    int32_t stack
    int32_t culprit_stack
    int32_t p
    int32_t culprit_p
    uint8_t stop_kind

cdef struct CYCLE:
    int64_t start
    int64_t end
    int64_t live_start
    int64_t live_end
    int64_t goal
    int64_t assist
    int64_t assists
    int64_t dedicated
    int64_t fractional
    int64_t idle
    int64_t swept
    int64_t reclaimed
    int32_t sweep_pause
    int32_t mark_pause
    int32_t number

cdef struct PROC:
    int64_t id
    int64_t running
    int64_t idle
    int64_t syscall
    int64_t gc
    int64_t starts
    int64_t steals

cdef struct THREAD:
    int64_t id
    int64_t running
    int64_t idle
    int64_t syscall
    int64_t gc
    int64_t starts
    int64_t steals

cdef struct FAULT:
    int64_t offset
    uint64_t detail
    uint64_t limit
    int32_t status
    int32_t batch
    int32_t type

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

cdef struct RAW_STRING:
    uint64_t id
    int64_t offset
    int64_t at
    int32_t length
    int32_t gen

cdef struct RAW_STACK:
    uint64_t id
    int64_t offset
    int64_t first
    int32_t n_frames
    int32_t gen

cdef struct RAW_PC:
    uint64_t pc
    uint64_t function
    uint64_t file
    uint64_t line
    int32_t stack
    int32_t gen

cdef struct PC_CACHE:
    uint64_t pc
    int32_t row
    int32_t gen

cdef struct RAW_SAMPLE:
    int64_t offset
    uint64_t args[5]
    int32_t gen

cdef struct CLOCK:
    uint64_t frequency
    uint64_t time
    uint64_t mono
    int64_t sec
    int64_t nsec
    uint8_t n_frequencies
    uint8_t n_snapshots

cdef struct GENERATION_ROW:
    uint64_t number
    double factor
    uint64_t heap_base
    uint64_t object_align
    uint64_t stack_align
    int64_t type_at
    int32_t first_cursor
    int32_t n_cursors
    uint8_t page_shift
    uint8_t type_bits
    uint8_t relative

cdef struct CURSOR:
    int64_t due
    int64_t time
    int64_t next
    int64_t end
    int64_t base
    int64_t snapshot
    int64_t m
    int32_t batch
    int32_t last_batch
    int32_t at
    int32_t n
    int32_t first

cdef struct DECODED:
    uint64_t args[4]
    int64_t time
    int64_t start
    int32_t stack
    int32_t name
    uint8_t type
    uint8_t unused[7]

cdef struct COMPACT:
    int64_t time
    uint64_t arg
    int64_t place
    int32_t page_slot
    int32_t type_row

cdef struct CONTEXT:
    int64_t g
    int64_t m
    int32_t p
    uint8_t in_syscall

cdef struct PICKED:
    int64_t time
    int64_t offset
    int64_t last
    int64_t m
    uint64_t args[4]
    int32_t gen
    uint8_t type

cdef struct RAW_TYPE:
    uint64_t id
    uint64_t address
    uint64_t size
    uint64_t ptr_bytes
    int64_t at
    int64_t length

cdef struct ORDERED:
    int64_t time
    int64_t offset
    int64_t g
    int64_t m
    int32_t stack
    int32_t p
    uint32_t generation
    uint8_t kind
    uint8_t type
    uint8_t part
    uint8_t zero
    int64_t args[4]
    int32_t stack2
    int32_t name
    int32_t text
    uint8_t old
    uint8_t new
    uint8_t resource

cdef struct SPEC:
    uint8_t kind
    uint8_t rule
    uint8_t start
    uint8_t creates
    uint8_t bulk
    int8_t stack
    int8_t stack2
    int8_t string
    int8_t string2
    uint8_t needs[3]

cdef struct ID_SLOT:
    int64_t key
    int32_t row
    int32_t kind

cdef struct G_STATE:
    int64_t id
    int64_t generation
    int64_t seq
    int32_t regions
    int32_t ranges
    uint8_t status

cdef struct P_STATE:
    int64_t id
    int64_t generation
    int64_t seq
    int32_t ranges
    uint8_t status

cdef struct M_STATE:
    int64_t id
    int64_t g
    int64_t p
    uint8_t known

cdef struct OPEN_RANGE:
    int64_t description
    int32_t name
    int32_t next
    uint8_t type

cdef struct OPEN_REGION:
    int64_t task
    int32_t name
    int32_t next

cdef struct ACTIVE_TASK:
    int64_t id
    int64_t parent
    int32_t name
    int32_t next

cdef struct NAME:
    int64_t key
    int64_t at
    int32_t length
    int32_t row

cdef struct NOTE:
    int64_t offset
    int64_t id
    uint8_t what

cdef struct FRONTIER:
    int64_t time
    int32_t cursor

cdef struct WAITER:
    int64_t since
    int32_t slot

cdef struct SCHED:
    int64_t initial
    int64_t gc_seq
    int64_t last
    int64_t syncs
    int64_t n_name_bytes
    int32_t n_ps
    int32_t n_ms
    int32_t n_names
    int32_t n_ids
    int32_t free_g
    int32_t free_task
    int32_t free_range
    int32_t free_region
    uint8_t started
    uint8_t gc

cdef struct PAGE:
    int32_t span
    uint16_t n_slots
    uint8_t spanclass
    uint8_t index

cdef struct SPAN:
    int32_t groups[32]
    uint64_t page
    int64_t bytes
    int64_t elem
    int64_t late
    int64_t late_m
    int64_t born
    int64_t born_m
    int64_t old_bytes
    uint32_t n_slots
    int32_t n_pages
    int32_t next_free
    uint8_t spanclass
    int32_t owed
    uint8_t over
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

cdef struct MOMENT:
    int64_t alloc_objects
    int64_t alloc_bytes
    int64_t free_objects
    int64_t free_bytes
    int64_t inuse_objects
    int64_t inuse_bytes
    int64_t span_bytes
    int64_t manual_bytes
    int64_t stack_bytes
    int64_t most_bytes

cdef struct HELD_SPAN:
    uint64_t base
    int64_t elem
    uint32_t reciprocal
    uint32_t n_slots
    int32_t live
    int32_t n_pages
    int32_t owed
    uint8_t spanclass
    uint8_t over
    int32_t groups[32]
    int64_t bytes
    int64_t late
    int64_t late_m
    int64_t born
    int64_t born_m
    int32_t next_free

cdef struct CELL:
    int64_t born
    int64_t offset
    int64_t g
    int32_t key
    int32_t cycle

cdef struct TALLY:
    int64_t label
    int64_t counts[6]
    int64_t peak[6]
    int64_t aged[2]
    int64_t old_frees
    int64_t peak_id
    int32_t type
    uint8_t spanclass

cdef struct HEAP_CYCLE:
    int64_t alloc_objects
    int64_t alloc_bytes
    int64_t free_objects
    int64_t free_bytes
    int64_t inuse_objects
    int64_t inuse_bytes

cdef struct LIFE:
    int64_t id
    int64_t created
    int64_t started
    int64_t creator
    int64_t since
    int64_t offset
    int64_t m
    int64_t p_lost
    uint64_t exec
    uint64_t sched
    uint64_t block
    uint64_t syscall
    uint64_t syscall_block
    uint64_t sched_max
    uint64_t starts
    int32_t stack
    int32_t reason
    int32_t p
    uint32_t generation
    int32_t life
    int32_t function
    int32_t creator_stack
    int32_t regions
    int32_t n_regions
    int32_t sums
    int32_t n_sums
    int32_t p_row
    int32_t m_row
    uint8_t state
    uint8_t start_known
    uint8_t over
    uint8_t assists
    uint8_t worker

cdef struct SUM:
    uint64_t key
    uint64_t time
    int64_t count
    int64_t since
    int32_t name
    int32_t next
    int32_t pause
    uint8_t start

cdef struct WORK:
    int64_t start
    int64_t task
    uint64_t exec
    uint64_t sched
    uint64_t block
    uint64_t syscall
    uint64_t syscall_block
    int32_t name
    int32_t stack
    int32_t next
    int32_t depth
    uint8_t inherited

cdef struct OPEN_TASK:
    int64_t id
    int64_t start
    int64_t parent
    int64_t g
    int32_t name
    int32_t regions
    int32_t logs
    int32_t goroutines
    int32_t members
    uint8_t used

cdef struct MEMBER:
    int32_t task
    int32_t life
    int32_t next_of_task
    int32_t prev_of_task
    int32_t next_of_life
    int32_t prev_of_life

cdef struct OPEN_PAUSE:
    int64_t start
    int64_t stopped
    int64_t restarted
    int64_t end
    int64_t g
    int64_t m
    int64_t culprit_g
    int64_t culprit_m
    int32_t reason
    int32_t stack
    int32_t culprit_stack
    int32_t p
    int32_t culprit_p
    uint8_t stop_kind
    int32_t cycle

cdef struct PROC_USE:
    int64_t id
    int64_t since
    int64_t started
    int64_t last_g
    int64_t sweeper
    uint64_t running
    uint64_t idle
    uint64_t syscall
    uint64_t gc
    int64_t starts
    int64_t steals
    int32_t last_stack
    int32_t m_row
    int32_t in_syscall
    uint8_t state
    uint8_t last_kind
    uint8_t marks
    uint8_t sweeps

cdef struct THREAD_USE:
    int64_t id
    int64_t since
    uint64_t known
    uint64_t running
    uint64_t syscall
    uint64_t gc
    int64_t starts
    int64_t steals

cdef struct NAMED:
    int32_t row
    uint8_t role

cdef struct OPEN_WORK:
    int64_t id
    int32_t label
    int32_t shown
    int32_t next
    int32_t depth

cdef struct COPY:
    int64_t target
    int64_t nulls
    int64_t null
    int64_t n_nulls
    int32_t source
    int32_t width
    uint8_t mapped

cdef struct SIM_M:
    int64_t id
    uint64_t base
    uint64_t last
    int32_t g
    int32_t p
    int32_t at
    int32_t next

cdef struct SIM_P:
    int64_t seq
    int64_t reported
    uint64_t tiny
    int32_t tiny_at
    int32_t m
    int32_t place
    int32_t cycle
    int32_t state

cdef struct SIM_G:
    int64_t id
    int64_t seq
    int64_t reported
    int32_t m
    int32_t span
    int32_t slot
    int32_t order
    int32_t next
    int32_t state

cdef struct SIM_SPAN:
    uint64_t live[16]
    uint64_t old[16]
    int64_t page
    int64_t pages
    int64_t elem
    int64_t cells
    int32_t slots
    int32_t taken
    int32_t look
    int32_t spanclass
    int32_t cycle
    int32_t next
