"""Reading of traces, from bytes to events.

In: a path, a buffer or a stream. Out: segments, each a group of whole generations with its tables, and the events of a
segment by thread and by time. Never here: what an event means, or rows of public tables.
"""
