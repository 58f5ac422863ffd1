"""Text of a trace: records or ordered rows come in, text in Go's format and readable events go out.

Never here: the order of events.
"""
