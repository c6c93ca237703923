"""Candidates: read from pools that already exist."""

from vpbench.generate.pools import Pool, PoolRow, read_pool

__all__ = ["Pool", "PoolRow", "read_pool"]
