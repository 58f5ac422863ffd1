"""Results of an analysis written to a stream, one report a file. Never here: reading of traces."""
