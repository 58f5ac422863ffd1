"""docs/schema.md says what the code does: every column of every table, with its type, null, unit and pandas type."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import gotrace
from gotrace.columns.fields import SCHEMA_VERSION, STATES, Dictionary, Field, extras_of, fields_of
from gotrace.tables.catalog import TABLES

PROJECT = Path(__file__).parent.parent.parent
PAGE = (PROJECT / "docs" / "schema.md").read_text()


def arrow_type(field: pa.Field) -> str:
    if pa.types.is_dictionary(field.type):
        return f"dictionary<{field.type.index_type}, utf8>"
    return str(field.type).replace("string", "utf8").replace("tz=", "")


def line(name: str, field: Field, arrow: pa.Field, pandas: str) -> str:
    """The line of a column in the table of the page."""
    null = {None: "", -(2**63): "NaT"}.get(field.null, str(field.null))
    assert arrow.nullable == bool(null)
    values = {
        Dictionary.ENUM: "names above",
        Dictionary.STATES: "names above",
        Dictionary.EVENTS: "names of event types",
        Dictionary.TYPES: "names of types",
        Dictionary.STRINGS: "text" if not field.text else "",
        Dictionary.TRACE: "names of inputs",
    }
    return f"| `{name}` | {arrow_type(arrow)} | {null} | {values.get(field.dictionary, field.unit)} | {pandas} |"


def pages_lines(fields: list[Field], table: gotrace.Table) -> list[str]:
    schema, types = pa.schema(table), table.to_pandas().dtypes
    return [line(f.name, f, schema.field(f.name), str(types[f.name])) for f in fields]


@pytest.mark.parametrize("name", TABLES)
def test_every_table(name: str) -> None:
    (part,) = re.findall(rf"^### {name}\n\n\|.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    with gotrace.open(PROJECT / "examples" / "heap.trace") as trace:
        fields = list(fields_of(TABLES[name].dtype).values())
        assert part.splitlines() == pages_lines(fields, getattr(trace, name))


def test_extra_columns() -> None:
    extras = list(extras_of(TABLES["allocs"].dtype).values())
    with gotrace.open(PROJECT / "examples" / "heap.trace") as trace:
        for text in pages_lines(extras, trace.allocs.select([field.name for field in extras])):
            assert f"{text}\n" in PAGE
    for name, table in TABLES.items():
        assert set(extras_of(table.dtype)) <= {field.name for field in extras}, name


def test_names() -> None:
    """Every value of every enum is on the page, in order."""
    for table in TABLES.values():
        for field in fields_of(table.dtype).values():
            if field.names:
                assert f"| `{field.name}` | {', '.join(field.names)} |" in PAGE.replace(
                    "`old`, `new`", f"`{field.name}`"
                )
    assert ", ".join(STATES) in PAGE


def test_version() -> None:
    assert f"schema version {SCHEMA_VERSION}" in PAGE


def test_python() -> None:
    """The Python blocks run."""
    printed = []
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        run = subprocess.run([sys.executable, "-c", block], cwd=PROJECT, capture_output=True, text=True, check=True)
        printed.append(run.stdout)
    assert all("main.Order" in text for text in printed)
