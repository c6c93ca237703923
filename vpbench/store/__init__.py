"""What a run keeps: durable rows under keys, files that are never half written, Parquet."""

from vpbench.store.codec import CANDIDATES, SCORES, VERDICTS, Codec
from vpbench.store.files import write_atomic
from vpbench.store.keys import content_hash, folder_name, key_hash
from vpbench.store.rows import RowStore
from vpbench.store.tables import parquet_bytes, table_bytes
from vpbench.store.versions import versions

__all__ = [
    "CANDIDATES",
    "SCORES",
    "VERDICTS",
    "Codec",
    "RowStore",
    "content_hash",
    "folder_name",
    "key_hash",
    "parquet_bytes",
    "table_bytes",
    "versions",
    "write_atomic",
]
