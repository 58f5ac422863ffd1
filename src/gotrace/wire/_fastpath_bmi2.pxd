# What _fast_pext.pyx offers to other kernels.
from gotrace.wire._resolve cimport Finder
from gotrace._generated cimport BRIEF, DECODED, RUN
from gotrace.wire._stream cimport Stream

cdef int fast_events_pext(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil
cdef int fast_bare_pext(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil
cdef int fast_briefs_pext(const Stream *s, RUN *run, BRIEF *events, int room, Finder *finder) noexcept nogil
