from typing import final

from gotrace._hashmap import HashMap
from gotrace.dtypes import F8, I4, I8, Rows

@final
class Replay:
    def __init__(
        self,
        life: I8,
        anomalies: I8,
        deaths_by_age: I8,
        class_bytes: I8,
        youngest: int,
        oldest: int,
    ) -> None: ...
    def bind(
        self,
        spans: Rows,
        pages: HashMap,
        leaves: I4,
        cells: Rows,
        loose: HashMap,
        loose_cells: Rows,
        loose_bytes: I8,
        stacks: HashMap,
        keys: HashMap,
        tallies: Rows,
    ) -> None: ...
    def enter(self, batches: Rows, factors: F8, page_shift: int, cycles: Rows, type_slots: I8) -> None: ...
    def follow(
        self,
        rows: Rows,
        labels: I8,
        begins: I8,
        stop: int,
        out: Rows,
        groups: I4,
    ) -> tuple[int, int, int, int]: ...
    def survivors(self, out: Rows) -> int: ...
    def tally_ages(self, youngest: int, oldest: int, out: I8, ages: I8, unknown: I8) -> None: ...
    def draw(self, low: int, shift: int, grid: I8) -> None: ...
    def holders(self, by: I4) -> None: ...
