"""What goroutines do: rows of ORDERED come in; STATE, GOROUTINE and GOTIME go out.

One accumulator for each live goroutine, in tables that the caller owns. Never here: text, or the order of events.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from gotrace._generated cimport (
    EVENT_EXPERIMENTAL, EVENT_LABEL, EVENT_LOG, EVENT_METRIC, EVENT_RANGE_BEGIN, EVENT_RANGE_END, EVENT_REGION_BEGIN,
    EVENT_REGION_END, EVENT_STACK_SAMPLE, EVENT_STATE_TRANSITION, EVENT_SYNC, EVENT_TASK_BEGIN, EVENT_TASK_END,
    EV_GC_MARK_ASSIST_BEGIN, EV_GC_SWEEP_BEGIN, EV_STW_BEGIN, EV_STW_END, FULL, GOROUTINE, GOTIME, GO_STATE_NOT_EXIST,
    GO_STATE_RUNNABLE, GO_STATE_RUNNING, GO_STATE_SYSCALL, GO_STATE_UNDETERMINED, GO_STATE_WAITING, GROW_STATE, LIFE,
    NEW_NAME, OK, ORDERED, PROC_STATE_IDLE, PROC_USE, REGION_ENDED, REGION_GOROUTINE, REGION_OPEN, RESOURCE_GOROUTINE,
    RESOURCE_NONE, RESOURCE_PROC, ROLE_DEDICATED, ROLE_FOREVER, ROLE_IDLE, ROLE_NONE, ROLE_PREEMPTED, STATE,
    STOP_BLOCKED, STOP_PREEMPTED, SUM, SUM_ASSIST, SUM_STW, SUM_SWEEP, SUM_WAIT, TIME_RANGE, TIME_WAITING,
)
from gotrace._hashmap cimport HashMap, place, remove, value_of
from gotrace.scheduler._names cimport Names
from gotrace.scheduler._past cimport Past
from gotrace.scheduler._procs cimport Procs, add, proc_of, span, thread_of
from gotrace.scheduler._regions cimport Regions
from gotrace.scheduler._tasks cimport Tasks

cdef enum:
    NEAR = 1024         # goroutines that are found without a map, unless they share the low bits of their ids


@cython.final
cdef class Lives:
    """Live goroutines, with their times.

    ``follow`` stops at a row that needs more than there is: room in a table or in the output, or a name that is used
    for the first time. It changes nothing for that row.
    """

    cdef LIFE[::1] lives
    cdef SUM[::1] sums
    cdef HashMap life_map, sum_map
    cdef int32_t n_lives, n_sums                        # rows that were used, row 0 included
    cdef int32_t free_life, free_sum                    # of these, the first unused one
    cdef int64_t life_keys, sum_keys
    cdef int64_t spare                                  # rows for which there certainly is room
    cdef int32_t[NEAR] near
    cdef Names names
    cdef Past past
    cdef Procs procs
    cdef Regions regions
    cdef Tasks tasks
    # The output.
    cdef STATE[::1] states
    cdef GOROUTINE[::1] goroutines
    cdef GOTIME[::1] times
    cdef int32_t states_out, goroutines_out, times_out
    cdef readonly int32_t need                          # rows of output that the next row needs
    cdef readonly int64_t at                            # rows applied
    cdef readonly int64_t last                          # ns: time of the last row

    def __init__(self, Names names, Past past, Procs procs, Regions regions, Tasks tasks):
        self.names = names
        self.past = past
        self.procs = procs
        self.regions = regions
        self.tasks = tasks
        self.forget()

    def bind(self, LIFE[::1] lives, SUM[::1] sums):
        """Use these tables, which contain the rows so far."""
        self.lives = lives
        self.sums = sums
        self.spare = 0

    def bind_maps(self, HashMap lives, HashMap sums):
        """Use these maps of ids, and of keys of sums, to rows."""
        self.life_map = lives
        self.sum_map = sums

    def fill(self, STATE[::1] states, GOROUTINE[::1] goroutines, GOTIME[::1] times):
        """Write the next rows to these."""
        self.states = states
        self.goroutines = goroutines
        self.times = times
        self.empty()

    def empty(self):
        """Write the next rows to the start of the output."""
        self.states_out = self.goroutines_out = self.times_out = 0
        self.spare = 0

    def forget(self):
        """Forget all goroutines; the tables must be empty."""
        self.n_lives = self.n_sums = 1
        self.free_life = self.free_sum = 0
        self.life_keys = self.sum_keys = 0

    def restart(self, int64_t time):
        """Count all times from ``time`` on, which is after the last row: what is live then starts there."""
        cdef LIFE *life
        cdef SUM *sum
        cdef int32_t i
        self.procs.restart(time)
        self.regions.restart(time)
        for i in range(1, self.n_lives):
            life = &self.lives[i]
            life.created = life.since = time
            life.start_known = False
            life.p_lost = -1 if life.p_lost < 0 else time
            life.exec = life.sched = life.block = life.syscall = life.syscall_block = 0
            life.sched_max = 0
            life.starts = life.state == GO_STATE_RUNNING
        for i in range(1, self.n_sums):
            sum = &self.sums[i]
            sum.time = 0
            sum.count = sum.since >= 0
            if sum.since >= 0:
                sum.since = time

    def rows_used(self) -> tuple[int, int]:
        """Return the number of rows that were used in each table."""
        return self.n_lives, self.n_sums

    def keys_used(self) -> tuple[int, int]:
        """Return the number of keys in each map."""
        return self.life_keys, self.sum_keys

    def filled(self) -> tuple[int, int, int]:
        """Return the number of rows in each array of ``fill``."""
        return self.states_out, self.goroutines_out, self.times_out

    def follow(self, const ORDERED[::1] rows, int64_t first) -> int:
        """Apply rows from ``first`` on; return OK, FULL, GROW_STATE or NEW_NAME. ``at`` is the row where it stopped."""
        cdef int status = OK
        cdef int64_t i = first, n = rows.shape[0]
        with nogil:
            while i < n:
                if rows[i].kind != EVENT_EXPERIMENTAL and rows[i].kind != EVENT_STACK_SAMPLE:
                    if self.spare <= 0:
                        status = self.find_room()
                        if status != OK:
                            break
                    status = self.apply(&rows[i])
                    if status != OK:
                        break
                    self.spare = self.spare - 1
                i += 1
            if i > first:
                self.last = rows[i - 1].time
        self.at = i
        return status

    cdef inline int apply(self, const ORDERED *row) noexcept nogil:
        cdef int32_t name
        if row.kind == EVENT_STATE_TRANSITION:
            if row.resource == RESOURCE_GOROUTINE and row.old != row.new:
                return self.turn(row)
            if row.resource == RESOURCE_PROC:
                self.turn_proc(row)
            return OK
        if row.kind == EVENT_METRIC:
            self.procs.measure(row)
        elif row.kind == EVENT_SYNC:
            self.procs.sync = row.time
        elif row.kind == EVENT_LOG:
            self.tasks.add_log(row.args[0], self.life(row.g))
        elif row.resource == RESOURCE_PROC:
            self.sweep(row)
        else:
            name = self.names.name(row.name)
            if name < 0:
                return NEW_NAME
            if row.kind == EVENT_LABEL:
                self.label(row, name)
            elif row.kind == EVENT_REGION_BEGIN:
                self.start_region(row, name)
            elif row.kind == EVENT_REGION_END:
                self.end_region(row, name)
            elif row.kind == EVENT_TASK_BEGIN or row.kind == EVENT_TASK_END:
                self.tasks.turn(row, self.names.row_of(name), self.life(row.g))
            elif row.resource == RESOURCE_NONE:
                self.procs.mark(row)
            elif row.type == EV_STW_BEGIN or row.type == EV_STW_END:
                self.stop_world(row, name)
            else:
                self.assist(row)
        return OK

    # --- room --------------------------------------------------------------------------------------------------

    cdef int find_room(self) noexcept nogil:
        """Set ``spare``; return OK, or what lacks room for one row."""
        self.spare = min(
            min(self.lives.shape[0] - self.n_lives, self.sums.shape[0] - self.n_sums),
            min(self.life_map.room // 2 - self.life_keys, self.sum_map.room // 2 - self.sum_keys),
        )
        self.spare = min(self.spare, min(self.past.room(), self.procs.room()))
        self.spare = min(self.spare, min(self.regions.room(), self.tasks.room()))
        if self.spare == 0:
            return GROW_STATE
        self.spare = min(self.spare, min(self.states.shape[0] - self.states_out, self.procs.output()))
        self.spare = min(self.spare, self.goroutines.shape[0] - self.goroutines_out)
        self.spare = min(self.spare, min(self.regions.output(), self.tasks.output()))
        if self.spare == 0:
            self.need = 1
            return FULL
        return OK

    # --- goroutines --------------------------------------------------------------------------------------------

    cdef inline int32_t life(self, int64_t id) noexcept nogil:
        """Return the row of a live goroutine; 0 if there is none."""
        cdef int32_t at = self.near[id & (NEAR - 1)]
        if self.lives[at].id == id and self.lives[at].state != GO_STATE_UNDETERMINED:
            return at
        at = value_of(&self.life_map.map, <uint64_t> id)
        self.near[id & (NEAR - 1)] = at
        return at

    cdef inline int turn(self, const ORDERED *row) noexcept nogil:
        """Apply a transition of a goroutine."""
        cdef int32_t at = self.life(row.args[0]), reason = self.names.name(row.name), function = 0
        cdef bint ends
        cdef LIFE *life
        if reason >= 0 and (at == 0 or self.lives[at].function == 0):
            function = self.names.function(row.stack2)
        if reason < 0 or function < 0:
            return NEW_NAME
        ends = row.new == GO_STATE_NOT_EXIST or (
            row.new == GO_STATE_WAITING and self.names.role_of(reason) == ROLE_FOREVER
        )
        if ends and not self.has_output(at):
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
        """Return True if there is room to put out a goroutine with its sums and regions."""
        cdef const LIFE *life = &self.lives[at]
        self.need = max(life.n_sums, life.n_regions) + 1
        return (
            self.goroutines_out < self.goroutines.shape[0]
            and self.times_out + self.need <= self.times.shape[0]
            and self.need <= self.regions.output()
            and self.procs.n_pauses + self.need <= self.procs.pauses.shape[0]
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
            self.regions.inherit(life, row, self.lives[creator].regions)
        return at

    cdef void begin(self, LIFE *life, int64_t time) noexcept nogil:
        """Start a life: its times are 0."""
        life.created = time
        life.started = life.creator = -1
        life.exec = life.sched = life.block = life.syscall = life.syscall_block = 0
        life.sched_max = life.starts = 0
        life.creator_stack = 0
        life.life = self.past.lives(life.id)
        life.over = False

    cdef inline void leave(self, int32_t at, const ORDERED *row, int32_t reason) noexcept nogil:
        """End the interval of a goroutine."""
        cdef LIFE *life = &self.lives[at]
        cdef PROC_USE *proc = &self.procs.procs[life.p_row]
        self.put_state(life, row.time, row.g if life.state == GO_STATE_WAITING else life.id, row.stack, row.new)
        self.sum_up(at, row.time)
        if life.state == GO_STATE_RUNNING:
            proc.last_g = life.id
            proc.last_stack = row.stack
            proc.last_kind = STOP_PREEMPTED if self.names.role_of(reason) == ROLE_PREEMPTED else STOP_BLOCKED
            if proc.marks:
                self.procs.count(proc, row.time)
                proc.marks = False
            self.end_worker(life, row.time)
        elif life.state == GO_STATE_SYSCALL and proc.in_syscall == at:
            self.procs.count(proc, row.time)
            proc.in_syscall = 0
        if life.over:
            self.begin(life, row.time)

    cdef inline void put_state(
        self, const LIFE *life, int64_t end, int64_t by_g, int32_t by_stack, int next_state
    ) noexcept nogil:
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
        out.reason = self.names.row_of(life.reason)
        out.p = life.p
        out.generation = life.generation
        out.life = life.life
        out.state = life.state
        out.next_state = next_state
        out.start_known = life.start_known

    cdef inline void sum_up(self, int32_t at, int64_t time) noexcept nogil:
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

    cdef inline void enter(self, int32_t at, const ORDERED *row, int32_t reason) noexcept nogil:
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
        life.m_row = thread_of(self.procs, row.m, row.time)
        if row.p != -1:
            life.p = row.p
            life.p_row = proc_of(self.procs, row.p)
        proc = &self.procs.procs[life.p_row]
        if row.new == GO_STATE_RUNNING:
            life.starts += 1
            if life.started < 0:
                life.started = row.time
            if self.procs.followed and life.p_row:
                self.procs.resume(proc)
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
        out.function = self.names.row_of(life.function)
        out.stack = life.creator_stack
        out.life = life.life
        out.state = state
        while life.regions:
            self.regions.close(life, time, ended, REGION_OPEN if ended < 0 else REGION_GOROUTINE, stack)
        self.tasks.leave(at)
        self.put_sums(at, time, out)
        self.past.enter(life.id)
        self.spare = 0

    cdef void drop(self, int32_t at) noexcept nogil:
        """Free the row of a goroutine that ended."""
        remove(&self.life_map.map, <uint64_t> self.lives[at].id)
        self.life_keys = self.life_keys - 1
        self.lives[at].state = GO_STATE_UNDETERMINED
        self.lives[at].regions = self.free_life
        self.free_life = at

    # --- sums: waits by reason, and ranges ---------------------------------------------------------------------

    cdef inline SUM *sum(self, int32_t at, int kind, int32_t name) noexcept nogil:
        """Return the sum of a goroutine for a kind of time and a name, which is added if it is new."""
        cdef uint64_t key = <uint64_t> at << 33 | <uint64_t> name << 2 | <uint64_t> kind
        cdef int32_t row = self.lives[at].sums
        cdef int64_t home
        cdef SUM *sum
        if row and self.sums[row].key == key:
            return &self.sums[row]
        home = place(&self.sum_map.map, key)
        row = self.sum_map.map.vals[home]
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
                    self.procs.end_pause(sum.pause, -1, self.names.role_of(sum.name))
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
            out.name = self.names.row_of(sum.name)
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

    cdef void stop_world(self, const ORDERED *row, int32_t name) noexcept nogil:
        cdef int32_t at = self.life(row.args[0])
        cdef SUM *sum
        if at == 0:
            return
        sum = self.sum(at, SUM_STW, name)
        if row.type == EV_STW_BEGIN and sum.since < 0:
            sum.since = row.time
            sum.count += 1
            sum.pause = self.procs.start_pause(row, self.names.row_of(name))
        elif row.type == EV_STW_END and sum.since >= 0:
            sum.time += span(sum.since, row.time)
            sum.since = -1
            self.procs.end_pause(sum.pause, row.time, self.names.role_of(name))
            sum.pause = 0

    cdef void sweep(self, const ORDERED *row) noexcept nogil:
        """A sweep belongs to the goroutine that runs at its start, if that goroutine ends it, too."""
        cdef PROC_USE *proc = &self.procs.procs[proc_of(self.procs, row.args[0])]
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

    cdef void label(self, const ORDERED *row, int32_t name) noexcept nogil:
        """A mark worker is labelled each time that it starts to run."""
        cdef int32_t at = self.life(row.g)
        cdef LIFE *life = &self.lives[at]
        cdef PROC_USE *proc = &self.procs.procs[life.p_row]
        cdef int role = self.names.role_of(name)
        if at == 0 or life.state != GO_STATE_RUNNING:
            return
        self.end_worker(life, row.time)
        if ROLE_DEDICATED <= role <= ROLE_IDLE:
            life.worker = role
            self.count_worker(role, row.time, 1)
        if life.p_row:
            self.procs.count(proc, row.time)
            proc.marks = life.assists or life.worker

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
        cdef PROC_USE *proc = &self.procs.procs[proc_of(self.procs, row.args[0])]
        if row.old != row.new and row.new == PROC_STATE_IDLE and proc.in_syscall:
            self.lives[proc.in_syscall].p_lost = row.time
        self.procs.turn(row)

    # --- regions -----------------------------------------------------------------------------------------------

    cdef void start_region(self, const ORDERED *row, int32_t name) noexcept nogil:
        cdef int32_t at = self.life(row.g)
        if at:
            self.regions.open(&self.lives[at], row, row.args[0], name)
            self.tasks.add_region(row.args[0], at)

    cdef void end_region(self, const ORDERED *row, int32_t name) noexcept nogil:
        """End the innermost region, or one whose start was not seen."""
        cdef int32_t at = self.life(row.g)
        if at and self.lives[at].regions:
            self.regions.close(&self.lives[at], row.time, row.time, REGION_ENDED, row.stack)
        elif at:
            self.regions.put_unseen(&self.lives[at], row, name)
            self.tasks.add_region(row.args[0], at)

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
                status = self.find_room()
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
