"""Facts of the wire format as rows of data, the single source of truth. Never here: behaviour."""
