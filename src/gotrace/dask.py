"""Traces as a data frame of Dask: names of traces come in, a lazy frame with a partition for each trace goes out.

Never here: decoding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from gotrace.fleet import Sources, expand
from gotrace.tables.catalog import TABLES
from gotrace.tables.frames import library, pandas_frame
from gotrace.tables.stream import every_field, fields_to_read
from gotrace.trace import check_options, open

if TYPE_CHECKING:
    import dask.dataframe
    import pandas


def from_traces(
    sources: Sources,
    table: str = "allocs",
    *,
    columns: Sequence[str] | None = None,
    errors: Literal["raise", "salvage"] = "raise",
    storage_options: Mapping[str, Any] | None = None,
) -> dask.dataframe.DataFrame:
    """Return one table of many traces as a data frame of Dask, with a partition for each trace.

    Nothing is read yet. A task reads the columns that its result needs of one trace, and holds all rows. Where that is
    too much, export to Parquet and read these files with Dask.

    Parameters
    ----------
    sources : str, path, or iterable of them
        Files, folders, globs and URLs, as for :func:`gotrace.expand`. Every worker must be able to open them.
    table : str
        Name of the table.
    columns : sequence of str, optional
        Columns, in this order; all by default, the extra ones included: ``trace``, the name of the trace, ``wall``, the
        wall-clock time, and ``type_row``, the row of ``types``.
    errors : {"raise", "salvage"}
        As for :func:`gotrace.open`. A damaged trace fails its task.
    storage_options : dict, optional
        As for :func:`gotrace.open`. They are sent to the workers.

    Returns
    -------
    dask.dataframe.DataFrame
        With the types of :meth:`gotrace.Table.to_pandas`; the categories are unknown.

    Raises
    ------
    ImportError
        Dask is not installed.
    ValueError
        There is no trace, no such table, or the table lacks a column.
    """
    frames = library("dask.dataframe", "from_traces")
    clear = library("dask.dataframe.utils", "from_traces").clear_known_categories
    if table not in TABLES:
        raise ValueError(f"no table {table!r}; tables are {', '.join(TABLES)}")
    check_options(jobs=1, errors=errors)
    fields = every_field(table) if columns is None else fields_to_read(table, columns)
    made: dask.dataframe.DataFrame = frames.from_map(
        _read,
        expand(sources, storage_options=storage_options),
        meta=clear(pandas_frame(fields, [], "from_traces")),
        label="from-traces",
        table=table,
        errors=errors,
        storage_options=storage_options,
    )
    return made


def _read(
    source: str,
    *,
    columns: Sequence[str],
    table: str,
    errors: Literal["raise", "salvage"],
    storage_options: Mapping[str, Any] | None,
) -> pandas.DataFrame:
    """Return the columns that Dask requests of one trace."""
    with open(source, errors=errors, storage_options=storage_options) as trace:
        frame: pandas.DataFrame = getattr(trace, table).to_pandas(columns or [every_field(table)[0].name])
    return frame[columns]  # a frame without columns has an index
