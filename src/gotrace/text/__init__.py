"""Go's text of a trace, and a readable view of one event.

In: records, or ordered rows. Out: bytes of text. Never here: the order of events.
"""
