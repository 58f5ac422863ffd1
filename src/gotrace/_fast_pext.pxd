# What _fast_pext.pyx offers to other kernels.
from gotrace._generated cimport DECODED, RUN
from gotrace._runs cimport Stream

cdef int fast_events_pext(const Stream *s, RUN *run, DECODED *events, int room) noexcept nogil
