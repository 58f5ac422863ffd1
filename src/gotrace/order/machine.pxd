# The C types of machine.py, which also runs uncompiled without them. What nearly every event calls is declared inline:
# compilers leave it as calls otherwise, which takes 10% more time. Never here: behaviour.
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gotrace._generated cimport (
    ACTIVE_TASK, CURSOR, DECODED, EVENT_LABEL, EVENT_STACK_SAMPLE, EVENT_SYNC, EV_CPU_SAMPLE, EV_GC_SWEEP_END,
    EV_GO_BLOCK, EV_GO_CREATE_BLOCKED, EV_GO_DESTROY, EV_GO_START, EV_GO_STOP, EV_GO_SWITCH, EV_PROC_STEAL,
    EV_STW_BEGIN, EV_STW_END, EV_SYNC, FAULT, FRONTIER, FULL, GC_NOT_RUNNING, GC_RUNNING, GC_UNDETERMINED,
    GOROUTINE_EXISTS, GO_FREE, GO_RUNNABLE, GO_RUNNING, GO_STATE_NOT_EXIST, GO_STATE_RUNNABLE, GO_STATE_RUNNING,
    GO_STATE_SYSCALL, GO_STATE_UNDETERMINED, GO_STATE_WAITING, GO_STATUS_DIFFERS, GO_STATUS_NUMBER, GO_SYSCALL,
    GO_WAITING, GROW_STATE, G_STATE, HAS_GOROUTINE, HAS_PROC, HAS_THREAD, ID_SLOT, KEY_G, KEY_M, KEY_NAME, KEY_P,
    KEY_TASK, LATE_GOROUTINE, MARK_KNOWN, MARK_RUNS, MARK_RUNS_NOT, MAX_STRING, MORE, M_STATE, NAME, NEEDS_GOROUTINE,
    NEEDS_PROC, NEEDS_THREAD, NOTE, NO_RULE, OK, OPEN_RANGE, OPEN_REGION, ORDERED, ORDER_ANOMALY_GO_STATUS_REPEATED,
    ORDER_ANOMALY_GO_TWICE, ORDER_ANOMALY_PROC_CORRECTED, ORDER_ANOMALY_PROC_STATUS_REPEATED, ORDER_ANOMALY_PROC_TWICE,
    ORDER_ANOMALY_REGION_NOT_INNERMOST, ORDER_ANOMALY_REGION_NOT_OPEN, ORDER_ANOMALY_TASK_STARTS_TWICE,
    ORDER_ANOMALY_UNKNOWN_STACK, ORDER_ANOMALY_UNKNOWN_STRING, OTHER_GOROUTINE, OTHER_PROC, OTHER_REGION, PROC_IDLE,
    PROC_RUNNING, PROC_SEQ, PROC_STATE_IDLE, PROC_STATE_NOT_EXIST, PROC_STATE_RUNNING, PROC_STATE_UNDETERMINED,
    PROC_STATUS_DIFFERS, PROC_STATUS_NUMBER, PROC_SYSCALL, PROC_SYSCALL_ABANDONED, PROC_WITHOUT_THREAD, P_STATE,
    RANGE_NOT_OPEN, RANGE_OPEN, RAW_STRING, RESOURCE_GOROUTINE, RESOURCE_NONE, RESOURCE_PROC, RULE_EXPERIMENT,
    RULE_GC_ACTIVE, RULE_GC_BEGIN, RULE_GC_END, RULE_GO_CREATE, RULE_GO_CREATE_SYSCALL, RULE_GO_DESTROY_SYSCALL,
    RULE_GO_LEAVE, RULE_GO_RANGE_ACTIVE, RULE_GO_RANGE_BEGIN, RULE_GO_RANGE_END, RULE_GO_START, RULE_GO_STATUS,
    RULE_GO_SWITCH, RULE_GO_SYSCALL_BEGIN, RULE_GO_SYSCALL_END, RULE_GO_SYSCALL_END_BLOCKED, RULE_GO_UNBLOCK,
    RULE_ON_PROC, RULE_PROC_RANGE_ACTIVE, RULE_PROC_RANGE_BEGIN, RULE_PROC_RANGE_END, RULE_PROC_START, RULE_PROC_STATUS,
    RULE_PROC_STEAL, RULE_PROC_STOP, RULE_REGION_BEGIN, RULE_REGION_END, RULE_TASK_BEGIN, RULE_TASK_END, RULE_USER,
    SAMPLE, SCHED, SPEC, STUCK, SYSCALL_WITHOUT_THREAD, TASK_ACTIVE, UNKNOWN_GOROUTINE, UNKNOWN_NAME, UNKNOWN_PROC,
    UNKNOWN_STACK_ARG, UNKNOWN_STRING_ARG, UNKNOWN_THREAD, WAIT, WIDE_PROC, WRONG_GO_STATUS, WRONG_PROC_STATUS,
)
from gotrace.order._gosort cimport sort_rows
from gotrace.order._lookahead cimport Lookahead
from gotrace.order._waits cimport Waits

ctypedef const DECODED *Event
ctypedef ORDERED *Row
ctypedef CURSOR *Cursor
ctypedef const SAMPLE *Sample
ctypedef const SPEC *Spec


@cython.locals(place=int64_t)
cdef int64_t hash_slot(int64_t key, int kind, uint64_t multiplier, int shift) noexcept nogil


@cython.locals(mixed=uint64_t)
cdef uint64_t hash_step(uint64_t h, uint8_t byte, uint64_t multiplier) noexcept nogil


@cython.locals(number=int64_t)
cdef int64_t signed(uint64_t h) noexcept nogil


@cython.locals(low=uint32_t)
cdef uint32_t low32(int64_t number) noexcept nogil


@cython.locals(is_next=bint)
cdef bint follows(int64_t seq, int64_t last) noexcept nogil


cdef int go_state(int status) noexcept nogil


cdef int proc_state(int status) noexcept nogil


@cython.final
cdef class Machine:
    # The state, see state.py.
    cdef uint64_t multiplier
    cdef int64_t forever
    cdef int shift
    cdef int64_t mask
    cdef SCHED[::1] sched
    cdef ID_SLOT[::1] id_table
    cdef G_STATE[::1] gs
    cdef P_STATE[::1] ps
    cdef M_STATE[::1] ms
    cdef OPEN_RANGE[::1] ranges
    cdef OPEN_REGION[::1] regions
    cdef ACTIVE_TASK[::1] tasks
    cdef NAME[::1] names
    cdef uint8_t[::1] name_bytes
    cdef NOTE[::1] odd
    # The slab, see SlabInput in state.py.
    cdef Lookahead pool
    cdef Waits waits
    cdef CURSOR[::1] cursors
    cdef DECODED[::1] events
    cdef int64_t base
    cdef FAULT[::1] faults
    cdef const uint8_t[::1] data
    cdef const SPEC[::1] spec
    cdef const ORDERED[::1] blanks
    cdef const int64_t[::1] numbers
    cdef const double[::1] factors
    cdef const int64_t[::1] starts
    cdef const int32_t[::1] first_cursor
    cdef const SAMPLE[::1] samples
    cdef const int32_t[::1] first_sample
    cdef int32_t[::1] rows_of
    cdef FRONTIER[::1] front
    cdef const int64_t[::1] string_at
    cdef const int64_t[::1] string_bits
    cdef const int64_t[::1] string_keys
    cdef const int32_t[::1] string_vals
    cdef const RAW_STRING[::1] string_rows
    cdef int string_base
    cdef int32_t[::1] name_of_row
    cdef const int64_t[::1] stack_at
    cdef const int64_t[::1] stack_bits
    cdef const int64_t[::1] stack_keys
    cdef const int32_t[::1] stack_vals
    cdef int stack_base
    # The generation's ranges of the string and stack tables; a mask of -1: the generation has none.
    cdef int64_t string_first, stack_first
    cdef int string_shift, stack_shift, string_mask, stack_mask
    # The current position.
    cdef ORDERED[:] out
    cdef readonly int n_front, gen
    cdef public int n_odd
    cdef bint mends, known      # known: the rows of stacks and strings are already set in decoded events
    cdef bint whole             # rows do not overlap
    cdef int n, room, n_gens, begun, any_at, sample, last_sample
    cdef int64_t number
    # The current event and its thread's context before it.
    cdef Event event
    cdef int type, m_row, cursor
    cdef int64_t m, g, p
    cdef int bad, ended_name
    cdef int64_t bad_id, bad_offset

    @cython.locals(i=int)
    cpdef object enter_all(self, int kind, const int64_t[::1] keys, const int32_t[::1] rows)
    cpdef int order(self)
    cpdef void go_to(self, int gen) noexcept nogil

    @cython.locals(status=int)
    cdef int run(self) noexcept nogil

    @cython.locals(first=int, i=int, n_cursors=int, cursor=int, status=int)
    cdef int begin(self) noexcept nogil

    @cython.locals(thread=Cursor)
    cdef inline int next_event(self, int cursor) noexcept nogil

    @cython.locals(thread=Cursor)
    cpdef int place(self, int cursor) noexcept nogil
    cdef inline Event at_hand(self, int cursor) noexcept nogil

    @cython.locals(bound=int64_t, event=Event, n=int, row=int, cursor=int, status=int)
    cdef int run_earliest(self) noexcept nogil

    @cython.locals(status=int)
    cdef inline int copy_through(self, int cursor, int row, int64_t bound) noexcept nogil

    @cython.locals(bound=int64_t)
    cdef inline int64_t bound(self) noexcept nogil

    @cython.locals(n=int, cursor=int, status=int)
    cdef int run_any(self) noexcept nogil

    cdef int check_ids(self, int n) noexcept nogil
    cdef int stop(self, int status, int64_t detail, int64_t limit) noexcept nogil

    @cython.locals(moved=int)
    cdef int sift_up(self, int i) noexcept nogil

    @cython.locals(child=int, cursor=int, time=int64_t)
    cdef inline void sift_down(self, int i) noexcept nogil

    cdef void remove(self, int i) noexcept nogil
    cdef bint less(self, int i, int j) noexcept nogil

    @cython.locals(cursor=int, time=int64_t)
    cdef void swap(self, int i, int j) noexcept nogil

    cdef bint has_room(self, int threads) noexcept nogil

    @cython.locals(i=int)
    cdef inline int find(self, int kind, int64_t key) noexcept nogil

    @cython.locals(i=int)
    cdef void enter(self, int kind, int64_t key, int row) noexcept nogil

    @cython.locals(home=int, i=int, j=int)
    cdef void leave(self, int kind, int64_t key) noexcept nogil

    cdef inline int goroutine(self, int64_t gid) noexcept nogil

    @cython.locals(row=int)
    cdef void new_goroutine(self, int64_t gid, int status) noexcept nogil

    cdef void forget(self, int row) noexcept nogil

    @cython.locals(row=int)
    cdef int thread(self, int64_t mid) noexcept nogil

    cdef inline void bind_g(self, int64_t gid) noexcept nogil
    cdef void bind_p(self, int64_t pid) noexcept nogil

    @cython.locals(at=int64_t, h=uint64_t, i=int, key=int64_t, name=int, place=int, size=int)
    cdef int intern(self, int row) noexcept nogil

    @cython.locals(i=int)
    cdef bint same_bytes(self, int64_t at, int64_t other, int size) noexcept nogil

    @cython.locals(first=int64_t, i=int)
    cdef inline int string(self, int64_t key) noexcept nogil

    @cython.locals(first=int64_t, i=int)
    cdef inline int stack(self, int64_t key) noexcept nogil

    cdef int find_range(self, int head, int kind, int64_t description) noexcept nogil

    @cython.locals(last=int, row=int)
    cdef int add_range(self, int head, int kind, int64_t description, int name) noexcept nogil

    @cython.locals(before=int, last=int, row=int)
    cdef int end_range(self, int head, int kind) noexcept nogil

    @cython.locals(after=int)
    cdef int free_range(self, int row) noexcept nogil

    @cython.locals(after=int)
    cdef int free_region(self, int row) noexcept nogil

    @cython.locals(event=Event, j=int, row=Row, spec=Spec)
    cdef void put_row(self, int kind, int part, int64_t m, int64_t g, int64_t p) noexcept nogil

    cdef void put_names(self, Row row, Event event, Spec spec) noexcept nogil

    @cython.locals(row=int)
    cdef inline int stack_of(self, int place) noexcept nogil

    @cython.locals(string=int)
    cdef int name_in(self, int place) noexcept nogil

    @cython.locals(row=int)
    cdef inline int string_of(self, int place) noexcept nogil

    cdef int unknown(self, int status, int place) noexcept nogil

    @cython.locals(row=Row)
    cdef inline void set_transition(self, int resource, int64_t rid, int old, int new) noexcept nogil

    @cython.locals(row=Row)
    cdef void set_range(self, int resource, int64_t rid) noexcept nogil

    cdef inline void put(self) noexcept nogil

    @cython.locals(row=Row)
    cdef void put_sync(self) noexcept nogil

    @cython.locals(row=Row, sample=Sample)
    cdef void put_sample(self) noexcept nogil

    @cython.locals(row=Row)
    cdef Row blank(self, int64_t time) noexcept nogil
    cdef inline int64_t monotonic(self, int64_t time) noexcept nogil

    @cython.locals(rule=int, spec=Spec)
    cdef int attempt(self, int cursor, int row, Event event) noexcept nogil

    cdef inline int64_t arg(self, int place) noexcept nogil
    cdef inline int require(self, int m, int p, int g) noexcept nogil
    cdef bint next_of_goroutine(self, int row, int64_t seq) noexcept nogil
    cdef bint next_of_proc(self, int row, int64_t seq) noexcept nogil
    cdef bint fits_int32(self, int64_t pid) noexcept nogil

    @cython.locals(status=int)
    cdef int experiment(self) noexcept nogil

    @cython.locals(status=int)
    cdef int user(self) noexcept nogil

    @cython.locals(status=int)
    cdef int on_proc(self) noexcept nogil

    @cython.locals(old=int, owner=int, pid=int64_t, row=int, reported=int, shown=int, status=int)
    cdef int proc_status(self) noexcept nogil

    @cython.locals(following=int)
    cdef bint flushes(self) noexcept nogil

    @cython.locals(i=int)
    cdef void note(self, int what, int64_t rid) noexcept nogil

    @cython.locals(row=int)
    cdef bint other_owner(self, int64_t pid) noexcept nogil

    @cython.locals(row=int)
    cdef bint other_runner(self, int64_t gid) noexcept nogil

    @cython.locals(row=int)
    cdef int owner(self, int64_t pid) noexcept nogil

    @cython.locals(pid=int64_t, row=int, status=int)
    cdef int proc_start(self) noexcept nogil

    @cython.locals(row=int, status=int)
    cdef int proc_stop(self) noexcept nogil

    @cython.locals(before=int, in_syscall=bint, pid=int64_t, row=int, status=int, victim=int)
    cdef int proc_steal(self) noexcept nogil

    @cython.locals(bound=int64_t, g=int64_t, gid=int64_t, initial=int, m=int64_t, mid=int64_t, old=int, other=int,
                   row=int, reported=int)
    cdef int go_status(self) noexcept nogil

    @cython.locals(gid=int64_t, made=int, row=int, status=int)
    cdef int go_create(self) noexcept nogil

    @cython.locals(gid=int64_t, status=int)
    cdef int go_create_syscall(self) noexcept nogil

    @cython.locals(proc=int, row=int, status=int)
    cdef int go_destroy_syscall(self) noexcept nogil

    @cython.locals(row=int, status=int)
    cdef inline int running(self) noexcept nogil

    @cython.locals(row=int)
    cdef int go_leave(self) noexcept nogil

    @cython.locals(gid=int64_t, row=int, status=int)
    cdef int go_start(self) noexcept nogil

    @cython.locals(gid=int64_t, row=int)
    cdef int go_unblock(self) noexcept nogil

    @cython.locals(gid=int64_t, other=int, row=int)
    cdef int go_switch(self) noexcept nogil

    @cython.locals(proc=int, row=int)
    cdef int go_syscall_begin(self) noexcept nogil

    @cython.locals(proc=int, row=int, status=int)
    cdef int go_syscall_end(self) noexcept nogil

    @cython.locals(proc=int, row=int, status=int)
    cdef int go_syscall_end_blocked(self) noexcept nogil

    @cython.locals(description=int64_t, name=int, row=int, status=int, string=int)
    cdef int go_range_begin(self) noexcept nogil

    @cython.locals(begin=int, known=int, row=int)
    cdef int go_range_active(self) noexcept nogil

    @cython.locals(head=int, row=int, status=int)
    cdef int go_range_end(self) noexcept nogil

    @cython.locals(row=int, status=int)
    cdef int proc_range_begin(self) noexcept nogil

    @cython.locals(begin=int, known=int, pid=int64_t, row=int)
    cdef int proc_range_active(self) noexcept nogil

    @cython.locals(head=int, row=int, status=int)
    cdef int proc_range_end(self) noexcept nogil

    cdef bint next_gc(self) noexcept nogil

    @cython.locals(status=int)
    cdef int gc_active(self) noexcept nogil

    @cython.locals(status=int)
    cdef int gc_begin(self) noexcept nogil

    @cython.locals(status=int)
    cdef int gc_end(self) noexcept nogil

    @cython.locals(key=int64_t, row=int, status=int, string=int)
    cdef int task_begin(self) noexcept nogil

    @cython.locals(row=int, status=int)
    cdef int task_end(self) noexcept nogil

    @cython.locals(row=Row)
    cdef void of_task(self, int64_t key, int64_t parent) noexcept nogil

    @cython.locals(region=int, row=int, status=int, string=int)
    cdef int region_begin(self) noexcept nogil

    @cython.locals(before=int, name=int, region=int, row=int, status=int, string=int)
    cdef int region_end(self) noexcept nogil
