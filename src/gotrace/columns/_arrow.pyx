"""The C structs of Arrow: descriptions of types and columns come in, capsules go out.

A capsule is what the methods ``__arrow_c_schema__``, ``__arrow_c_array__`` and ``__arrow_c_stream__`` return. Arrays
hold the memory of their columns by its count of users, so that any thread releases them without the GIL. Never here:
what a column means.
"""
cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from gotrace.columns._memory cimport Block, Memory, drop, hold

cdef extern from "Python.h":
    ctypedef struct PyObject
    ctypedef void (*PyCapsule_Destructor)(PyObject *) noexcept
    object PyCapsule_New(void *, const char *, PyCapsule_Destructor)
    void *PyCapsule_GetPointer(object, const char *) except NULL
    void Py_INCREF(object)
    void Py_DECREF(object)
    int Py_IsInitialized() nogil
    void PyErr_Fetch(PyObject **, PyObject **, PyObject **)
    void PyErr_Restore(PyObject *, PyObject *, PyObject *)

cdef enum:
    BUFFERS = 3         # of an array at most: validity, offsets, data
    NULLABLE = 2        # a flag of a schema
    INPUT_ERROR = 5     # EIO

cdef struct ArrowSchema:
    const char *format
    const char *name
    const char *metadata
    int64_t flags
    int64_t n_children
    ArrowSchema **children
    ArrowSchema *dictionary
    void (*release)(ArrowSchema *) noexcept nogil
    void *private_data

cdef struct ArrowArray:
    int64_t length
    int64_t null_count
    int64_t offset
    int64_t n_buffers
    int64_t n_children
    const void **buffers
    ArrowArray **children
    ArrowArray *dictionary
    void (*release)(ArrowArray *) noexcept nogil
    void *private_data

cdef struct ArrowArrayStream:
    int (*get_schema)(ArrowArrayStream *, ArrowSchema *) noexcept nogil
    int (*get_next)(ArrowArrayStream *, ArrowArray *) noexcept nogil
    const char *(*get_last_error)(ArrowArrayStream *) noexcept nogil
    void (*release)(ArrowArrayStream *) noexcept nogil
    void *private_data

cdef struct Held:           # private data of an array
    Memory *memory[BUFFERS]
    const void *buffers[BUFFERS]

cdef struct Reading:        # private data of a stream
    void *type
    void *producer
    char *error


cdef void *zeroed(size_t n, size_t size) except NULL:
    cdef void *memory = calloc(n, size)
    if memory == NULL:
        raise MemoryError()
    return memory


cdef char *copied(bytes text) except NULL:
    """Return a copy of a text and the zero byte after it; it may contain other zero bytes."""
    cdef const char *start = text
    cdef char *copy = <char *> malloc(len(text) + 1)
    if copy == NULL:
        raise MemoryError()
    memcpy(copy, start, len(text) + 1)
    return copy


@cython.final
cdef class Type:
    """The type of a column, or of a table if columns are added.

    ``format`` is a format string of Arrow, ``metadata`` its encoding of keys and values, empty for none.
    """
    cdef bytes format, name, metadata
    cdef bint nullable
    cdef list columns
    cdef Type values

    def __init__(self, bytes format, bytes name, bytes metadata, bint nullable):
        self.format = format
        self.name = name
        self.metadata = metadata
        self.nullable = nullable
        self.columns = []

    def add(self, Type column):
        """Add a column."""
        self.columns.append(column)

    def set_values(self, Type values):
        """Make the column a dictionary of such values."""
        self.values = values

    def capsule(self) -> object:
        """Return the capsule of the type."""
        cdef ArrowSchema *out = <ArrowSchema *> zeroed(1, sizeof(ArrowSchema))
        try:
            fill_schema(out, self)
        except BaseException:
            free(out)
            raise
        return PyCapsule_New(out, b"arrow_schema", free_schema)


cdef void release_schema(ArrowSchema *self) noexcept nogil:
    cdef int64_t i
    for i in range(self.n_children):
        if self.children[i] != NULL:
            if self.children[i].release != NULL:
                self.children[i].release(self.children[i])
            free(self.children[i])
    free(self.children)
    if self.dictionary != NULL:
        if self.dictionary.release != NULL:
            self.dictionary.release(self.dictionary)
        free(self.dictionary)
    free(<void *> self.format)
    free(<void *> self.name)
    free(<void *> self.metadata)
    self.release = NULL


cdef void free_schema(PyObject *capsule) noexcept:
    cdef ArrowSchema *schema = <ArrowSchema *> PyCapsule_GetPointer(<object> capsule, b"arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef int fill_schema(ArrowSchema *out, Type type) except -1:
    """Fill a zeroed schema; on an exception, it is released."""
    cdef Py_ssize_t i
    out.release = release_schema
    try:
        out.format = copied(type.format)
        out.name = copied(type.name)
        if type.metadata:
            out.metadata = copied(type.metadata)
        out.flags = NULLABLE if type.nullable else 0
        if type.columns:
            out.children = <ArrowSchema **> zeroed(len(type.columns), sizeof(void *))
            out.n_children = len(type.columns)
            for i in range(out.n_children):
                out.children[i] = <ArrowSchema *> zeroed(1, sizeof(ArrowSchema))
                fill_schema(out.children[i], <Type> type.columns[i])
        if type.values is not None:
            out.dictionary = <ArrowSchema *> zeroed(1, sizeof(ArrowSchema))
            fill_schema(out.dictionary, type.values)
    except BaseException:
        out.release(out)
        raise
    return 0


@cython.final
cdef class Column:
    """The values of a column, or of a batch if columns are added.

    Buffers are added in the order of Arrow: validity, then offsets of texts, then data.
    """
    cdef int64_t length, n_nulls
    cdef int n_buffers
    cdef list blocks, columns
    cdef int64_t[BUFFERS] offsets
    cdef Column values

    def __init__(self, int64_t length, int64_t n_nulls):
        self.length = length
        self.n_nulls = n_nulls
        self.blocks = []
        self.columns = []

    def add_buffer(self, Block block, int64_t offset):
        """Add the buffer that starts at byte ``offset`` of a block."""
        self.offsets[self.n_buffers] = offset
        self.n_buffers += 1
        self.blocks.append(block)

    def skip_buffer(self):
        """Add a missing buffer: no value is null."""
        self.n_buffers += 1
        self.blocks.append(None)

    def add(self, Column column):
        """Add a column."""
        self.columns.append(column)

    def set_values(self, Column values):
        """Add the values of a dictionary."""
        self.values = values

    def capsule(self) -> object:
        """Return the capsule of the array."""
        cdef ArrowArray *out = <ArrowArray *> zeroed(1, sizeof(ArrowArray))
        try:
            fill_array(out, self)
        except BaseException:
            free(out)
            raise
        return PyCapsule_New(out, b"arrow_array", free_array)


cdef void release_array(ArrowArray *self) noexcept nogil:
    cdef int64_t i
    cdef Held *held = <Held *> self.private_data
    for i in range(self.n_children):
        if self.children[i] != NULL:
            if self.children[i].release != NULL:
                self.children[i].release(self.children[i])
            free(self.children[i])
    free(self.children)
    if self.dictionary != NULL:
        if self.dictionary.release != NULL:
            self.dictionary.release(self.dictionary)
        free(self.dictionary)
    for i in range(BUFFERS):
        if held.memory[i] != NULL:
            drop(held.memory[i])
    free(held)
    self.release = NULL


cdef void free_array(PyObject *capsule) noexcept:
    cdef ArrowArray *array = <ArrowArray *> PyCapsule_GetPointer(<object> capsule, b"arrow_array")
    if array.release != NULL:
        array.release(array)
    free(array)


cdef int fill_array(ArrowArray *out, Column column) except -1:
    """Fill a zeroed array; on an exception, it is released."""
    cdef Py_ssize_t i
    cdef Block block
    cdef Held *held = <Held *> zeroed(1, sizeof(Held))
    out.private_data = held
    out.release = release_array
    out.buffers = held.buffers
    out.length = column.length
    out.null_count = column.n_nulls
    out.n_buffers = column.n_buffers
    for i in range(column.n_buffers):
        block = column.blocks[i]
        if block is not None:
            hold(block.memory)
            held.memory[i] = block.memory
            held.buffers[i] = block.memory.data + column.offsets[i]
    try:
        if column.columns:
            out.children = <ArrowArray **> zeroed(len(column.columns), sizeof(void *))
            out.n_children = len(column.columns)
            for i in range(out.n_children):
                out.children[i] = <ArrowArray *> zeroed(1, sizeof(ArrowArray))
                fill_array(out.children[i], <Column> column.columns[i])
        if column.values is not None:
            out.dictionary = <ArrowArray *> zeroed(1, sizeof(ArrowArray))
            fill_array(out.dictionary, column.values)
    except BaseException:
        out.release(out)
        raise
    return 0


cdef class Producer:
    """Base of the producers of a stream's batches."""

    def advance(self) -> Column | None:
        """Return the next batch, or None at the end."""
        raise NotImplementedError

    def close(self):
        """Called once, when the stream is released."""


def stream(Type type, Producer producer) -> object:
    """Return the capsule of a stream; its functions may be called from any thread, by one at a time."""
    cdef ArrowArrayStream *out = <ArrowArrayStream *> zeroed(1, sizeof(ArrowArrayStream))
    cdef Reading *reading
    try:
        reading = <Reading *> zeroed(1, sizeof(Reading))
    except BaseException:
        free(out)
        raise
    Py_INCREF(type)
    Py_INCREF(producer)
    reading.type = <void *> type
    reading.producer = <void *> producer
    out.get_schema = get_schema
    out.get_next = get_next
    out.get_last_error = get_last_error
    out.release = release_stream
    out.private_data = reading
    return PyCapsule_New(out, b"arrow_array_stream", free_stream)


cdef int get_schema(ArrowArrayStream *self, ArrowSchema *out) noexcept nogil:
    with gil:
        return give_schema(<Reading *> self.private_data, out)


cdef int give_schema(Reading *reading, ArrowSchema *out) noexcept:
    memset(out, 0, sizeof(ArrowSchema))
    try:
        fill_schema(out, <Type> reading.type)
    except BaseException as error:
        return fail(reading, error)
    return 0


cdef int get_next(ArrowArrayStream *self, ArrowArray *out) noexcept nogil:
    with gil:
        return give_next(<Reading *> self.private_data, out)


cdef int give_next(Reading *reading, ArrowArray *out) noexcept:
    cdef Column batch
    memset(out, 0, sizeof(ArrowArray))
    if reading.error != NULL:
        return INPUT_ERROR
    try:
        batch = (<Producer> reading.producer).advance()
        if batch is not None:
            fill_array(out, batch)
    except BaseException as error:
        return fail(reading, error)
    return 0


cdef int fail(Reading *reading, error) noexcept:
    """Keep the text of an exception; the stream ends with it."""
    free(reading.error)
    reading.error = NULL
    try:
        reading.error = copied((str(error) or type(error).__name__).encode("utf-8", "replace"))
    except BaseException:
        pass
    return INPUT_ERROR


cdef const char *get_last_error(ArrowArrayStream *self) noexcept nogil:
    return (<Reading *> self.private_data).error


cdef void release_stream(ArrowArrayStream *self) noexcept nogil:
    cdef Reading *reading = <Reading *> self.private_data
    if Py_IsInitialized():
        with gil:
            close(reading)
    free(reading.error)
    free(reading)
    self.release = NULL


cdef void close(Reading *reading) noexcept:
    """Close the producer; an exception that ends the consumer's code at this time stays as it is."""
    cdef PyObject *kind = NULL
    cdef PyObject *error = NULL
    cdef PyObject *trace = NULL
    PyErr_Fetch(&kind, &error, &trace)
    try:
        (<Producer> reading.producer).close()
    finally:
        Py_DECREF(<Producer> reading.producer)
        Py_DECREF(<Type> reading.type)
        PyErr_Restore(kind, error, trace)


cdef void free_stream(PyObject *capsule) noexcept:
    cdef ArrowArrayStream *stream = <ArrowArrayStream *> PyCapsule_GetPointer(<object> capsule, b"arrow_array_stream")
    if stream.release != NULL:
        stream.release(stream)
    free(stream)
