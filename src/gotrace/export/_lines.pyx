"""Rows as lines of text: columns come in, CSV or JSON goes out.

Text comes in as it is to be written, see :func:`escape`. Never here: names of columns, or files.
"""
cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from gotrace.text._text cimport put_number, put_signed

cdef enum:
    MAX_COLUMNS = 64
    NUMBER = 40             # bytes that a number, a time or null needs at most
    DAY = 86400             # seconds
    # Kinds of columns.
    UNSIGNED = 0
    SIGNED = 1
    TIME = 2                # ns since 1970
    PLACE = 3               # the row's value is the place of its text
    TEXT = 4                # each row has its own text
    QUOTED_TIME = 5

cdef const char *HEX = "0123456789abcdef"

cdef struct Cells:
    const uint8_t *values
    const uint8_t *validity     # NULL if no value is null
    const int32_t *offsets
    const uint8_t *data
    const uint8_t *before       # what precedes the value in each line
    Py_ssize_t n_before
    int width, kind


cdef inline uint8_t *put_digits(uint8_t *out, int64_t value, int n) noexcept nogil:
    """Write the lowest n decimal digits."""
    cdef int i
    for i in range(n - 1, -1, -1):
        out[i] = <uint8_t> (48 + value % 10)
        value //= 10
    return out + n


cdef uint8_t *put_time(uint8_t *out, int64_t ns) noexcept nogil:
    """Write a time as in 2026-01-02T03:04:05.000000006Z."""
    cdef int64_t seconds = ns // 1_000_000_000, rest = ns % 1_000_000_000, days, era, day, year, month, middle
    if rest < 0:
        rest += 1_000_000_000
        seconds -= 1
    days = seconds // DAY
    seconds -= days * DAY
    if seconds < 0:
        seconds += DAY
        days -= 1
    # Days since 0000-03-01, in eras of 400 years; a year starts in March, so that the leap day is its last.
    days += 719468
    era = days // 146097
    day = days - era * 146097
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    middle = (5 * day + 2) // 153
    day -= (153 * middle + 2) // 5 - 1
    month = middle + 3 if middle < 10 else middle - 9
    year += 400 * era + (month <= 2)
    out = put_digits(out, year, 4)
    out[0] = 45
    out = put_digits(out + 1, month, 2)
    out[0] = 45
    out = put_digits(out + 1, day, 2)
    out[0] = 84
    out = put_digits(out + 1, seconds // 3600, 2)
    out[0] = 58
    out = put_digits(out + 1, seconds // 60 % 60, 2)
    out[0] = 58
    out = put_digits(out + 1, seconds % 60, 2)
    out[0] = 46
    out = put_digits(out + 1, rest, 9)
    out[0] = 90
    return out + 1


cdef inline int64_t number_at(const uint8_t *values, int width, bint signed, Py_ssize_t row) noexcept nogil:
    if width == 8:
        return (<const int64_t *> values)[row]
    if width == 4 and signed:
        return (<const int32_t *> values)[row]
    if width == 4:
        return (<const uint32_t *> values)[row]
    return values[row]


cdef inline Py_ssize_t text_at(const Cells *column, Py_ssize_t row) noexcept nogil:
    """Return the place of the text of a row, -1 if the column has no text."""
    if column.kind == PLACE:
        return number_at(column.values, column.width, True, row)
    return row if column.kind == TEXT else -1


cdef inline bint is_null(const Cells *column, Py_ssize_t row) noexcept nogil:
    return column.validity != NULL and not column.validity[row >> 3] >> (row & 7) & 1


@cython.final
cdef class Lines:
    """The lines of some rows, as objects of JSON or as CSV; a null is ``null``, or an empty cell."""
    cdef Cells[MAX_COLUMNS] columns
    cdef int n_columns
    cdef list kept
    cdef bint json
    cdef bytes null, end

    def __init__(self, bint json):
        self.json = json
        self.null = b"null" if json else b""
        self.end = b"}\n" if json else b"\n"
        self.kept = []

    def add_numbers(self, bytes before, const uint8_t[::1] values, int width, int kind,
                    const uint8_t[::1] validity=None):
        """Add a column of numbers; ``kind`` is 0 unsigned, 1 signed, 2 times in ns, 3 places of texts."""
        if self.n_columns == MAX_COLUMNS:
            raise ValueError("too many columns")
        cdef Cells *column = &self.columns[self.n_columns]
        self.n_columns += 1
        self.kept.append((before, values, validity))
        column.before = before
        column.n_before = len(before)
        column.values = &values[0] if values.shape[0] else NULL
        column.validity = &validity[0] if validity is not None else NULL
        column.width = width
        column.kind = QUOTED_TIME if kind == TIME and self.json else kind

    def add_texts(self, bytes before, const int32_t[::1] offsets, const uint8_t[::1] data,
                  const uint8_t[::1] validity=None):
        """Add a column whose rows have texts of their own."""
        self.add_numbers(before, data[:0], 0, TEXT, validity)
        self.set_texts(offsets, data)

    def set_texts(self, const int32_t[::1] offsets, const uint8_t[::1] data):
        """Set the texts of the last column."""
        self.kept.append((offsets, data))
        self.columns[self.n_columns - 1].offsets = &offsets[0]
        self.columns[self.n_columns - 1].data = &data[0]

    def write(self, int64_t first, int64_t n, uint8_t[::1] out) -> tuple[int, int]:
        """Write lines from row ``first`` on, of ``n`` rows in all; return the row after the last one, and the bytes."""
        cdef uint8_t *place = &out[0]
        cdef uint8_t *limit = &out[0] + out.shape[0]
        cdef const char *null = self.null
        cdef const char *end = self.end
        cdef Py_ssize_t n_null = len(self.null), n_end = len(self.end), least = n_end
        cdef int i
        for i in range(self.n_columns):
            least += self.columns[i].n_before + NUMBER
        with nogil:
            while first < n and self.text_bytes(first) + least <= limit - place:
                for i in range(self.n_columns):
                    place = put_cell(place, &self.columns[i], first, null, n_null)
                memcpy(place, end, n_end)
                place += n_end
                first += 1
        return first, place - &out[0]

    cdef Py_ssize_t text_bytes(self, Py_ssize_t row) noexcept nogil:
        """Return the bytes of all texts of a row."""
        cdef Py_ssize_t total = 0, at
        cdef int i
        for i in range(self.n_columns):
            at = text_at(&self.columns[i], row)
            if at >= 0:
                total += self.columns[i].offsets[at + 1] - self.columns[i].offsets[at]
        return total


cdef uint8_t *put_cell(uint8_t *out, const Cells *column, Py_ssize_t row, const char *null,
                       Py_ssize_t n_null) noexcept nogil:
    cdef Py_ssize_t at, size
    memcpy(out, column.before, column.n_before)
    out += column.n_before
    if is_null(column, row):
        memcpy(out, null, n_null)
        return out + n_null
    at = text_at(column, row)
    if at >= 0:
        size = column.offsets[at + 1] - column.offsets[at]
        memcpy(out, column.data + column.offsets[at], size)
        return out + size
    if column.kind == TIME:
        return put_time(out, (<const int64_t *> column.values)[row])
    if column.kind == QUOTED_TIME:
        out[0] = 34
        out = put_time(out + 1, (<const int64_t *> column.values)[row])
        out[0] = 34
        return out + 1
    if column.kind == SIGNED:
        return put_signed(out, number_at(column.values, column.width, True, row))
    return put_number(out, <uint64_t> number_at(column.values, column.width, False, row))


cdef inline uint8_t *put_json(uint8_t *out, uint8_t byte) noexcept nogil:
    if byte == 34 or byte == 92:
        out[0] = 92
        out[1] = byte
        return out + 2
    if byte < 32:
        memcpy(out, "\\u00", 4)
        out[4] = <uint8_t> HEX[byte >> 4]
        out[5] = <uint8_t> HEX[byte & 15]
        return out + 6
    out[0] = byte
    return out + 1


cdef bint is_plain(const uint8_t *text, Py_ssize_t n) noexcept nogil:
    """Return True if CSV needs no quotes; an empty text does, as an empty cell is a null."""
    cdef Py_ssize_t i
    for i in range(n):
        if text[i] == 34 or text[i] == 44 or text[i] == 10 or text[i] == 13:
            return False
    return n > 0


def escape(const int32_t[::1] offsets, int64_t n, const uint8_t[::1] data, bint json, int32_t[::1] ends,
           uint8_t[::1] out) -> int:
    """Write ``n`` texts as strings of JSON, or as cells of CSV.

    ``out`` has six bytes for each byte of text, and two for each text. ``ends`` gets 0 and the end of each text; the
    last one is returned.
    """
    cdef uint8_t *place = &out[0]
    cdef Py_ssize_t i, at
    cdef bint plain
    with nogil:
        ends[0] = 0
        for i in range(n):
            plain = not json and is_plain(&data[0] + offsets[i], offsets[i + 1] - offsets[i])
            if not plain:
                place[0] = 34
                place += 1
            for at in range(offsets[i], offsets[i + 1]):
                if json:
                    place = put_json(place, data[at])
                else:
                    if data[at] == 34:
                        place[0] = 34
                        place += 1
                    place[0] = data[at]
                    place += 1
            if not plain:
                place[0] = 34
                place += 1
            ends[i + 1] = <int32_t> (place - &out[0])
    return ends[n]
