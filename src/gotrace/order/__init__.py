"""The order of events: segments come in, ordered events come out, found by emulating Go's scheduler.

Never here: text, tables.
"""
