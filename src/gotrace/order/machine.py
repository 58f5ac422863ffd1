"""The ordering state machine: each thread's events come in, one possible order of all events goes out.

Each thread's events are in order; between threads, timestamps alone do not determine the order. The machine therefore
emulates Go's scheduler: an event may *advance*, must *wait* until another thread's event comes first, or is *wrong*.
Each method named after a ``Rule`` of ``spec/rules.py`` documents that rule. It checks before it changes anything, in
the order of Go's reader, so that both report the same fault.

Compiled by Cython with the types of ``machine.pxd``; the same source runs as plain Python with the constants of
``names.py``. All state is in the arrays of ``state.py``. Never here: text, dicts, allocation.
"""

import cython

if cython.compiled:
    from cython import address
else:
    from numpy import recarray

    from gotrace.order._gosort import sort_rows
    from gotrace.order.names import *  # noqa: F403

    def address(row):
        """Return the row itself: a numpy record is a view of its array."""
        return row


_MASK = (1 << 64) - 1  # for the uncompiled form: C wraps around


def hash_slot(key, kind, multiplier, shift):
    """Return the home slot of a key in a hash table of 2**(64 - shift) slots."""
    if cython.compiled:
        place = cython.cast(cython.longlong, (cython.cast(cython.ulonglong, key) * multiplier + kind) >> shift)
    else:
        place = ((int(key) * multiplier + int(kind)) & _MASK) >> int(shift)
    return place


def hash_step(h, byte, multiplier):
    """Hash one more byte of a name; without the shift, names could be chosen that collide under every multiplier."""
    if cython.compiled:
        mixed = (h ^ byte) * multiplier
    else:
        mixed = ((h ^ int(byte)) * multiplier) & _MASK
    return mixed ^ (mixed >> 29)


def signed(h):
    """Return the same 64 bits as a signed number."""
    if cython.compiled:
        number = cython.cast(cython.longlong, h)
    else:
        number = int(h) - (int(h) >> 63 << 64)
    return number


def low32(number):
    """Return the low 32 bits of a number."""
    if cython.compiled:
        low = cython.cast(cython.uint, number)
    else:
        low = int(number) & 0xFFFFFFFF
    return low


def follows(seq, last):
    """Return True if a sequence number is the one after ``last``."""
    if cython.compiled:
        is_next = cython.cast(cython.ulonglong, seq) - cython.cast(cython.ulonglong, last) == 1
    else:
        is_next = (int(seq) - int(last)) & _MASK == 1
    return is_next


def go_state(status):
    """Return Go's GoState of a status."""
    if status == GO_RUNNABLE:
        return GO_STATE_RUNNABLE
    if status == GO_RUNNING:
        return GO_STATE_RUNNING
    if status == GO_SYSCALL:
        return GO_STATE_SYSCALL
    if status == GO_WAITING:
        return GO_STATE_WAITING
    return GO_STATE_UNDETERMINED


def proc_state(status):
    """Return Go's ProcState of a status; procs have no state for syscalls."""
    if status == PROC_RUNNING or status == PROC_SYSCALL:
        return PROC_STATE_RUNNING
    if status == PROC_IDLE or status == PROC_SYSCALL_ABANDONED:
        return PROC_STATE_IDLE
    return PROC_STATE_UNDETERMINED


class Machine:
    """The state machine and its frontier.

    ``bind`` sets the arrays that last over the trace, ``open`` those of a slab, ``fill`` the output rows. Call
    ``order`` until its status is 0; a status above 0 is a request to serve before the next call.
    """

    def __init__(self, multiplier, mends):
        self.multiplier = multiplier
        self.mends = mends
        self.n_odd = 0
        self.forever = (1 << 63) - 1

    def bind(self, state):
        """Use the arrays of a SchedState. Call it again whenever one of them is replaced."""
        self.sched = state.sched
        self.id_table = state.id_table
        self.gs = state.gs
        self.ps = state.ps
        self.ms = state.ms
        self.ranges = state.ranges
        self.regions = state.regions
        self.tasks = state.tasks
        self.names = state.names
        self.name_bytes = state.name_bytes
        self.odd = state.odd
        self.shift = 65 - len(state.id_table).bit_length()
        self.mask = len(state.id_table) - 1

    def open(self, slab):
        """Take the input of a slab, a ``SlabInput``."""
        self.pool = slab.pool
        self.waits = slab.waits
        self.cursors = slab.cursors
        self.events = slab.events
        self.base = slab.base
        self.faults = slab.faults
        self.data = slab.data
        self.spec = slab.spec
        self.blanks = slab.blanks
        self.numbers = slab.numbers
        self.factors = slab.factors
        self.starts = slab.starts
        self.first_cursor = slab.first_cursor
        self.samples = slab.samples
        self.first_sample = slab.first_sample
        self.rows_of = slab.rows_of
        self.front = slab.front
        self.string_at = slab.string_at
        self.string_bits = slab.string_bits
        self.string_keys = slab.string_keys
        self.string_vals = slab.string_vals
        self.string_rows = slab.string_rows
        self.string_base = slab.string_base
        self.name_of_row = slab.name_of_row
        self.stack_at = slab.stack_at
        self.stack_bits = slab.stack_bits
        self.stack_keys = slab.stack_keys
        self.stack_vals = slab.stack_vals
        self.stack_base = slab.stack_base
        self.known = slab.ahead is not None
        self.n_gens = len(slab.numbers)
        self.go_to(0)

    def go_to(self, gen):
        """Continue at the start of a generation."""
        self.gen = gen
        self.begun = 0
        self.n_front = 0
        self.any_at = 0

    def fill(self, rows):
        """Write the next events to these rows.

        The rows may overlap, in which case only the fields of EVENT outlast the writing of the next row.
        """
        if cython.compiled:
            self.out = rows
        else:
            self.out = rows.view(recarray)
        self.pool.fill(self.out)
        self.room = len(rows)
        self.whole = self.pool.whole

    def enter_all(self, kind, keys, rows):
        """Insert keys and their rows into the hash table, after it was replaced by a larger one."""
        for i in range(len(keys)):
            self.enter(kind, keys[i], rows[i])

    def order(self):
        """Fill ``out`` with the next events and return the number of rows; set faults[0].status to why it stopped."""
        self.n = 0
        with cython.nogil:
            self.faults[0].status = self.run()
        return self.n

    # --- the frontier: which thread's next event is attempted ------------------------------------------------

    def run(self):
        while True:
            if not self.begun:
                if self.gen == self.n_gens:
                    return OK
                status = self.begin()
                if status != OK:
                    return status
            while self.n_front > 0 or self.sample < self.last_sample:
                if self.room - self.n < 3:  # the most rows that one event makes
                    return FULL
                if self.any_at == 0:
                    if self.sample < self.last_sample and (self.n_front == 0 or self.less(self.sample, 0)):
                        self.put_sample()
                        continue
                    status = self.run_earliest()
                else:
                    status = WAIT
                if status == WAIT:
                    status = self.run_any()
                if status != OK:
                    return status
            self.go_to(self.gen + 1)

    def begin(self):
        """Start a generation: put each thread's first event in the frontier, sort the CPU samples, emit a Sync."""
        first = self.first_cursor[self.gen]
        n_cursors = self.first_cursor[self.gen + 1] - first
        if not self.has_room(n_cursors + 1):
            return self.stop(GROW_STATE, n_cursors + 1, 0)
        if self.n == self.room:
            return FULL
        self.number = self.numbers[self.gen]
        self.string_first = self.string_at[self.gen]
        self.string_shift = 64 - self.string_bits[self.gen]
        self.string_mask = (1 << self.string_bits[self.gen]) - 1 if self.string_bits[self.gen] else -1
        self.stack_first = self.stack_at[self.gen]
        self.stack_shift = 64 - self.stack_bits[self.gen]
        self.stack_mask = (1 << self.stack_bits[self.gen]) - 1 if self.stack_bits[self.gen] else -1
        self.n_front = 0
        self.pool.begin(self.gen, first, n_cursors, self.factors[self.gen])
        for i in range(n_cursors):
            cursor = first + i
            self.rows_of[cursor] = self.thread(self.cursors[cursor].m)
            self.front[self.n_front].cursor = cursor
            status = self.next_event(cursor)
            if status < 0:
                return status
            if status == OK:
                self.front[self.n_front].time = self.at_hand(cursor).time
                self.n_front = self.n_front + 1
                self.sift_up(self.n_front - 1)
        if self.n_front > 0 and not self.sched[0].started:
            self.sched[0].started = 1
            self.sched[0].initial = self.number
        self.sample = self.first_cursor[self.n_gens] + self.first_sample[self.gen]
        self.last_sample = self.first_cursor[self.n_gens] + self.first_sample[self.gen + 1]
        sort_rows(self.front, self.sample, self.last_sample)
        self.put_sync()
        self.begun = 1
        return OK

    def next_event(self, cursor):
        """Advance a cursor by one event; return OK, MORE at its end, or a fault."""
        thread = address(self.cursors[cursor])
        thread.at += 1
        if thread.at < thread.n:
            return OK
        return self.pool.decode(cursor)

    def place(self, cursor):
        """Return the row of a cursor's current event in ``events``."""
        thread = address(self.cursors[cursor])
        return thread.first + thread.at

    def at_hand(self, cursor):
        """Return a cursor's current event."""
        return address(self.events[self.place(cursor)])

    def run_earliest(self):
        """Advance the earliest thread while it stays the earliest.

        The root of the heap stays the root while no child is strictly earlier, so only its end needs the heap.
        """
        cursor = self.front[0].cursor
        row = self.rows_of[cursor]
        bound = self.bound()
        event = self.at_hand(cursor)
        while True:
            n = self.n
            status = MORE
            if row != 0 and self.spec[event.type].bulk:
                status = self.copy_through(cursor, row, bound)
                if status < 0:
                    return status
            if self.n == n:
                status = self.attempt(cursor, row, event)
                if status != OK:
                    return status
                self.waits.change(cursor, self.g, self.p, self.arg(0))
                status = self.next_event(cursor)
                if status < 0:
                    self.n = n
                    return status
                if self.bad != OK:
                    return self.check_ids(n)
            if status == MORE:
                self.remove(0)
                return OK
            event = self.at_hand(cursor)
            self.front[0].time = event.time
            if event.time > bound:
                self.sift_down(0)
                return OK
            if self.room - self.n < 3:
                return FULL

    def copy_through(self, cursor, row, bound):
        """Copy the earliest thread's next events that change no state in bulk, if its context has what they need."""
        self.ms[row].known = 1
        self.pool.n = self.n
        self.pool.last = self.sched[0].last
        status = self.pool.copy_through(cursor, bound, self.ms[row].g, self.ms[row].p, low32(self.number))
        self.n = self.pool.n
        self.sched[0].last = self.pool.last
        return status

    def bound(self):
        """Return the time up to which the earliest thread stays first, before its children and the next sample."""
        bound = self.forever
        if self.n_front > 1:
            bound = self.front[1].time
            if self.n_front > 2 and self.front[2].time < bound:
                bound = self.front[2].time
        if self.sample < self.last_sample and self.front[self.sample].time < bound:
            bound = self.front[self.sample].time
        return bound

    def run_any(self):
        """Attempt the other threads by time; advance the first one that can.

        The thread that sorting puts first is skipped, as in Go's reader.
        """
        if self.any_at == 0:
            sort_rows(self.front, 0, self.n_front)
            self.any_at = 1
        while self.any_at < self.n_front:
            n = self.n
            cursor = self.front[self.any_at].cursor
            status = WAIT
            if not self.waits.still_waits(cursor):
                status = self.attempt(cursor, self.rows_of[cursor], self.at_hand(cursor))
            if status == WAIT:
                self.any_at = self.any_at + 1
                continue
            if status != OK:
                return status
            self.waits.change(cursor, self.g, self.p, self.arg(0))
            status = self.next_event(cursor)
            if status < 0:
                self.n = n
                return status
            if status == MORE:
                self.remove(self.any_at)
            else:
                self.front[self.any_at].time = self.at_hand(cursor).time
                if not self.sift_up(self.any_at):
                    self.sift_down(self.any_at)
            self.any_at = 0
            return self.check_ids(n)
        self.any_at = 0
        self.event = self.at_hand(self.front[0].cursor)
        return self.stop(STUCK, 0, 0)

    def check_ids(self, n):
        """Drop the rows from ``n`` on if an id in them is unknown."""
        if self.bad == OK:
            return OK
        self.n = n
        self.faults[0].detail = self.bad_id
        self.faults[0].offset = self.bad_offset
        self.faults[0].type = self.type
        return self.bad

    def stop(self, status, detail, limit):
        """Set the details of a fault of the current event, or of a request, and return the status."""
        self.faults[0].detail = detail
        self.faults[0].limit = limit
        if status < 0:
            self.faults[0].offset = self.base + self.event.start
            self.faults[0].type = self.event.type
        return status

    # --- the frontier as a heap, exactly Go's: the order of equal times is part of the result -----------------

    def sift_up(self, i):
        moved = 0
        while i > 0 and self.less(i, (i - 1) // 2):
            self.swap(i, (i - 1) // 2)
            i = (i - 1) // 2
            moved = 1
        return moved

    def sift_down(self, i):
        time = self.front[i].time
        cursor = self.front[i].cursor
        while True:
            child = 2 * i + 1
            if child + 1 < self.n_front and self.less(child + 1, child):
                child += 1
            if child >= self.n_front or self.front[child].time >= time:
                break
            self.front[i].time = self.front[child].time
            self.front[i].cursor = self.front[child].cursor
            i = child
        self.front[i].time = time
        self.front[i].cursor = cursor

    def remove(self, i):
        while i > 0:
            self.swap(i, (i - 1) // 2)
            i = (i - 1) // 2
        self.n_front = self.n_front - 1
        self.swap(0, self.n_front)
        self.sift_down(0)

    def less(self, i, j):
        return self.front[i].time < self.front[j].time

    def swap(self, i, j):
        time = self.front[i].time
        cursor = self.front[i].cursor
        self.front[i].time = self.front[j].time
        self.front[i].cursor = self.front[j].cursor
        self.front[j].time = time
        self.front[j].cursor = cursor

    # --- the state: goroutines, procs, threads, tasks, names -------------------------------------------------

    def has_room(self, threads):
        """Return True if every table has room for what one event may add, and for ``threads`` threads."""
        return (
            self.sched[0].n_ps < self.ps.shape[0]
            and self.sched[0].n_ms + threads <= self.ms.shape[0]
            and self.sched[0].n_names < self.names.shape[0]
            and self.sched[0].n_name_bytes + MAX_STRING <= self.name_bytes.shape[0]
            and self.sched[0].free_g != 0
            and self.sched[0].free_task != 0
            and self.sched[0].free_range != 0
            and self.sched[0].free_region != 0
            and (self.sched[0].n_ids + threads + 4) * 3 < (self.mask + 1) * 2
        )

    def find(self, kind, key):
        """Return the row of a key in the table of its kind; 0 if there is none."""
        i = hash_slot(key, kind, self.multiplier, self.shift)
        while self.id_table[i].row != 0:
            if self.id_table[i].key == key and self.id_table[i].kind == kind:
                return self.id_table[i].row
            i = (i + 1) & self.mask
        return 0

    def enter(self, kind, key, row):
        i = hash_slot(key, kind, self.multiplier, self.shift)
        while self.id_table[i].row != 0:
            i = (i + 1) & self.mask
        self.id_table[i].key = key
        self.id_table[i].kind = kind
        self.id_table[i].row = row
        self.sched[0].n_ids += 1

    def leave(self, kind, key):
        """Remove a key and move later keys of its probe sequence up, so that no search stops before them."""
        i = hash_slot(key, kind, self.multiplier, self.shift)
        while self.id_table[i].key != key or self.id_table[i].kind != kind:
            i = (i + 1) & self.mask
        j = i
        while True:
            j = (j + 1) & self.mask
            if self.id_table[j].row == 0:
                break
            home = hash_slot(self.id_table[j].key, self.id_table[j].kind, self.multiplier, self.shift)
            if (j - home) & self.mask >= (j - i) & self.mask:
                self.id_table[i].key = self.id_table[j].key
                self.id_table[i].kind = self.id_table[j].kind
                self.id_table[i].row = self.id_table[j].row
                i = j
        self.id_table[i].row = 0
        self.sched[0].n_ids -= 1

    def goroutine(self, gid):
        """Return the row of a goroutine; 0 if there is none."""
        return self.find(KEY_G, gid)

    def new_goroutine(self, gid, status):
        row = self.sched[0].free_g
        self.sched[0].free_g = self.gs[row].regions
        self.enter(KEY_G, gid, row)
        self.gs[row].id = gid
        self.gs[row].generation = self.number
        self.gs[row].seq = 0
        self.gs[row].regions = 0
        self.gs[row].ranges = 0
        self.gs[row].status = status

    def forget(self, row):
        """Remove a goroutine that ended, with its open regions and ranges."""
        while self.gs[row].regions != 0:
            self.gs[row].regions = self.free_region(self.gs[row].regions)
        while self.gs[row].ranges != 0:
            self.gs[row].ranges = self.free_range(self.gs[row].ranges)
        self.leave(KEY_G, self.gs[row].id)
        self.gs[row].status = GO_FREE
        self.gs[row].regions = self.sched[0].free_g
        self.sched[0].free_g = row

    def thread(self, mid):
        """Return the row of a thread, adding it if it is new; row 0 means none and never changes."""
        if mid == -1:
            return 0
        row = self.find(KEY_M, mid)
        if row == 0:
            row = self.sched[0].n_ms
            self.sched[0].n_ms += 1
            self.ms[row].id = mid
            self.ms[row].g = -1
            self.ms[row].p = -1
            self.ms[row].known = 0
            self.enter(KEY_M, mid, row)
        return row

    def bind_g(self, gid):
        if self.m_row != 0:
            self.ms[self.m_row].g = gid

    def bind_p(self, pid):
        if self.m_row != 0:
            self.ms[self.m_row].p = pid

    def intern(self, row):
        """Return the trace-wide number of the name in a row of strings, by its bytes; row -1 is the empty string."""
        if row < 0:
            return 0
        if self.name_of_row[row] != 0:
            return self.name_of_row[row]
        at = self.string_rows[row].at
        size = self.string_rows[row].length
        h = self.multiplier
        for i in range(size):
            h = hash_step(h, self.data[at + i], self.multiplier)
        key = signed(h)
        place = hash_slot(key, KEY_NAME, self.multiplier, self.shift)
        while self.id_table[place].row != 0:
            if self.id_table[place].key == key and self.id_table[place].kind == KEY_NAME:
                name = self.id_table[place].row
                if self.names[name].length == size and self.same_bytes(self.names[name].at, at, size):
                    self.name_of_row[row] = name
                    return name
            place = (place + 1) & self.mask
        name = self.sched[0].n_names
        self.sched[0].n_names += 1
        self.names[name].key = key
        self.names[name].at = self.sched[0].n_name_bytes
        self.names[name].length = size
        self.names[name].row = self.string_base + row
        for i in range(size):
            self.name_bytes[self.sched[0].n_name_bytes + i] = self.data[at + i]
        self.sched[0].n_name_bytes += size
        self.enter(KEY_NAME, key, name)
        self.name_of_row[row] = name
        return name

    def same_bytes(self, at, other, size):
        for i in range(size):
            if self.name_bytes[at + i] != self.data[other + i]:
                return 0
        return 1

    def string(self, key):
        """Return the row of a string of this generation; -1 for the empty string, -2 for an unknown id."""
        if key == 0:
            return -1
        if self.string_mask < 0:
            return -2
        first = self.string_first
        i = hash_slot(key, 0, self.multiplier, self.string_shift)
        while self.string_vals[first + i] != 0:
            if self.string_keys[first + i] == key:
                return self.string_vals[first + i] - 1
            i = (i + 1) & self.string_mask
        return -2

    def stack(self, key):
        """Return the row of a stack, like ``string``."""
        if key == 0:
            return -1
        if self.stack_mask < 0:
            return -2
        first = self.stack_first
        i = hash_slot(key, 0, self.multiplier, self.stack_shift)
        while self.stack_vals[first + i] != 0:
            if self.stack_keys[first + i] == key:
                return self.stack_vals[first + i] - 1
            i = (i + 1) & self.stack_mask
        return -2

    # --- open ranges: a linked list per goroutine or proc, in the order of Go's reader -------------------------

    def find_range(self, head, kind, description):
        while head != 0:
            if self.ranges[head].type == kind and self.ranges[head].description == description:
                return head
            head = self.ranges[head].next
        return 0

    def add_range(self, head, kind, description, name):
        """Append a range and return the list's new head."""
        row = self.sched[0].free_range
        self.sched[0].free_range = self.ranges[row].next
        self.ranges[row].type = kind
        self.ranges[row].description = description
        self.ranges[row].name = name
        self.ranges[row].next = 0
        if head == 0:
            return row
        last = head
        while self.ranges[last].next != 0:
            last = self.ranges[last].next
        self.ranges[last].next = row
        return head

    def end_range(self, head, kind):
        """Replace the first range of a kind by the last range; return the new head, -1 if there is no such range."""
        row = head
        while row != 0 and self.ranges[row].type != kind:
            row = self.ranges[row].next
        if row == 0:
            return -1
        self.ended_name = self.ranges[row].name
        before = 0
        last = head
        while self.ranges[last].next != 0:
            before = last
            last = self.ranges[last].next
        self.ranges[row].type = self.ranges[last].type
        self.ranges[row].description = self.ranges[last].description
        self.ranges[row].name = self.ranges[last].name
        self.free_range(last)
        if before == 0:
            return 0
        self.ranges[before].next = 0
        return head

    def free_range(self, row):
        after = self.ranges[row].next
        self.ranges[row].next = self.sched[0].free_range
        self.sched[0].free_range = row
        return after

    def free_region(self, row):
        after = self.regions[row].next
        self.regions[row].next = self.sched[0].free_region
        self.sched[0].free_region = row
        return after

    # --- output rows -----------------------------------------------------------------------------------------

    def put_row(self, kind, part, m, g, p):
        """Start the row of the current event (``part`` 0), or a row of type ``kind`` that it adds."""
        row = address(self.out[self.n])
        event = self.event
        spec = address(self.spec[kind])
        if self.whole:
            self.out[self.n] = self.blanks[kind]
            if part == 0:
                for j in range(4):
                    row.args[j] = signed(event.args[j])
        else:
            row.kind = spec.kind
            row.type = kind
            row.zero = 0
            row.stack = 0
        self.n = self.n + 1
        row.time = self.monotonic(event.time)
        row.offset = self.base + event.start
        row.g = g
        row.m = m
        row.p = p
        row.generation = low32(self.number)
        row.part = part
        if part == 0 and (spec.stack & spec.string) != -1:
            self.put_names(row, event, spec)

    def put_names(self, row, event, spec):
        """Fill in the stacks and strings that an event names; the background thread may have resolved the first."""
        if spec.stack >= 0:
            row.stack = event.stack if self.known else self.stack_of(spec.stack)
            if row.stack < 0:
                row.stack = self.unknown(UNKNOWN_STACK_ARG, spec.stack)
            if spec.stack2 >= 0:
                row.stack2 = self.stack_of(spec.stack2)
                if row.stack2 < 0:
                    row.stack2 = self.unknown(UNKNOWN_STACK_ARG, spec.stack2)
        if spec.string >= 0:
            row.name = event.name if self.known else self.string_of(spec.string)
            if row.name < 0:
                row.name = self.unknown(UNKNOWN_STRING_ARG, spec.string)
            if spec.string2 >= 0:
                row.text = self.string_of(spec.string2)
                if row.text < 0:
                    row.text = self.unknown(UNKNOWN_STRING_ARG, spec.string2)

    def stack_of(self, place):
        """Return the row of the trace's stacks that an argument names; 0 none, -1 unknown."""
        row = self.stack(self.arg(place))
        return row + 1 if row < 0 else self.stack_base + row

    def name_in(self, place):
        """Return the row of an argument's name, like ``string``; when salvaging, an unknown id is the empty string."""
        string = self.string(self.arg(place))
        return -1 if string == -2 and self.mends else string

    def string_of(self, place):
        """Return the row of the trace's strings that an argument names, like ``stack_of``."""
        row = self.string(self.arg(place))
        return row + 1 if row < 0 else self.string_base + row

    def unknown(self, status, place):
        """Record an unknown id; ``check_ids`` reports it unless decoding the thread's next event fails first."""
        if self.mends:
            self.note(
                ORDER_ANOMALY_UNKNOWN_STACK if status == UNKNOWN_STACK_ARG else ORDER_ANOMALY_UNKNOWN_STRING,
                self.arg(place),
            )
        elif self.bad == OK:
            self.bad = status
            self.bad_id = self.arg(place)
            self.bad_offset = self.base + self.event.start
        return 0

    def set_transition(self, resource, rid, old, new):
        """Set the transition of the last row."""
        if not self.whole:
            return
        row = address(self.out[self.n - 1])
        row.resource = resource
        row.args[0] = rid
        row.args[1] = 0
        row.args[2] = 0
        row.args[3] = 0
        row.old = old
        row.new = new

    def set_range(self, resource, rid):
        """Set the resource of the last row's range; a sweep's measurements follow it."""
        if not self.whole:
            return
        row = address(self.out[self.n - 1])
        row.resource = resource
        row.args[2] = row.args[1] if self.type == EV_GC_SWEEP_END else 0
        row.args[1] = row.args[0] if self.type == EV_GC_SWEEP_END else 0
        row.args[0] = rid

    def put(self):
        """Start the row of the current event in its thread's context."""
        self.put_row(self.type, 0, self.m, self.g, self.p)

    def put_sync(self):
        self.sched[0].syncs += 1
        row = self.blank(self.starts[self.gen])
        row.kind = EVENT_SYNC
        row.type = EV_SYNC
        row.args[0] = self.sched[0].syncs
        row.args[1] = self.gen + 1

    def put_sample(self):
        sample = address(self.samples[self.front[self.sample].cursor])
        self.sample = self.sample + 1
        row = self.blank(sample.time)
        row.offset = sample.offset
        row.kind = EVENT_STACK_SAMPLE
        row.type = EV_CPU_SAMPLE
        row.g = sample.g
        row.m = sample.m
        row.p = sample.p
        row.stack = sample.stack

    def blank(self, time):
        """Start a row of an event that no thread wrote."""
        self.out[self.n] = self.blanks[0]
        row = address(self.out[self.n])
        self.n = self.n + 1
        row.time = self.monotonic(time)
        row.offset = -1
        row.g = -1
        row.m = -1
        row.p = -1
        row.generation = low32(self.number)
        return row

    def monotonic(self, time):
        """Return the time of the next row, strictly later than the last one."""
        if time <= self.sched[0].last:
            time = self.sched[0].last + 1
        self.sched[0].last = time
        return time

    # --- one event ---------------------------------------------------------------------------------------------

    def attempt(self, cursor, row, event):
        """Apply a cursor's event in its thread's context; return OK if its rows are out, WAIT, a request or a fault."""
        self.cursor = cursor
        self.event = event
        self.bad = OK
        self.type = event.type
        spec = address(self.spec[event.type])
        rule = spec.rule
        if spec.creates and not self.has_room(1):
            return self.stop(GROW_STATE, 1, 0)
        self.m_row = row
        if row != 0:
            self.ms[row].known = 1
        self.m = self.ms[row].id
        self.g = self.ms[row].g
        self.p = self.ms[row].p
        if rule == RULE_EXPERIMENT:
            return self.experiment()
        if rule == RULE_GO_START:
            return self.go_start()
        if rule == RULE_GO_LEAVE:
            return self.go_leave()
        if rule == RULE_GO_UNBLOCK:
            return self.go_unblock()
        if rule == RULE_GO_SYSCALL_BEGIN:
            return self.go_syscall_begin()
        if rule == RULE_GO_SYSCALL_END:
            return self.go_syscall_end()
        if rule == RULE_GO_SYSCALL_END_BLOCKED:
            return self.go_syscall_end_blocked()
        if rule == RULE_GO_CREATE:
            return self.go_create()
        if rule == RULE_GO_SWITCH:
            return self.go_switch()
        if rule == RULE_GO_STATUS:
            return self.go_status()
        if rule == RULE_GO_CREATE_SYSCALL:
            return self.go_create_syscall()
        if rule == RULE_GO_DESTROY_SYSCALL:
            return self.go_destroy_syscall()
        if rule == RULE_PROC_START:
            return self.proc_start()
        if rule == RULE_PROC_STOP:
            return self.proc_stop()
        if rule == RULE_PROC_STEAL:
            return self.proc_steal()
        if rule == RULE_PROC_STATUS:
            return self.proc_status()
        if rule == RULE_GO_RANGE_BEGIN:
            return self.go_range_begin()
        if rule == RULE_GO_RANGE_ACTIVE:
            return self.go_range_active()
        if rule == RULE_GO_RANGE_END:
            return self.go_range_end()
        if rule == RULE_PROC_RANGE_BEGIN:
            return self.proc_range_begin()
        if rule == RULE_PROC_RANGE_ACTIVE:
            return self.proc_range_active()
        if rule == RULE_PROC_RANGE_END:
            return self.proc_range_end()
        if rule == RULE_GC_BEGIN:
            return self.gc_begin()
        if rule == RULE_GC_ACTIVE:
            return self.gc_active()
        if rule == RULE_GC_END:
            return self.gc_end()
        if rule == RULE_USER:
            return self.user()
        if rule == RULE_ON_PROC:
            return self.on_proc()
        if rule == RULE_TASK_BEGIN:
            return self.task_begin()
        if rule == RULE_TASK_END:
            return self.task_end()
        if rule == RULE_REGION_BEGIN:
            return self.region_begin()
        if rule == RULE_REGION_END:
            return self.region_end()
        return self.stop(NO_RULE, 0, 0)

    def arg(self, place):
        return signed(self.event.args[place])

    def require(self, m, p, g):
        """Check the context: 1 required, 2 forbidden, 0 either. A violation is a fault, as waiting cannot cure it."""
        if m == 1 and self.m == -1:
            return self.stop(NEEDS_THREAD, 0, 0)
        if m == 2 and self.m != -1:
            return self.stop(HAS_THREAD, self.m, 0)
        if p == 1 and self.p == -1:
            return self.stop(NEEDS_PROC, 0, 0)
        if p == 2 and self.p != -1:
            return self.stop(HAS_PROC, self.p, 0)
        if g == 1 and self.g == -1:
            return self.stop(NEEDS_GOROUTINE, 0, 0)
        if g == 2 and self.g != -1:
            return self.stop(HAS_GOROUTINE, self.g, 0)
        return OK

    def next_of_goroutine(self, row, seq):
        """Return True if the event is the next one about a goroutine.

        A count of another generation never matches: each status restarts it, so a goroutine's events in a generation
        come after its status there.
        """
        return self.gs[row].generation == self.number and follows(seq, self.gs[row].seq)

    def next_of_proc(self, row, seq):
        """Return True if the event is the next one about a proc."""
        return self.ps[row].generation == self.number and follows(seq, self.ps[row].seq)

    def fits_int32(self, pid):
        """Return True if a proc's id fits into Go's 32 bits."""
        return pid >> 31 == 0 or pid >> 31 == -1

    def experiment(self):
        """An experiment's event changes no state; it may require a context of its thread."""
        status = self.require(
            self.spec[self.type].needs[0], self.spec[self.type].needs[1], self.spec[self.type].needs[2]
        )
        if status == OK:
            self.put()
        return status

    def user(self):
        """GOMAXPROCS, labels, logs: written by a running goroutine, about it."""
        status = self.require(1, 1, 1)
        if status == OK:
            self.put()
            if self.out[self.n - 1].kind == EVENT_LABEL:
                self.set_transition(RESOURCE_GOROUTINE, self.g, 0, 0)
        return status

    def on_proc(self):
        """Heap sizes: the sweeper writes them without a goroutine, but never without a P."""
        status = self.require(1, 1, 0)
        if status == OK:
            self.put()
        return status

    # --- procs -------------------------------------------------------------------------------------------------

    def proc_status(self):
        """The first event about a P in a generation reports its status and restarts its sequence at 0.

        A thread that steals a P from a syscall reports it as abandoned if it cannot name the owner. If the owner is
        known here, the P is in that thread's syscall and an ordinary steal follows, so the status is emitted in the
        owner's context.
        """
        pid = self.arg(0)
        reported = self.arg(1) & 255
        if not self.fits_int32(pid):
            return self.stop(WIDE_PROC, pid, 0)
        if reported > PROC_SYSCALL_ABANDONED:
            return self.stop(PROC_STATUS_NUMBER, pid, reported)
        row = self.find(KEY_P, pid)
        owner = 0
        shown = reported
        if row != 0:
            status = self.ps[row].status
            old = proc_state(reported)
            if reported == PROC_SYSCALL_ABANDONED and status == PROC_SYSCALL:
                shown = PROC_SYSCALL
                old = PROC_STATE_RUNNING
                owner = self.owner(pid)
                if owner == 0:
                    return self.stop(PROC_WITHOUT_THREAD, pid, 0)
            elif reported == PROC_RUNNING and status == PROC_IDLE and self.mends and self.flushes():
                reported = PROC_IDLE
                shown = PROC_IDLE
                old = proc_state(PROC_IDLE)
                self.note(ORDER_ANOMALY_PROC_CORRECTED, pid)
            elif reported != status:
                return self.stop(PROC_STATUS_DIFFERS, pid, reported)
            if self.ps[row].generation == self.number:
                self.note(ORDER_ANOMALY_PROC_STATUS_REPEATED, pid)
            if (reported == PROC_RUNNING or reported == PROC_SYSCALL) and self.p != pid and self.other_owner(pid):
                self.note(ORDER_ANOMALY_PROC_TWICE, pid)
            self.ps[row].generation = self.number
            self.ps[row].seq = 0
        else:
            old = PROC_STATE_NOT_EXIST
            if self.number == self.sched[0].initial:
                old = PROC_STATE_UNDETERMINED
            row = self.sched[0].n_ps
            self.sched[0].n_ps += 1
            self.enter(KEY_P, pid, row)
            self.ps[row].id = pid
            self.ps[row].generation = self.number
            self.ps[row].seq = 0
            self.ps[row].ranges = 0
            self.ps[row].status = reported
        if owner != 0:
            self.put_row(self.type, 0, self.ms[owner].id, self.ms[owner].g, pid)
        else:
            self.put()
        self.set_transition(RESOURCE_PROC, pid, old, proc_state(shown))
        if reported == PROC_RUNNING or reported == PROC_SYSCALL:
            self.bind_p(pid)
        return OK

    def flushes(self):
        """Return True if the thread's next event is an experiment's.

        A thread that takes a P may sweep before its ProcStart; the tracer then reports the idle P as running.
        """
        following = self.pool.look_ahead(self.cursor)
        self.event = self.at_hand(self.cursor)
        return self.spec[following].rule == RULE_EXPERIMENT

    def note(self, what, rid):
        """Record an anomaly; drop it if the table is full."""
        i = self.n_odd
        if i < self.odd.shape[0]:
            self.n_odd = i + 1
            self.odd[i].what = what
            self.odd[i].id = rid
            self.odd[i].offset = self.base + self.event.start

    def other_owner(self, pid):
        """Return True if a thread other than the current one has the P, unless no anomaly can be recorded anyway."""
        if self.n_odd < self.odd.shape[0]:
            for row in range(1, self.sched[0].n_ms):
                if row != self.m_row and self.ms[row].p == pid:
                    return 1
        return 0

    def other_runner(self, gid):
        """Return True if a thread other than the current one has the goroutine, like ``other_owner``."""
        if self.n_odd < self.odd.shape[0]:
            for row in range(1, self.sched[0].n_ms):
                if row != self.m_row and self.ms[row].g == gid:
                    return 1
        return 0

    def owner(self, pid):
        """Return the row of the first thread that has a P; 0 if there is none."""
        for row in range(1, self.sched[0].n_ms):
            if self.ms[row].p == pid:
                return row
        return 0

    def proc_start(self):
        """A thread takes an idle P. While it still has a P, it waits: that P was stolen, and the steal comes first."""
        pid = self.arg(0)
        if not self.fits_int32(pid):
            return self.stop(WIDE_PROC, pid, 0)
        row = self.find(KEY_P, pid)
        if self.p != -1:
            return self.waits.wait_for(self.cursor, KEY_P, self.p)
        if row == 0 or self.ps[row].status != PROC_IDLE or not self.next_of_proc(row, self.arg(1)):
            return self.waits.wait_for(self.cursor, KEY_P, pid)
        status = self.require(1, 2, 0)
        if status != OK:
            return status
        self.ps[row].status = PROC_RUNNING
        self.ps[row].seq = self.arg(1)
        self.put()
        self.set_transition(RESOURCE_PROC, pid, PROC_STATE_IDLE, PROC_STATE_RUNNING)
        self.bind_p(pid)
        return OK

    def proc_stop(self):
        """A thread releases its own P, running or in a syscall; its binding orders the event, no sequence number."""
        row = self.find(KEY_P, self.p) if self.p != -1 else 0
        if row == 0:
            if self.p == -1:
                return self.stop(NEEDS_PROC, 0, 0)
            return self.stop(UNKNOWN_PROC, self.p, 0)
        if self.ps[row].status != PROC_RUNNING and self.ps[row].status != PROC_SYSCALL:
            return self.stop(WRONG_PROC_STATUS, self.p, self.ps[row].status)
        status = self.require(1, 1, 0)
        if status != OK:
            return status
        self.ps[row].status = PROC_IDLE
        self.put()
        self.set_transition(RESOURCE_PROC, self.p, PROC_STATE_RUNNING, PROC_STATE_IDLE)
        self.bind_p(-1)
        return OK

    def proc_steal(self):
        """A P is taken from a thread in a syscall.

        The sequence number identifies the syscall. The thread of an abandoned P is unknown, and the P counts as idle
        before the steal.
        """
        pid = self.arg(0)
        if not self.fits_int32(pid):
            return self.stop(WIDE_PROC, pid, 0)
        row = self.find(KEY_P, pid)
        before = self.ps[row].status
        in_syscall = before == PROC_SYSCALL or before == PROC_SYSCALL_ABANDONED
        if row == 0 or not in_syscall or not self.next_of_proc(row, self.arg(1)):
            return self.waits.wait_for(self.cursor, KEY_P, pid)
        status = self.require(1, 0, 0)
        if status != OK:
            return status
        victim = 0
        if before == PROC_SYSCALL:
            if self.arg(2) == self.m:
                victim = self.m_row
            else:
                victim = self.find(KEY_M, self.arg(2))
                if victim == 0 or not self.ms[victim].known:
                    return self.stop(UNKNOWN_THREAD, self.arg(2), 0)
            if self.ms[victim].p != pid:
                return self.stop(OTHER_PROC, pid, self.ms[victim].p)
        self.ps[row].status = PROC_IDLE
        self.ps[row].seq = self.arg(1)
        self.put()
        self.set_transition(RESOURCE_PROC, pid, proc_state(before), PROC_STATE_IDLE)
        if victim != 0:
            self.ms[victim].p = -1
        return OK

    # --- goroutines --------------------------------------------------------------------------------------------

    def go_status(self):
        """The first event about a goroutine in a generation. Only in the first generation may the goroutine be new.

        Another thread may report a goroutine in a syscall; the event then applies to the thread that it names.
        """
        gid = self.arg(0)
        mid = self.arg(1)
        reported = self.arg(2) & 255
        if reported > GO_WAITING:
            return self.stop(GO_STATUS_NUMBER, gid, reported)
        initial = self.number == self.sched[0].initial
        row = self.goroutine(gid)
        old = go_state(reported)
        if row != 0:
            if self.gs[row].status != reported:
                return self.stop(GO_STATUS_DIFFERS, gid, reported)
        elif initial:
            old = GO_STATE_UNDETERMINED
        else:
            return self.stop(LATE_GOROUTINE, gid, 0)
        m = self.m
        g = self.g
        bound = self.g
        if reported == GO_RUNNING:
            bound = gid
        elif reported == GO_SYSCALL:
            if mid == -1:
                return self.stop(SYSCALL_WITHOUT_THREAD, gid, 0)
            if mid == self.m:
                if not initial and self.g != gid:
                    return self.stop(OTHER_GOROUTINE, gid, self.g)
                bound = gid
            else:
                other = self.find(KEY_M, mid)
                if other != 0 and self.ms[other].known:
                    if self.ms[other].g != gid:
                        return self.stop(OTHER_GOROUTINE, gid, self.ms[other].g)
                    g = gid
                else:
                    other = self.thread(mid)
                    self.ms[other].known = 1
                    self.ms[other].g = gid
                m = mid
        if row == 0:
            self.new_goroutine(gid, reported)
        else:
            if self.gs[row].generation == self.number:
                self.note(ORDER_ANOMALY_GO_STATUS_REPEATED, gid)
            if bound == gid and self.g != gid and self.other_runner(gid):
                self.note(ORDER_ANOMALY_GO_TWICE, gid)
            self.gs[row].generation = self.number
            self.gs[row].seq = 0
        self.put_row(self.type, 0, m, g, self.p)
        self.set_transition(RESOURCE_GOROUTINE, gid, old, go_state(reported))
        self.out[self.n - 1].stack2 = self.out[self.n - 1].stack
        self.bind_g(bound)
        return OK

    def go_create(self):
        """A goroutine, or the scheduler on a P, creates a goroutine, which must not exist yet."""
        status = self.require(1, 1, 0)
        if status != OK:
            return status
        if self.g != -1:
            row = self.goroutine(self.g)
            if row != 0 and self.gs[row].status != GO_RUNNING:
                return self.stop(WRONG_GO_STATUS, self.g, self.gs[row].status)
        gid = self.arg(0)
        if self.goroutine(gid) != 0:
            return self.stop(GOROUTINE_EXISTS, gid, 0)
        made = GO_RUNNABLE
        if self.type == EV_GO_CREATE_BLOCKED:
            made = GO_WAITING
        self.new_goroutine(gid, made)
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, gid, GO_STATE_NOT_EXIST, go_state(made))
        return OK

    def go_create_syscall(self):
        """A C thread calls into Go: its goroutine is created in a syscall, on this thread."""
        status = self.require(1, 0, 2)
        if status != OK:
            return status
        gid = self.arg(0)
        if self.goroutine(gid) != 0:
            return self.stop(GOROUTINE_EXISTS, gid, 0)
        self.new_goroutine(gid, GO_SYSCALL)
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, gid, GO_STATE_NOT_EXIST, GO_STATE_SYSCALL)
        self.bind_g(gid)
        return OK

    def go_destroy_syscall(self):
        """A C thread leaves Go. Its P is abandoned at once: a later steal must not name a new thread of the same id."""
        status = self.require(1, 0, 1)
        if status != OK:
            return status
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        if self.gs[row].status != GO_SYSCALL:
            return self.stop(WRONG_GO_STATUS, self.g, self.gs[row].status)
        if self.p != -1:
            proc = self.find(KEY_P, self.p)
            if proc == 0:
                return self.stop(UNKNOWN_PROC, self.p, 0)
            if self.ps[proc].status != PROC_SYSCALL:
                return self.stop(WRONG_PROC_STATUS, self.p, self.ps[proc].status)
            self.ps[proc].status = PROC_SYSCALL_ABANDONED
            self.put_row(EV_PROC_STEAL, 1, self.m, self.g, self.p)
            self.set_transition(RESOURCE_PROC, self.p, PROC_STATE_RUNNING, PROC_STATE_IDLE)
            self.bind_p(-1)
        self.forget(row)
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_SYSCALL, GO_STATE_NOT_EXIST)
        self.bind_g(-1)
        return OK

    def running(self):
        """Return the row of the context's running goroutine, or a fault."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        if self.gs[row].status != GO_RUNNING:
            return self.stop(WRONG_GO_STATUS, self.g, self.gs[row].status)
        return row

    def go_leave(self):
        """The running goroutine yields, blocks or ends. Its thread's order suffices, without a sequence number."""
        row = self.running()
        if row < 0:
            return row
        self.put()
        if self.type == EV_GO_DESTROY:
            self.forget(row)
            self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_RUNNING, GO_STATE_NOT_EXIST)
        else:
            self.gs[row].status = GO_WAITING
            if self.type == EV_GO_STOP:
                self.gs[row].status = GO_RUNNABLE
            self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_RUNNING, go_state(self.gs[row].status))
            self.out[self.n - 1].stack2 = self.out[self.n - 1].stack
        self.bind_g(-1)
        return OK

    def go_start(self):
        """A runnable goroutine runs. Sequence numbers order this after the event that made it runnable."""
        gid = self.arg(0)
        row = self.goroutine(gid)
        if row == 0 or self.gs[row].status != GO_RUNNABLE or not self.next_of_goroutine(row, self.arg(1)):
            return self.waits.wait_for(self.cursor, KEY_G, gid)
        status = self.require(1, 1, 2)
        if status != OK:
            return status
        self.gs[row].status = GO_RUNNING
        self.gs[row].seq = self.arg(1)
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, gid, GO_STATE_RUNNABLE, GO_STATE_RUNNING)
        self.bind_g(gid)
        return OK

    def go_unblock(self):
        """A waiting goroutine becomes runnable. The event needs no context, but the goroutine must be waiting."""
        gid = self.arg(0)
        row = self.goroutine(gid)
        if row == 0 or self.gs[row].status != GO_WAITING or not self.next_of_goroutine(row, self.arg(1)):
            return self.waits.wait_for(self.cursor, KEY_G, gid)
        self.gs[row].status = GO_RUNNABLE
        self.gs[row].seq = self.arg(1)
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, gid, GO_STATE_WAITING, GO_STATE_RUNNABLE)
        return OK

    def go_switch(self):
        """A coroutine switch: the next goroutine is unblocked, this one blocks or ends, the next one runs."""
        row = self.running()
        if row < 0:
            return row
        gid = self.arg(0)
        other = self.goroutine(gid)
        if other == 0 or self.gs[other].status != GO_WAITING or not self.next_of_goroutine(other, self.arg(1)):
            return WAIT
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, gid, GO_STATE_WAITING, GO_STATE_RUNNABLE)
        if self.type == EV_GO_SWITCH:
            self.gs[row].status = GO_WAITING
            self.put_row(EV_GO_BLOCK, 1, self.m, self.g, self.p)
            self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_RUNNING, GO_STATE_WAITING)
        else:
            self.forget(row)
            self.put_row(EV_GO_DESTROY, 1, self.m, self.g, self.p)
            self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_RUNNING, GO_STATE_NOT_EXIST)
        self.gs[other].status = GO_RUNNING
        self.gs[other].seq = self.arg(1)
        self.put_row(EV_GO_START, 2, self.m, -1, self.p)
        self.set_transition(RESOURCE_GOROUTINE, gid, GO_STATE_RUNNABLE, GO_STATE_RUNNING)
        self.bind_g(gid)
        return OK

    def go_syscall_begin(self):
        """Goroutine and P enter a syscall; the P's new sequence number lets a steal identify the syscall."""
        row = self.running()
        if row < 0:
            return row
        proc = self.find(KEY_P, self.p)
        if proc == 0:
            return self.stop(UNKNOWN_PROC, self.p, 0)
        if not self.next_of_proc(proc, self.arg(0)):
            return self.stop(PROC_SEQ, self.arg(0), self.ps[proc].seq)
        self.gs[row].status = GO_SYSCALL
        self.ps[proc].status = PROC_SYSCALL
        self.ps[proc].seq = self.arg(0)
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_RUNNING, GO_STATE_SYSCALL)
        self.out[self.n - 1].stack2 = self.out[self.n - 1].stack
        return OK

    def go_syscall_end(self):
        """The syscall ends with the same P; had it been stolen, the event would be GoSyscallEndBlocked."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        if self.gs[row].status != GO_SYSCALL:
            return self.stop(WRONG_GO_STATUS, self.g, self.gs[row].status)
        proc = self.find(KEY_P, self.p)
        if proc == 0:
            return self.stop(UNKNOWN_PROC, self.p, 0)
        if self.ps[proc].status != PROC_SYSCALL:
            return self.stop(WRONG_PROC_STATUS, self.p, self.ps[proc].status)
        self.gs[row].status = GO_RUNNING
        self.ps[proc].status = PROC_RUNNING
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_SYSCALL, GO_STATE_RUNNING)
        return OK

    def go_syscall_end_blocked(self):
        """The syscall ends without its P, once that P is stolen; a P that the thread acquired since is running."""
        if self.p != -1:
            proc = self.find(KEY_P, self.p)
            if proc == 0:
                return self.stop(UNKNOWN_PROC, self.p, 0)
            if self.ps[proc].status == PROC_SYSCALL:
                return self.waits.wait_for(self.cursor, KEY_P, self.p)
        status = self.require(1, 0, 1)
        if status != OK:
            return status
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        if self.gs[row].status != GO_SYSCALL:
            return self.stop(WRONG_GO_STATUS, self.g, self.gs[row].status)
        self.gs[row].status = GO_RUNNABLE
        self.put()
        self.set_transition(RESOURCE_GOROUTINE, self.g, GO_STATE_SYSCALL, GO_STATE_RUNNABLE)
        self.bind_g(-1)
        return OK

    # --- ranges ------------------------------------------------------------------------------------------------

    def go_range_begin(self):
        """Mark assists and stop-the-world ranges belong to a goroutine; those of different reasons may nest."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        description = self.arg(0) if self.type == EV_STW_BEGIN else 0
        if self.find_range(self.gs[row].ranges, self.type, description) != 0:
            return self.stop(RANGE_OPEN, 0, 0)
        name = 0
        if self.type == EV_STW_BEGIN:
            string = self.string(description)
            if string != -2:  # put() records an unknown id
                name = self.intern(string)
        self.gs[row].ranges = self.add_range(self.gs[row].ranges, self.type, description, name)
        self.put()
        self.set_range(RESOURCE_GOROUTINE, self.g)
        return OK

    def go_range_active(self):
        """A range that was open before the generation: new in the first generation, known in later ones."""
        row = self.goroutine(self.arg(0))
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.arg(0), 0)
        begin = self.spec[self.type].start
        known = self.find_range(self.gs[row].ranges, begin, 0) != 0
        if self.number == self.sched[0].initial:
            if known:
                return self.stop(RANGE_OPEN, 0, 0)
            self.gs[row].ranges = self.add_range(self.gs[row].ranges, begin, 0, 0)
        elif not known:
            return self.stop(RANGE_NOT_OPEN, 0, 0)
        self.put()
        self.set_range(RESOURCE_GOROUTINE, self.arg(0))
        return OK

    def go_range_end(self):
        """The end of a stop-the-world range carries the reason of its start, even from an earlier generation."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        head = self.end_range(self.gs[row].ranges, self.spec[self.type].start)
        if head < 0:
            return self.stop(RANGE_NOT_OPEN, 0, 0)
        self.gs[row].ranges = head
        self.put()
        self.set_range(RESOURCE_GOROUTINE, self.g)
        if self.type == EV_STW_END:
            self.out[self.n - 1].name = -1 - self.ended_name
        return OK

    def proc_range_begin(self):
        """Sweeping belongs to a P."""
        status = self.require(1, 1, 0)
        if status != OK:
            return status
        row = self.find(KEY_P, self.p)
        if row == 0:
            return self.stop(UNKNOWN_PROC, self.p, 0)
        if self.find_range(self.ps[row].ranges, self.type, 0) != 0:
            return self.stop(RANGE_OPEN, 0, 0)
        self.ps[row].ranges = self.add_range(self.ps[row].ranges, self.type, 0, 0)
        self.put()
        self.set_range(RESOURCE_PROC, self.p)
        return OK

    def proc_range_active(self):
        """Like ``go_range_active``; the event names the P, which may be another thread's."""
        pid = self.arg(0)
        if not self.fits_int32(pid):
            return self.stop(WIDE_PROC, pid, 0)
        row = self.find(KEY_P, pid)
        if row == 0:
            return self.stop(UNKNOWN_PROC, pid, 0)
        begin = self.spec[self.type].start
        known = self.find_range(self.ps[row].ranges, begin, 0) != 0
        if self.number == self.sched[0].initial:
            if known:
                return self.stop(RANGE_OPEN, 0, 0)
            self.ps[row].ranges = self.add_range(self.ps[row].ranges, begin, 0, 0)
        elif not known:
            return self.stop(RANGE_NOT_OPEN, 0, 0)
        self.put()
        self.set_range(RESOURCE_PROC, pid)
        return OK

    def proc_range_end(self):
        """Sweeping ends on the P where it started."""
        status = self.require(1, 1, 0)
        if status != OK:
            return status
        row = self.find(KEY_P, self.p)
        if row == 0:
            return self.stop(UNKNOWN_PROC, self.p, 0)
        head = self.end_range(self.ps[row].ranges, self.spec[self.type].start)
        if head < 0:
            return self.stop(RANGE_NOT_OPEN, 0, 0)
        self.ps[row].ranges = head
        self.put()
        self.set_range(RESOURCE_PROC, self.p)
        return OK

    def next_gc(self):
        """Return True if the event is the next one of the mark phase; starts, ends and actives share one count."""
        return follows(self.arg(0), self.sched[0].gc_seq)

    def gc_active(self):
        """The mark phase continues into this generation. In the first generation it may be its first event."""
        if self.number == self.sched[0].initial:
            if self.sched[0].gc != GC_UNDETERMINED:
                return self.stop(MARK_KNOWN, 0, 0)
        else:
            if not self.next_gc():
                return WAIT
            if self.sched[0].gc != GC_RUNNING:
                return self.stop(MARK_RUNS_NOT, 0, 0)
            status = self.require(1, 1, 1)
            if status != OK:
                return status
        self.sched[0].gc = GC_RUNNING
        self.sched[0].gc_seq = self.arg(0)
        self.put()
        self.set_range(RESOURCE_NONE, 0)
        return OK

    def gc_begin(self):
        """The mark phase starts. The first event sets the count to any number; only differences matter."""
        if self.sched[0].gc != GC_UNDETERMINED:
            if not self.next_gc():
                return WAIT
            if self.sched[0].gc == GC_RUNNING:
                return self.stop(MARK_RUNS, 0, 0)
            status = self.require(1, 1, 1)
            if status != OK:
                return status
        self.sched[0].gc = GC_RUNNING
        self.sched[0].gc_seq = self.arg(0)
        self.put()
        self.set_range(RESOURCE_NONE, 0)
        return OK

    def gc_end(self):
        """The mark phase ends; it must be running."""
        if not self.next_gc():
            return WAIT
        if self.sched[0].gc != GC_RUNNING:
            return self.stop(MARK_RUNS_NOT, 0, 0)
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        self.sched[0].gc = GC_NOT_RUNNING
        self.sched[0].gc_seq = self.arg(0)
        self.put()
        self.set_range(RESOURCE_NONE, 0)
        return OK

    # --- tasks and regions -------------------------------------------------------------------------------------

    def task_begin(self):
        """A task starts. It may outlast its generation, so its name is interned by its bytes. Parent 0 means none."""
        key = self.arg(0)
        row = self.find(KEY_TASK, key)
        if row != 0 and not self.mends:
            return self.stop(TASK_ACTIVE, key, 0)
        string = self.name_in(2)
        if string == -2:
            return self.stop(UNKNOWN_NAME, self.arg(2), 0)
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        if row != 0:
            self.note(ORDER_ANOMALY_TASK_STARTS_TWICE, key)
            return OK
        row = self.sched[0].free_task
        self.sched[0].free_task = self.tasks[row].next
        self.enter(KEY_TASK, key, row)
        self.tasks[row].id = key
        self.tasks[row].parent = self.arg(1) if self.arg(1) != 0 else -1
        self.tasks[row].name = self.intern(string)
        self.put()
        self.of_task(key, self.tasks[row].parent)
        return OK

    def task_end(self):
        """An end carries the name and parent of its start; an unknown task started before the trace."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        row = self.find(KEY_TASK, self.arg(0))
        self.put()
        if row != 0:
            self.of_task(self.arg(0), self.tasks[row].parent)
            self.out[self.n - 1].name = -1 - self.tasks[row].name
            self.leave(KEY_TASK, self.arg(0))
            self.tasks[row].next = self.sched[0].free_task
            self.sched[0].free_task = row
        else:
            self.of_task(self.arg(0), -1)
        return OK

    def of_task(self, key, parent):
        """Set the task of the last row."""
        row = address(self.out[self.n - 1])
        row.args[0] = key
        row.args[1] = parent
        row.args[2] = 0
        row.args[3] = 0

    def region_begin(self):
        """Regions of a goroutine nest. Names are compared by their bytes, as ids belong to a generation."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        string = self.name_in(1)
        if string == -2:
            return self.stop(UNKNOWN_NAME, self.arg(1), 0)
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        region = self.sched[0].free_region
        self.sched[0].free_region = self.regions[region].next
        self.regions[region].task = self.arg(0)
        self.regions[region].name = self.intern(string)
        self.regions[region].next = self.gs[row].regions
        self.gs[row].regions = region
        self.put()
        self.of_task(self.arg(0), 0)
        return OK

    def region_end(self):
        """Only the innermost region can end; an unknown one started before the trace."""
        status = self.require(1, 1, 1)
        if status != OK:
            return status
        string = self.name_in(1)
        if string == -2:
            return self.stop(UNKNOWN_NAME, self.arg(1), 0)
        row = self.goroutine(self.g)
        if row == 0:
            return self.stop(UNKNOWN_GOROUTINE, self.g, 0)
        region = self.gs[row].regions
        if region != 0:
            name = self.intern(string)
            before = 0
            while region != 0 and (self.regions[region].task != self.arg(0) or self.regions[region].name != name):
                if not self.mends:
                    return self.stop(OTHER_REGION, 0, 0)
                before = region
                region = self.regions[region].next
            if region == 0:
                self.note(ORDER_ANOMALY_REGION_NOT_OPEN, self.g)
                return OK
            if before != 0:
                self.note(ORDER_ANOMALY_REGION_NOT_INNERMOST, self.g)
                self.regions[before].next = self.free_region(region)
            else:
                self.gs[row].regions = self.free_region(region)
        self.put()
        self.of_task(self.arg(0), 0)
        return OK
