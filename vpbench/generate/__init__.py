"""Candidates and what generates text: pools that already exist, and models behind one interface."""

from vpbench.generate.generator import Generation, Generator, Message, Prompt, Sampling, load_generator, used_since
from vpbench.generate.pools import Pool, PoolRow, read_pool

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
