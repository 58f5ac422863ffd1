from typing import final

from gotrace._hashmap import HashMap
from gotrace.dtypes import I4, I8, U8, Rows
from gotrace.wire._merge import Merge

@final
class HeapTables:
    def __init__(
        self,
        spans: Rows,
        pages: HashMap,
        leaves: Rows,
        stacks: HashMap,
        loose: HashMap,
        cells: I4,
        keys: HashMap,
        counts: Rows,
        sizes: I8,
        anomalies: I8,
    ) -> None: ...

@final
class Extractor:
    def __init__(
        self,
        merge: Merge,
        type_keys: U8,
        type_vals: I4,
        multiplier: int,
        class_bytes: I8,
        type_slots: I8,
        flags: int,
        faults: Rows,
    ) -> None: ...
    def bind(self, tables: HeapTables) -> None: ...
    def take(self, rows: Rows) -> int: ...
