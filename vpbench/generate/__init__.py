"""Candidates and what generates text: pools that already exist, and models behind one interface."""

from vpbench.generate.generator import Generator, load_generator, used_since
from vpbench.pools.pool import Pool, PoolRow, read_pool
from vpbench.prompts import Generation, Message, Prompt, Sampling

__all__ = [
    "Generation",
    "Generator",
    "Message",
    "Pool",
    "PoolRow",
    "Prompt",
    "Sampling",
    "load_generator",
    "read_pool",
    "used_since",
]
