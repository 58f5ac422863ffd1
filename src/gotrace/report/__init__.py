"""Reports: the result of an analysis comes in, text, JSON or HTML goes out to a stream; one module per report.

Never here: reading traces.
"""
