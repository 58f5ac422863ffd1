"""Containers of other libraries: batches and streams of columns come in; Arrow tables and data frames go out.

The libraries are imported at first use. Never here: decoding, or a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from gotrace.columns.batch import Batch
from gotrace.columns.fields import Field
from gotrace.tables.stream import TableStream

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_Made = TypeVar("_Made")
_EXTRAS = {"pyarrow": "arrow", "pandas": "pandas", "polars": "polars", "duckdb": "sql", "dask": "dask"}
_GROWTH = 8  # an array grows by this part of its length at a time


def library(name: str, user: str) -> Any:
    """Return a module of another library.

    Raises
    ------
    ImportError
        It is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        if error.name not in (name, package):
            raise
        raise ImportError(f'{user} needs {package}: pip install "gotrace[{_EXTRAS[package]}]"') from None


def containers(library_name: Literal["arrow", "pd", "pl"]) -> Callable[[Batch], Any]:
    """Return the function that turns a batch into the container of a library.

    Raises
    ------
    ImportError
        It is not installed.
    """
    user = f'library="{library_name}"'
    made: Callable[[Batch], Any]
    if library_name == "arrow":
        made = library("pyarrow", user).record_batch
    elif library_name == "pl":
        made = library("polars", user).DataFrame
    else:
        library("pandas", user)
        made = partial(_pandas_chunk, user)
    return made


def _pandas_chunk(user: str, batch: Batch) -> pandas.DataFrame:
    return pandas_frame([of.field for of in batch.columns.values()], [batch], user)


def to_arrow(stream: TableStream) -> pyarrow.Table:
    """Return all rows as a pyarrow table whose chunks share their dictionaries."""
    table = _consumed(stream, library("pyarrow", "to_arrow").table)
    for i, field in enumerate(stream.fields):
        if field.grows and not field.text:
            table = table.set_column(i, table.schema.field(i), table.column(i).unify_dictionaries())
    return table


def to_polars(stream: TableStream) -> polars.DataFrame:
    """Return all rows as a polars data frame."""
    frame: Callable[[TableStream], polars.DataFrame] = library("polars", "to_polars").DataFrame
    return _consumed(stream, frame)


def _consumed(stream: TableStream, consumer: Callable[[TableStream], _Made]) -> _Made:
    """Return what a library makes of a stream; if the stream fails, raise its own exception."""
    try:
        return consumer(stream)
    except Exception:
        if stream.error is not None:
            raise stream.error from None
        raise


def to_lazy_polars(stream: TableStream, again: Callable[[list[str]], TableStream]) -> polars.LazyFrame:
    """Return a lazy frame with the schema of ``stream``, which reads streams of the columns that a query needs."""
    module = library("polars", "to_polars")
    names = [field.name for field in stream.fields]

    def read(
        with_columns: list[str] | None, predicate: polars.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[polars.DataFrame]:
        wanted = names if with_columns is None else with_columns
        left = n_rows
        for batch in again(wanted).batches():
            frame = module.DataFrame(batch)
            if left is not None:
                frame = frame.head(left)
                left -= len(frame)
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    source = library("polars.io.plugins", "to_polars").register_io_source
    frame: polars.LazyFrame = source(read, schema=module.Schema(stream))
    return frame


def to_pandas(stream: TableStream) -> pandas.DataFrame:
    """Return all rows as a pandas data frame."""
    return pandas_frame(stream.fields, stream.batches(), "to_pandas")


def pandas_frame(fields: list[Field], batches: Iterable[Batch], user: str) -> pandas.DataFrame:
    """Return the rows of some batches as one pandas data frame."""
    module = library("pandas", user)
    columns = {field.name: _PandasColumn(field) for field in fields}
    for batch in batches:
        for column in columns.values():
            column.add(batch)
    frame: pandas.DataFrame = module.DataFrame({name: c.finish(module) for name, c in columns.items()}, copy=False)
    return frame


class _PandasColumn:
    """One column, to which batches are added; its memory grows in place."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._texts: list[str | None] = []
        self._categories: list[str] = []
        self._values = _Array(np.dtype(np.int32 if field.text else field.type))
        self._nulls = _Array(np.dtype(bool))

    def add(self, batch: Batch) -> None:
        """Add the values of a batch."""
        name = self._field.name
        if self._field.text:
            self._texts += batch.texts(name)
            return
        values = batch.values(name)
        texts = batch.columns[name].dictionary
        if texts is not None:
            self._categories = texts.values[: texts.n]
        elif self._field.null is not None and values.dtype.kind == "i":
            self._nulls.add(batch.is_null(name))
        self._values.add(values)

    def finish(self, pandas: Any) -> Any:
        """Return the column as an array of pandas or numpy."""
        if self._field.text:
            return pandas.array(self._texts, dtype=pandas.StringDtype(na_value=np.nan))
        values = self._values.finish()
        if self._field.dictionary:
            return pandas.Categorical.from_codes(values, pandas.Index(self._categories, dtype=str))
        if values.dtype.kind == "M":
            return pandas.DatetimeIndex(values).tz_localize("UTC")
        if self._field.null is not None:
            return pandas.arrays.IntegerArray(values, self._nulls.finish())
        return values


class _Array:
    """An array that grows in place, so that it never is in memory twice."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._array: npt.NDArray[Any] = np.empty(0, dtype)
        self._n = 0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Append values."""
        end = self._n + len(values)
        if end > len(self._array):
            self._array.resize(max(end, len(self._array) + len(self._array) // _GROWTH), refcheck=False)
        self._array[self._n : end] = values
        self._n = end

    def finish(self) -> npt.NDArray[Any]:
        """Return the array."""
        self._array.resize(self._n, refcheck=False)
        return self._array
