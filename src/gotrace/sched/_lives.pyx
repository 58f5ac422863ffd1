"""What goroutines do: rows of ORDERED come in; STATE, GOROUTINE, GOTIME, REGIONTIME and TASKTIME go out.

One accumulator for each live goroutine, open region and active task, in tables that the caller owns. Never here: text,
or the order of events.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport (
    EVENT_EXPERIMENTAL, EVENT_LABEL, EVENT_LOG, EVENT_METRIC, EVENT_RANGE_ACTIVE, EVENT_RANGE_BEGIN, EVENT_RANGE_END,
    EVENT_REGION_BEGIN, EVENT_REGION_END, EVENT_STACK_SAMPLE, EVENT_STATE_TRANSITION, EVENT_SYNC, EVENT_TASK_BEGIN,
    EVENT_TASK_END, EV_GC_MARK_ASSIST_BEGIN, EV_GC_SWEEP_BEGIN, EV_STW_BEGIN, EV_STW_END, FULL, GOROUTINE, GOTIME,
    GO_STATE_NOT_EXIST, GO_STATE_RUNNABLE, GO_STATE_RUNNING, GO_STATE_SYSCALL, GO_STATE_UNDETERMINED, GO_STATE_WAITING,
    GROW_STATE, LIFE, MEMBER, NAMED, NEW_NAME, OK, OPEN_TASK, ORDERED, PROC_STATE_IDLE, PROC_USE, RAW_STACK, REGIONTIME,
    REGION_ENDED, REGION_GOROUTINE, REGION_OPEN, REGION_UNSEEN, RESOURCE_GOROUTINE, RESOURCE_NONE, RESOURCE_PROC,
    ROLE_DEDICATED, ROLE_FOREVER, ROLE_IDLE, ROLE_NONE, ROLE_PREEMPTED, ROLE_SYSTEM, STATE, STOP_BLOCKED,
    STOP_PREEMPTED, SUM, SUM_ASSIST, SUM_STW, SUM_SWEEP, SUM_WAIT, TASKTIME, TIME_RANGE, TIME_WAITING, WORK,
)
from gotrace._hashmap cimport HashMap, place, remove, value_of
from gotrace.order.machine cimport Machine
from gotrace.sched._procs cimport Procs, add, span

cdef enum:
    NEAR = 1024         # goroutines that are found without a map, unless they share the low bits of their ids
    UNNAMED = -1        # the name must be entered by the caller first
    WORD = 64           # ids in a word of past


@cython.final
cdef class Lives:
    """Live goroutines, with their sums, regions and tasks.

    ``follow`` stops at a row that needs more than there is: room in a table or in the output, or a name that is used
    for the first time. It changes nothing for that row.
    """

    cdef LIFE[::1] lives
    cdef SUM[::1] sums
    cdef WORK[::1] regions
    cdef OPEN_TASK[::1] tasks
    cdef MEMBER[::1] members
    cdef HashMap life_map, sum_map, task_map, member_map
    cdef int32_t n_lives, n_sums, n_regions, n_tasks, n_members             # rows that were used, row 0 included
    cdef int32_t free_life, free_sum, free_region, free_task, free_member   # of these, the first unused one
    cdef int64_t life_keys, sum_keys, task_keys, member_keys
    cdef int32_t[NEAR] near
    # Ids of goroutines that ended: a bit for each, and the number of lives of those that had several.
    cdef uint64_t[::1] past
    cdef HashMap past_map, again_map
    cdef int32_t n_past
    cdef int64_t again_keys
    cdef Procs procs
    cdef Machine machine
    cdef NAMED[::1] named
    cdef readonly int32_t new_name, new_row     # the name to enter, and its row of strings
    cdef const RAW_STACK[::1] stacks
    cdef const int32_t[::1] frames
    cdef const int64_t[::1] functions
    # The output.
    cdef STATE[::1] states
    cdef GOROUTINE[::1] goroutines
    cdef GOTIME[::1] times
    cdef REGIONTIME[::1] region_times
    cdef TASKTIME[::1] task_times
    cdef int32_t states_out, goroutines_out, times_out, regions_out, tasks_out
    cdef readonly int32_t need                  # rows of output that the next row needs
    cdef readonly int64_t at                    # rows applied
    cdef readonly int64_t last                  # ns: time of the last row

    def __init__(self, Procs procs, Machine machine):
        self.procs = procs
        self.machine = machine
        self.n_past = 1
        self.forget()

    def bind(self, LIFE[::1] lives, SUM[::1] sums, WORK[::1] regions, OPEN_TASK[::1] tasks, MEMBER[::1] members):
        """Use these tables, which contain the rows so far."""
        self.lives = lives
        self.sums = sums
        self.regions = regions
        self.tasks = tasks
        self.members = members

    def bind_maps(self, HashMap lives, HashMap sums, HashMap tasks, HashMap members, HashMap past, HashMap again):
        """Use these maps of ids to rows; ``past`` maps to words, ``again`` to the number of lives but the first."""
        self.life_map = lives
        self.sum_map = sums
        self.task_map = tasks
        self.member_map = members
        self.past_map = past
        self.again_map = again

    def bind_lasting(self, uint64_t[::1] past, NAMED[::1] named):
        """Use these tables, which outlast a gap."""
        self.past = past
        self.named = named

    def open(self, const RAW_STACK[::1] stacks, const int32_t[::1] frames, const int64_t[::1] functions):
        """Use the stacks of the next segment."""
        self.stacks = stacks
        self.frames = frames
        self.functions = functions

    def fill(self, STATE[::1] states, GOROUTINE[::1] goroutines, GOTIME[::1] times, REGIONTIME[::1] region_times,
             TASKTIME[::1] task_times):
        """Write the next rows to these."""
        self.states = states
        self.goroutines = goroutines
        self.times = times
        self.region_times = region_times
        self.task_times = task_times
        self.states_out = self.goroutines_out = self.times_out = self.regions_out = self.tasks_out = 0

    def forget(self):
        """Forget everything but the ids of past goroutines; the tables of ``bind`` must be empty."""
        self.n_lives = self.n_sums = self.n_regions = self.n_tasks = self.n_members = 1
        self.free_life = self.free_sum = self.free_region = self.free_task = self.free_member = 0
        self.life_keys = self.sum_keys = self.task_keys = self.member_keys = 0

    def rows_used(self) -> tuple[int, ...]:
        """Return the number of rows that were used in each table of ``bind``."""
        return self.n_lives, self.n_sums, self.n_regions, self.n_tasks, self.n_members

    def keys_used(self) -> tuple[int, ...]:
        """Return the number of keys in each map of ``bind_maps``; that of past ids is the number of words."""
        return self.life_keys, self.sum_keys, self.task_keys, self.member_keys, self.n_past, self.again_keys

    def filled(self) -> tuple[int, ...]:
        """Return the number of rows written to each array of ``fill``."""
        return self.states_out, self.goroutines_out, self.times_out, self.regions_out, self.tasks_out

    def follow(self, const ORDERED[::1] rows, int64_t first) -> int:
        """Apply rows from ``first`` on; return OK, FULL, GROW_STATE or NEW_NAME. ``at`` is the row where it stopped."""
        cdef int status = OK
        cdef int64_t i = first, n = rows.shape[0]
        with nogil:
            while i < n:
                status = self.apply(&rows[i])
                if status != OK:
                    break
                i += 1
            if i > first:
                self.last = rows[i - 1].time
        self.at = i
        return status

    cdef inline int apply(self, const ORDERED *row) noexcept nogil:
        if row.kind == EVENT_STATE_TRANSITION:
            if row.old == row.new and row.resource == RESOURCE_GOROUTINE:
                return OK
            if not self.has_room():
                return GROW_STATE
            if row.resource == RESOURCE_GOROUTINE:
                return self.turn(row)
            if row.resource == RESOURCE_PROC:
                self.turn_proc(row)
            return OK
        if row.kind == EVENT_EXPERIMENTAL or row.kind == EVENT_STACK_SAMPLE:
            return OK
        if row.kind == EVENT_METRIC:
            self.procs.measure(row)
            return OK
        if row.kind == EVENT_SYNC:
            self.procs.sync = row.time
            return OK
        if not self.has_room():
            return GROW_STATE
        if row.kind == EVENT_RANGE_BEGIN or row.kind == EVENT_RANGE_ACTIVE or row.kind == EVENT_RANGE_END:
            return self.range(row)
        if row.kind == EVENT_REGION_BEGIN:
            return self.start_region(row)
        if row.kind == EVENT_REGION_END:
            return self.end_region(row)
        if row.kind == EVENT_TASK_BEGIN or row.kind == EVENT_TASK_END:
            return self.task(row)
        if row.kind == EVENT_LOG:
            self.log(row)
        elif row.kind == EVENT_LABEL:
            return self.label(row)
        return OK

    # --- room --------------------------------------------------------------------------------------------------

    cdef bint has_room(self) noexcept nogil:
        """Return True if each table has room for what one row may add."""
        return (
            (self.free_life or self.n_lives < self.lives.shape[0])
            and (self.free_sum or self.n_sums < self.sums.shape[0])
            and (self.free_region or self.n_regions < self.regions.shape[0])
            and (self.free_task or self.n_tasks < self.tasks.shape[0])
            and (self.free_member or self.n_members < self.members.shape[0])
            and self.n_past < self.past.shape[0]
            and 2 * (self.life_keys + 1) <= self.life_map.room
            and 2 * (self.sum_keys + 1) <= self.sum_map.room
            and 2 * (self.task_keys + 1) <= self.task_map.room
            and 2 * (self.member_keys + 1) <= self.member_map.room
            and 2 * <int64_t> (self.n_past + 1) <= self.past_map.room
            and 2 * (self.again_keys + 1) <= self.again_map.room
            and self.procs.has_room()
        )

    cdef int32_t name(self, int32_t row) noexcept nogil:
        """Return the number of the name in a row of strings, or ``~row`` of a name; 0 for the empty string.

        UNNAMED if it must be entered first, or if the machine has no room for it.
        """
        cdef int32_t number
        if row == 0:
            return 0
        if row < 0:
            number = -1 - row
        else:
            number = self.machine.name_of_row[row - self.machine.string_base]
            if number == 0:
                self.new_name = 0
                if not self.machine.has_room(1):
                    return UNNAMED
                number = self.machine.intern(row - self.machine.string_base)
        if number == 0 or self.machine.names[number].length == 0:
            return 0
        if number >= self.named.shape[0] or self.named[number].row == 0:
            self.new_name = number
            self.new_row = row if row > 0 else self.machine.names[number].row
            return UNNAMED
        return number

    cdef int32_t function(self, int32_t stack) noexcept nogil:
        """Return the name of the outermost function of a row of stacks, like ``name``."""
        cdef const RAW_STACK *frames
        cdef int64_t function
        if stack == 0:
            return 0
        frames = &self.stacks[stack - self.machine.stack_base]
        if frames.n_frames == 0:
            return 0
        function = self.functions[self.frames[frames.first + frames.n_frames - 1]]
        return 0 if function < 0 else self.name(<int32_t> function + self.machine.string_base)

    cdef inline int32_t row_of(self, int32_t name) noexcept nogil:
        """Return the row of strings of a name."""
        return self.named[name].row

    cdef inline int role_of(self, int32_t name) noexcept nogil:
        return self.named[name].role

    # --- goroutines --------------------------------------------------------------------------------------------

    cdef int32_t life(self, int64_t id) noexcept nogil:
        """Return the row of a live goroutine; 0 if there is none."""
        cdef int32_t at = self.near[id & (NEAR - 1)]
        if self.lives[at].id == id and self.lives[at].state != GO_STATE_UNDETERMINED:
            return at
        at = value_of(&self.life_map.map, <uint64_t> id)
        self.near[id & (NEAR - 1)] = at
        return at

    cdef int turn(self, const ORDERED *row) noexcept nogil:
        """Apply a transition of a goroutine."""
        cdef int32_t at = self.life(row.args[0]), reason = self.name(row.name), function = 0
        cdef bint ends
        cdef LIFE *life
        if reason >= 0 and (at == 0 or self.lives[at].function == 0):
            function = self.function(row.stack2)
        if reason < 0 or function < 0:
            return NEW_NAME
        ends = row.new == GO_STATE_NOT_EXIST or (
            row.new == GO_STATE_WAITING and self.role_of(reason) == ROLE_FOREVER
        )
        if not self.has_output(at if ends else 0):
            return FULL
        if at == 0:
            at = self.create(row)
        else:
            self.leave(at, row, reason)
        life = &self.lives[at]
        if function:
            life.function = function
        if row.new != GO_STATE_NOT_EXIST:
            self.enter(at, row, reason)
        if ends:
            self.end_life(at, row.time, row.time, row.new, row.stack)
            life.over = True
            if row.new == GO_STATE_NOT_EXIST:
                self.drop(at)
        return OK

    cdef bint has_output(self, int32_t at) noexcept nogil:
        """Return True if there is room to put out one interval, and a life that ends; 0 for none."""
        cdef const LIFE *life = &self.lives[at]
        cdef int32_t n_sums = life.n_sums + 1 if at else 0, n_regions = life.n_regions + 1
        self.need = max(n_sums, n_regions)
        return (
            self.states_out < self.states.shape[0]
            and self.goroutines_out < self.goroutines.shape[0]
            and self.times_out + n_sums <= self.times.shape[0]
            and self.regions_out + n_regions <= self.region_times.shape[0]
            and self.procs.has_output(n_sums)
        )

    cdef int32_t create(self, const ORDERED *row) noexcept nogil:
        """Return the row of a new goroutine, or of one that is mentioned for the first time."""
        cdef int32_t at = self.free_life, creator, home
        cdef LIFE *life
        if at:
            self.free_life = self.lives[at].regions
        else:
            at = self.n_lives
            self.n_lives = at + 1
        home = <int32_t> place(&self.life_map.map, <uint64_t> row.args[0])
        self.life_map.map.keys[home] = <uint64_t> row.args[0]
        self.life_map.map.vals[home] = at
        self.life_keys = self.life_keys + 1
        life = &self.lives[at]
        memset(life, 0, sizeof(LIFE))
        life.id = row.args[0]
        self.begin(life, row.time)
        if row.old != GO_STATE_NOT_EXIST:
            life.created = self.procs.sync
            return at
        life.creator = row.g
        life.creator_stack = row.stack
        creator = self.life(row.g)
        if creator and self.lives[creator].regions:
            self.open_region(at, row, self.regions[self.lives[creator].regions].task, 0)
            self.regions[life.regions].inherited = True
        return at

    cdef void begin(self, LIFE *life, int64_t time) noexcept nogil:
        """Start a life: its times are 0."""
        life.created = time
        life.started = life.creator = -1
        life.exec = life.sched = life.block = life.syscall = life.syscall_block = 0
        life.sched_max = life.starts = 0
        life.creator_stack = 0
        life.life = self.lives_before(life.id)
        life.over = False

    cdef void leave(self, int32_t at, const ORDERED *row, int32_t reason) noexcept nogil:
        """End the interval of a goroutine."""
        cdef LIFE *life = &self.lives[at]
        cdef PROC_USE *proc = &self.procs.procs[life.p_row]
        self.put_state(life, row.time, row.g if life.state == GO_STATE_WAITING else life.id, row.stack, row.new)
        self.sum_up(at, row.time)
        if life.state == GO_STATE_RUNNING:
            proc.last_g = life.id
            proc.last_stack = row.stack
            proc.last_kind = STOP_PREEMPTED if self.role_of(reason) == ROLE_PREEMPTED else STOP_BLOCKED
            if proc.marks:
                self.procs.count(proc, row.time)
                proc.marks = False
            self.end_worker(life, row.time)
        elif life.state == GO_STATE_SYSCALL and proc.in_syscall == at:
            self.procs.count(proc, row.time)
            proc.in_syscall = 0
        if life.over:
            self.begin(life, row.time)

    cdef void put_state(self, const LIFE *life, int64_t end, int64_t by_g, int32_t by_stack, int next) noexcept nogil:
        """Put out the interval of a goroutine."""
        cdef STATE *out = &self.states[self.states_out]
        self.states_out = self.states_out + 1
        out.start = life.since
        out.end = end
        out.offset = life.offset
        out.g = life.id
        out.by_g = by_g
        out.m = life.m
        out.p_lost = life.p_lost
        out.stack = life.stack
        out.by_stack = by_stack
        out.reason = self.row_of(life.reason)
        out.p = life.p
        out.generation = life.generation
        out.life = life.life
        out.state = life.state
        out.next_state = next
        out.start_known = life.start_known

    cdef void sum_up(self, int32_t at, int64_t time) noexcept nogil:
        """Add the time of a goroutine's interval up to ``time``, where the rest of it starts."""
        cdef LIFE *life = &self.lives[at]
        cdef uint64_t passed = span(life.since, time)
        cdef SUM *wait
        if life.state == GO_STATE_RUNNING:
            life.exec += passed
        elif life.state == GO_STATE_RUNNABLE:
            life.sched += passed
            life.sched_max = max(life.sched_max, passed)
        elif life.state == GO_STATE_SYSCALL:
            self.procs.threads[life.m_row].syscall += passed
            if life.p_lost < 0:
                life.syscall += passed
            else:
                life.syscall += span(life.since, life.p_lost)
                life.syscall_block += span(life.p_lost, time)
        elif life.state == GO_STATE_WAITING and not life.over:
            life.block += passed
            wait = self.sum(at, SUM_WAIT, life.reason)
            wait.time += passed
            wait.count += 1
        life.since = time
        life.p_lost = -1

    cdef void enter(self, int32_t at, const ORDERED *row, int32_t reason) noexcept nogil:
        """Start the next interval of a goroutine."""
        cdef LIFE *life = &self.lives[at]
        cdef PROC_USE *proc
        life.since = row.time
        life.start_known = row.old != GO_STATE_UNDETERMINED
        if not life.start_known:
            life.since = self.procs.sync
        life.offset = row.offset
        life.stack = row.stack
        life.reason = reason
        life.generation = row.generation
        life.state = row.new
        life.m = life.p_lost = -1
        life.p = -1
        life.p_row = life.m_row = 0
        if row.new != GO_STATE_RUNNING and row.new != GO_STATE_SYSCALL:
            return
        life.m = row.m
        life.m_row = self.procs.thread(row.m, row.time)
        if row.p != -1:
            life.p = row.p
            life.p_row = self.procs.proc(row.p)
        proc = &self.procs.procs[life.p_row]
        if row.new == GO_STATE_RUNNING:
            life.starts += 1
            if life.started < 0:
                life.started = row.time
            if life.assists and life.p_row:
                self.procs.count(proc, row.time)
                proc.marks = True
            return
        if not life.start_known and proc.m_row != life.m_row:  # the P of the thread that wrote the status
            life.p = -1
            life.p_row = 0
        if life.p_row:
            self.procs.count(proc, row.time)
            proc.in_syscall = at
            proc.last_g = life.id
            proc.last_stack = row.stack
        elif not life.start_known:
            life.p_lost = life.since

    cdef void end_life(self, int32_t at, int64_t time, int64_t ended, int state, int32_t stack) noexcept nogil:
        """Put out a goroutine, its sums and its open regions; ``ended`` is -1 if it is alive."""
        cdef LIFE *life = &self.lives[at]
        cdef GOROUTINE *out = &self.goroutines[self.goroutines_out]
        cdef uint64_t sum = life.exec + life.sched + life.block + life.syscall + life.syscall_block
        self.goroutines_out = self.goroutines_out + 1
        out.created = life.created
        out.started = life.started
        out.ended = ended
        out.g = life.id
        out.creator_g = life.creator
        out.exec = <int64_t> life.exec
        out.sched = <int64_t> life.sched
        out.block = <int64_t> life.block
        out.syscall = <int64_t> life.syscall
        out.syscall_block = <int64_t> life.syscall_block
        out.total = <int64_t> span(life.created, time)
        out.unknown = <int64_t> (<uint64_t> out.total - sum) if sum < <uint64_t> out.total else 0
        out.sched_max = <int64_t> life.sched_max
        out.starts = <int64_t> life.starts
        out.assist = out.sweep = out.stw = 0
        out.function = self.row_of(life.function)
        out.stack = life.creator_stack
        out.life = life.life
        out.state = state
        while life.regions:
            self.close_region(at, time, ended, REGION_OPEN if ended < 0 else REGION_GOROUTINE, stack)
        while life.tasks:
            self.part(life.tasks)
        self.put_sums(at, time, out)
        self.note_past(life.id)

    cdef void drop(self, int32_t at) noexcept nogil:
        """Free the row of a goroutine that ended."""
        remove(&self.life_map.map, <uint64_t> self.lives[at].id)
        self.life_keys = self.life_keys - 1
        self.lives[at].state = GO_STATE_UNDETERMINED
        self.lives[at].regions = self.free_life
        self.free_life = at

    cdef int32_t lives_before(self, int64_t id) noexcept nogil:
        """Return the number of earlier lives of an id."""
        cdef uint64_t key = <uint64_t> id
        cdef int32_t word = value_of(&self.past_map.map, key // WORD)
        if not self.past[word] >> key % WORD & 1:
            return 0
        return 1 + value_of(&self.again_map.map, key)

    cdef void note_past(self, int64_t id) noexcept nogil:
        """Count one more life of an id that ended."""
        cdef uint64_t key = <uint64_t> id
        cdef int64_t home = place(&self.past_map.map, key // WORD)
        cdef int32_t word = self.past_map.map.vals[home]
        if word == 0:
            word = self.n_past
            self.n_past = word + 1
            self.past_map.map.keys[home] = key // WORD
            self.past_map.map.vals[home] = word
        if self.past[word] >> key % WORD & 1:
            home = place(&self.again_map.map, key)
            self.again_keys = self.again_keys + (self.again_map.map.vals[home] == 0)
            self.again_map.map.keys[home] = key
            self.again_map.map.vals[home] = self.again_map.map.vals[home] + 1
        self.past[word] |= <uint64_t> 1 << key % WORD

    # --- sums: waits by reason, and ranges ---------------------------------------------------------------------

    cdef SUM *sum(self, int32_t at, int kind, int32_t name) noexcept nogil:
        """Return the sum of a goroutine for a kind of time and a name, which is added if it is new."""
        cdef uint64_t key = <uint64_t> at << 33 | <uint64_t> name << 2 | <uint64_t> kind
        cdef int64_t home = place(&self.sum_map.map, key)
        cdef int32_t row = self.sum_map.map.vals[home]
        cdef SUM *sum
        if row:
            return &self.sums[row]
        row = self.free_sum
        if row:
            self.free_sum = self.sums[row].next
        else:
            row = self.n_sums
            self.n_sums = row + 1
        self.sum_map.map.keys[home] = key
        self.sum_map.map.vals[home] = row
        self.sum_keys = self.sum_keys + 1
        sum = &self.sums[row]
        sum.key = key
        sum.time = 0
        sum.count = 0
        sum.since = -1
        sum.name = name
        sum.pause = 0
        sum.start = 0
        if kind == SUM_STW:
            sum.start = EV_STW_BEGIN
        elif kind == SUM_SWEEP:
            sum.start = EV_GC_SWEEP_BEGIN
        elif kind == SUM_ASSIST:
            sum.start = EV_GC_MARK_ASSIST_BEGIN
        sum.next = self.lives[at].sums
        self.lives[at].sums = row
        self.lives[at].n_sums += 1
        return sum

    cdef void put_sums(self, int32_t at, int64_t time, GOROUTINE *goroutine) noexcept nogil:
        """Put out and remove the sums of a goroutine, in the order in which they were added; end its open ranges."""
        cdef LIFE *life = &self.lives[at]
        cdef int32_t row = life.sums, following, last
        cdef GOTIME *out
        cdef SUM *sum
        self.times_out = self.times_out + life.n_sums
        last = self.times_out
        while row:
            sum = &self.sums[row]
            if sum.since >= 0:
                sum.time += span(sum.since, time)
                if sum.pause:
                    self.procs.end_pause(sum.pause, -1, self.role_of(sum.name))
            if sum.start == EV_STW_BEGIN:
                add(&goroutine.stw, sum.time)
            elif sum.start == EV_GC_SWEEP_BEGIN:
                add(&goroutine.sweep, sum.time)
            elif sum.start == EV_GC_MARK_ASSIST_BEGIN:
                add(&goroutine.assist, sum.time)
            last -= 1
            out = &self.times[last]
            out.g = life.id
            out.life = life.life
            out.kind = TIME_RANGE if sum.start else TIME_WAITING
            out.name = self.row_of(sum.name)
            out.time = <int64_t> sum.time
            out.count = sum.count
            out.start = sum.start
            remove(&self.sum_map.map, sum.key)
            following = sum.next
            sum.next = self.free_sum
            self.free_sum = row
            row = following
        self.sum_keys = self.sum_keys - life.n_sums
        life.sums = life.n_sums = 0
        if life.assists:
            life.assists = False
            self.count_assist(time, -1)

    cdef int range(self, const ORDERED *row) noexcept nogil:
        """Apply the start or the end of a range."""
        if row.resource == RESOURCE_NONE:
            if not self.procs.has_output(0):
                return FULL
            self.procs.mark(row)
        elif row.resource == RESOURCE_PROC:
            self.sweep(row)
        elif row.type == EV_STW_BEGIN or row.type == EV_STW_END:
            return self.stop_world(row)
        else:
            self.assist(row)
        return OK

    cdef int stop_world(self, const ORDERED *row) noexcept nogil:
        cdef int32_t at = self.life(row.args[0]), name = self.name(row.name)
        cdef SUM *sum
        if name < 0:
            return NEW_NAME
        if not self.procs.has_output(1):
            self.need = 1
            return FULL
        if at == 0:
            return OK
        sum = self.sum(at, SUM_STW, name)
        if row.type == EV_STW_BEGIN and sum.since < 0:
            sum.since = row.time
            sum.count += 1
            sum.pause = self.procs.start_pause(row, self.row_of(name))
        elif row.type == EV_STW_END and sum.since >= 0:
            sum.time += span(sum.since, row.time)
            sum.since = -1
            self.procs.end_pause(sum.pause, row.time, self.role_of(name))
            sum.pause = 0
        return OK

    cdef void sweep(self, const ORDERED *row) noexcept nogil:
        """A sweep belongs to the goroutine that runs at its start, if that goroutine ends it, too."""
        cdef PROC_USE *proc = &self.procs.procs[self.procs.proc(row.args[0])]
        cdef int32_t at
        cdef SUM *sum
        if row.kind == EVENT_RANGE_END:
            add(&self.procs.cycle.swept, <uint64_t> row.args[1])
            add(&self.procs.cycle.reclaimed, <uint64_t> row.args[2])
            at = self.life(proc.sweeper)
            if at:
                sum = self.sum(at, SUM_SWEEP, 0)
                if proc.sweeper == row.g and sum.since >= 0:
                    sum.time += span(sum.since, row.time)
                sum.since = -1
            self.procs.count(proc, row.time)
            proc.sweeps = False
            proc.sweeper = -1
        elif not proc.sweeps:
            self.procs.count(proc, row.time)
            proc.sweeps = True
            at = self.life(row.g)
            if at and row.p == row.args[0]:
                proc.sweeper = row.g
                sum = self.sum(at, SUM_SWEEP, 0)
                sum.count += 1
                sum.since = row.time if row.kind == EVENT_RANGE_BEGIN else self.procs.sync

    cdef void assist(self, const ORDERED *row) noexcept nogil:
        cdef int32_t at = self.life(row.args[0])
        cdef LIFE *life = &self.lives[at]
        cdef PROC_USE *proc = &self.procs.procs[life.p_row]
        cdef SUM *sum
        if at == 0 or life.assists == (row.kind != EVENT_RANGE_END):
            return
        sum = self.sum(at, SUM_ASSIST, 0)
        if row.kind == EVENT_RANGE_END:
            sum.time += span(sum.since, row.time)
            sum.since = -1
            self.count_assist(row.time, -1)
        else:
            sum.count += 1
            sum.since = row.time if row.kind == EVENT_RANGE_BEGIN else self.procs.sync
            self.count_assist(row.time, 1)
            add(&self.procs.cycle.assists, 1)
        life.assists = row.kind != EVENT_RANGE_END
        if life.state == GO_STATE_RUNNING and life.p_row:
            self.procs.count(proc, row.time)
            proc.marks = life.assists or life.worker

    cdef void count_assist(self, int64_t time, int more) noexcept nogil:
        self.procs.count_marks(time)
        self.procs.n_assisting = self.procs.n_assisting + more

    cdef int label(self, const ORDERED *row) noexcept nogil:
        """A mark worker is labelled each time that it starts to run."""
        cdef int32_t at = self.life(row.g), name = self.name(row.name)
        cdef LIFE *life = &self.lives[at]
        cdef PROC_USE *proc = &self.procs.procs[life.p_row]
        cdef int role
        if name < 0:
            return NEW_NAME
        role = self.role_of(name)
        if at == 0 or life.state != GO_STATE_RUNNING:
            return OK
        self.end_worker(life, row.time)
        if ROLE_DEDICATED <= role <= ROLE_IDLE:
            life.worker = role
            self.count_worker(role, row.time, 1)
        if life.p_row:
            self.procs.count(proc, row.time)
            proc.marks = life.assists or life.worker
        return OK

    cdef void end_worker(self, LIFE *life, int64_t time) noexcept nogil:
        if life.worker:
            self.count_worker(life.worker, time, -1)
            life.worker = ROLE_NONE

    cdef void count_worker(self, int role, int64_t time, int more) noexcept nogil:
        cdef int64_t *workers = &self.procs.n_workers[role - ROLE_DEDICATED]
        self.procs.count_marks(time)
        workers[0] += more

    cdef void turn_proc(self, const ORDERED *row) noexcept nogil:
        """Apply a transition of a proc; one that turns idle leaves its goroutine's system call."""
        cdef PROC_USE *proc = &self.procs.procs[self.procs.proc(row.args[0])]
        if row.old != row.new and row.new == PROC_STATE_IDLE and proc.in_syscall:
            self.lives[proc.in_syscall].p_lost = row.time
        self.procs.turn(row)

    # --- regions -----------------------------------------------------------------------------------------------

    cdef void snapshot(self, const LIFE *life, int64_t time, WORK *now) noexcept nogil:
        """Set the times of a region to those of a goroutine up to ``time``."""
        cdef uint64_t passed = span(life.since, time)
        now.exec = life.exec + passed * (life.state == GO_STATE_RUNNING)
        now.sched = life.sched + passed * (life.state == GO_STATE_RUNNABLE)
        now.block = life.block + passed * (life.state == GO_STATE_WAITING and not life.over)
        now.syscall = life.syscall
        now.syscall_block = life.syscall_block
        if life.state == GO_STATE_SYSCALL and life.p_lost < 0:
            now.syscall += passed
        elif life.state == GO_STATE_SYSCALL:
            now.syscall += span(life.since, life.p_lost)
            now.syscall_block += span(life.p_lost, time)

    cdef void open_region(self, int32_t at, const ORDERED *row, int64_t task, int32_t name) noexcept nogil:
        """Open a region of a goroutine."""
        cdef LIFE *life = &self.lives[at]
        cdef int32_t region = self.free_region
        cdef WORK *work
        if region:
            self.free_region = self.regions[region].next
        else:
            region = self.n_regions
            self.n_regions = region + 1
        work = &self.regions[region]
        self.snapshot(life, row.time, work)
        work.start = row.time
        work.task = task
        work.name = name
        work.stack = row.stack
        work.next = life.regions
        work.depth = life.n_regions
        work.inherited = False
        life.regions = region
        life.n_regions += 1

    cdef REGIONTIME *put_region(self, const LIFE *life, const WORK *start, int64_t time, int64_t end) noexcept nogil:
        """Put out a region with the goroutine's times since its start; return its row, which lacks the other fields."""
        cdef REGIONTIME *out = &self.region_times[self.regions_out]
        cdef WORK now
        self.snapshot(life, time, &now)
        self.regions_out = self.regions_out + 1
        out.start = start.start
        out.end = end
        out.g = life.id
        out.task = start.task
        out.exec = <int64_t> (now.exec - start.exec)
        out.sched = <int64_t> (now.sched - start.sched)
        out.block = <int64_t> (now.block - start.block)
        out.syscall = <int64_t> (now.syscall - start.syscall)
        out.syscall_block = <int64_t> (now.syscall_block - start.syscall_block)
        out.total = <int64_t> span(start.start if start.start >= 0 else life.created, time)
        out.stack = start.stack
        out.name = self.row_of(start.name)
        out.depth = start.depth
        out.inherited = start.inherited
        return out

    cdef void close_region(self, int32_t at, int64_t time, int64_t end, int kind, int32_t stack) noexcept nogil:
        """Close the innermost region of a goroutine. Goroutines of the runtime inherit none."""
        cdef LIFE *life = &self.lives[at]
        cdef int32_t region = life.regions
        cdef WORK *work = &self.regions[region]
        cdef REGIONTIME *out
        if kind == REGION_ENDED or not work.inherited or not self.is_system(life.function):
            out = self.put_region(life, work, time, end)
            out.end_stack = stack
            out.end_kind = kind
        life.regions = work.next
        life.n_regions -= 1
        work.next = self.free_region
        self.free_region = region

    cdef inline bint is_system(self, int32_t function) noexcept nogil:
        return function == 0 or self.role_of(function) == ROLE_SYSTEM

    cdef int start_region(self, const ORDERED *row) noexcept nogil:
        cdef int32_t at = self.life(row.g), name = self.name(row.name)
        if name < 0:
            return NEW_NAME
        if at:
            self.open_region(at, row, row.args[0], name)
            self.count_region(at, row.args[0])
        return OK

    cdef int end_region(self, const ORDERED *row) noexcept nogil:
        """End the innermost region, or one whose start was not seen."""
        cdef int32_t at = self.life(row.g), name = self.name(row.name)
        cdef REGIONTIME *out
        cdef WORK unseen
        if name < 0:
            return NEW_NAME
        if self.regions_out == self.region_times.shape[0]:
            self.need = 1
            return FULL
        if at == 0:
            return OK
        if self.lives[at].regions:
            self.close_region(at, row.time, row.time, REGION_ENDED, row.stack)
            return OK
        memset(&unseen, 0, sizeof(WORK))
        unseen.start = -1
        unseen.task = row.args[0]
        unseen.name = name
        out = self.put_region(&self.lives[at], &unseen, row.time, row.time)
        out.end_stack = row.stack
        out.end_kind = REGION_UNSEEN
        self.count_region(at, row.args[0])
        return OK

    # --- tasks -------------------------------------------------------------------------------------------------

    cdef int32_t open_task(self, int64_t id) noexcept nogil:
        """Return the row of an active task, which is added if it is new."""
        cdef int64_t home = place(&self.task_map.map, <uint64_t> id)
        cdef int32_t row = self.task_map.map.vals[home]
        cdef OPEN_TASK *task
        if row:
            return row
        row = self.free_task
        if row:
            self.free_task = self.tasks[row].members
        else:
            row = self.n_tasks
            self.n_tasks = row + 1
        self.task_map.map.keys[home] = <uint64_t> id
        self.task_map.map.vals[home] = row
        self.task_keys = self.task_keys + 1
        task = &self.tasks[row]
        memset(task, 0, sizeof(OPEN_TASK))
        task.id = id
        task.start = task.parent = task.g = -1
        task.used = True
        return row

    cdef void count_region(self, int32_t at, int64_t task) noexcept nogil:
        cdef int32_t row = self.open_task(task)
        self.tasks[row].regions += 1
        self.join(row, at)

    cdef void join(self, int32_t task, int32_t at) noexcept nogil:
        """Count a goroutine for a task, once."""
        cdef uint64_t key = <uint64_t> task << 32 | <uint64_t> at
        cdef int64_t home
        cdef int32_t row, next
        cdef MEMBER *member
        if at == 0:
            return
        home = place(&self.member_map.map, key)
        if self.member_map.map.vals[home]:
            return
        row = self.free_member
        if row:
            self.free_member = self.members[row].next_of_life
        else:
            row = self.n_members
            self.n_members = row + 1
        self.member_map.map.keys[home] = key
        self.member_map.map.vals[home] = row
        self.member_keys = self.member_keys + 1
        self.tasks[task].goroutines += 1
        member = &self.members[row]
        member.task = task
        member.life = at
        member.prev_of_task = member.prev_of_life = 0
        next = member.next_of_task = self.tasks[task].members
        self.members[next].prev_of_task = row
        self.tasks[task].members = row
        next = member.next_of_life = self.lives[at].tasks
        self.members[next].prev_of_life = row
        self.lives[at].tasks = row

    cdef void part(self, int32_t row) noexcept nogil:
        """Forget that a goroutine counts for a task: one of them has ended."""
        cdef const MEMBER *member = &self.members[row]
        remove(&self.member_map.map, <uint64_t> member.task << 32 | <uint64_t> member.life)
        self.member_keys = self.member_keys - 1
        self.members[member.next_of_task].prev_of_task = member.prev_of_task
        self.members[member.next_of_life].prev_of_life = member.prev_of_life
        if member.prev_of_task:
            self.members[member.prev_of_task].next_of_task = member.next_of_task
        else:
            self.tasks[member.task].members = member.next_of_task
        if member.prev_of_life:
            self.members[member.prev_of_life].next_of_life = member.next_of_life
        else:
            self.lives[member.life].tasks = member.next_of_life
        self.members[row].next_of_life = self.free_member
        self.free_member = row

    cdef int task(self, const ORDERED *row) noexcept nogil:
        """Start or end a task."""
        cdef int32_t name = self.name(row.name), at
        cdef OPEN_TASK *task
        if name < 0:
            return NEW_NAME
        if self.tasks_out == self.task_times.shape[0]:
            self.need = 1
            return FULL
        at = self.open_task(row.args[0])
        task = &self.tasks[at]
        self.join(at, self.life(row.g))
        if name:
            task.name = name
        if task.parent < 0:
            task.parent = row.args[1]
        if row.kind == EVENT_TASK_BEGIN:
            task.start = row.time
            task.g = row.g
        else:
            self.put_task(at, row.time, row.g)
        return OK

    cdef void put_task(self, int32_t at, int64_t end, int64_t end_g) noexcept nogil:
        """Put out a task, and free its row; ``end`` is -1 if it is active."""
        cdef OPEN_TASK *task = &self.tasks[at]
        cdef TASKTIME *out = &self.task_times[self.tasks_out]
        self.tasks_out = self.tasks_out + 1
        out.start = task.start
        out.end = end
        out.task = task.id
        out.parent = task.parent
        out.g = task.g
        out.end_g = end_g
        out.regions = task.regions
        out.logs = task.logs
        out.goroutines = task.goroutines
        out.name = self.row_of(task.name)
        while task.members:
            self.part(task.members)
        remove(&self.task_map.map, <uint64_t> task.id)
        self.task_keys = self.task_keys - 1
        task.used = False
        task.members = self.free_task
        self.free_task = at

    cdef void log(self, const ORDERED *row) noexcept nogil:
        cdef int32_t at = self.open_task(row.args[0])
        self.tasks[at].logs += 1
        self.join(at, self.life(row.g))

    # --- the end of the trace, and gaps ------------------------------------------------------------------------

    def put_open(self, const int32_t[::1] order, int64_t first, int64_t end) -> int:
        """Put out the intervals of live goroutines, from ``order[first]`` on; ``end`` is -1, or the time of a gap."""
        cdef int64_t i = first
        while i < order.shape[0] and self.states_out < self.states.shape[0]:
            self.put_state(&self.lives[order[i]], end, -1, 0, GO_STATE_UNDETERMINED)
            i += 1
        self.at = i
        return OK if i == order.shape[0] else FULL

    def end_lives(self, const int32_t[::1] order, int64_t first, int64_t time) -> int:
        """Put out live goroutines, from ``order[first]`` on, with their times up to ``time``."""
        cdef int64_t i = first
        cdef int status = OK
        cdef LIFE *life
        while i < order.shape[0]:
            life = &self.lives[order[i]]
            if not life.over:
                status = OK if self.has_room() else GROW_STATE
                if status == OK and not self.has_output(order[i]):
                    status = FULL
                if status != OK:
                    break
                self.sum_up(order[i], time)
                self.end_life(order[i], time, -1, life.state, 0)
            self.drop(order[i])
            i += 1
        self.at = i
        return status

    def end_tasks(self, const int32_t[::1] order, int64_t first) -> int:
        """Put out active tasks, from ``order[first]`` on."""
        cdef int64_t i = first
        while i < order.shape[0] and self.tasks_out < self.task_times.shape[0]:
            self.put_task(order[i], -1, -1)
            i += 1
        self.at = i
        return OK if i == order.shape[0] else FULL
