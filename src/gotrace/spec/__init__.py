"""Facts of the wire format.

Holds versions, events, rules, enums, limits and size classes as rows of data, and lookup arrays made from them: the
single source of truth for all other folders. Never here: behaviour.
"""
