"""Tables of a trace: segments come in, numpy structured arrays go out, in chunks. Never here: decoding, or messages."""
