"""What a run keeps: durable rows under keys, files that are never half written, Parquet."""

from vpbench.store.codec import CANDIDATES, SCORES, VERDICTS, Codec
from vpbench.store.files import sha256, write_atomic, writing
from vpbench.store.keys import content_hash, folder_name, key_hash
from vpbench.store.local import LocalStore, Store
from vpbench.store.rows import RowStore, kept_rows
from vpbench.store.tables import parquet_bytes, table_bytes, table_of
from vpbench.store.versions import versions

__all__ = [
    "CANDIDATES",
    "SCORES",
    "VERDICTS",
    "Codec",
    "LocalStore",
    "RowStore",
    "Store",
    "content_hash",
    "folder_name",
    "kept_rows",
    "key_hash",
    "parquet_bytes",
    "sha256",
    "table_bytes",
    "table_of",
    "versions",
    "write_atomic",
    "writing",
]
