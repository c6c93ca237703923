"""Rows as Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench.records import RowKey


def parquet_bytes(rows: Mapping[RowKey, Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Rows as one Parquet file, in the mapping's order; the same rows give the same bytes.

    `columns` maps a value's name to its type: string, bool, double, integer, or list (of doubles).
    """
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "bool": pa.bool_(),
        "double": pa.float64(),
        "list": pa.list_(pa.float64()),
        "integer": pa.int64(),
    }
    data: dict[str, Any] = {
        "question_id": pa.array([key[0] for key in rows], pa.string()),
        "index": pa.array([key[1] for key in rows], pa.int64()),
    }
    for name, column in columns.items():
        data[name] = pa.array([row[name] for row in rows.values()], types[column])
    return table_bytes(pa.table(data))


def table_bytes(table: Any) -> bytes:
    """An Arrow table as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
