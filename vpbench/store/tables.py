"""Rows as Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vpbench.records import RowKey


def parquet_bytes(rows: Mapping[RowKey, Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Rows as one Parquet file, in the mapping's order; the same rows give the same bytes.

    `columns` maps a value's name to its type: string, bool, double, integer, or list (of doubles).
    """
    import pyarrow as pa

    types = _types()
    data: dict[str, Any] = {
        "question_id": pa.array([key[0] for key in rows], pa.string()),
        "index": pa.array([key[1] for key in rows], pa.int64()),
    }
    for name, column in columns.items():
        data[name] = pa.array([row[name] for row in rows.values()], types[column])
    return table_bytes(pa.table(data))


def parquet_rows(data: bytes, columns: Mapping[str, str]) -> Iterator[tuple[RowKey, dict[str, Any]]]:
    """The rows that `parquet_bytes` made a file of. Raises `ValueError` if it is another file."""
    import pyarrow as pa

    try:
        table = table_of(data)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"not a Parquet file: {error}") from error
    types = {"question_id": pa.string(), "index": pa.int64(), **{name: _types()[columns[name]] for name in columns}}
    if dict(zip(table.schema.names, table.schema.types, strict=True)) != types:
        raise ValueError("its columns are others")
    for row in table.to_pylist():
        yield (row.pop("question_id"), row.pop("index")), row


def _types() -> dict[str, Any]:
    import pyarrow as pa

    return {
        "string": pa.string(),
        "bool": pa.bool_(),
        "double": pa.float64(),
        "list": pa.list_(pa.float64()),
        "integer": pa.int64(),
    }


def table_bytes(table: Any) -> bytes:
    """An Arrow table as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def table_of(data: bytes) -> Any:
    """A Parquet file's bytes as an Arrow table. Raises `ArrowException`, `OSError` or `ValueError` for damaged ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Threads of `pq.read_table` outlive it, and abort one in thirty of the processes that end at once: `check` with
    # exit code 134 instead of 2 (apache/arrow issue 34314).
    return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
