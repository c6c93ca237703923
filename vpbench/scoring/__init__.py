"""Step scores: what a process reward model says of each step of a solution.

These names are what a step-scoring critic is made of. Importing them loads neither torch nor transformers.
"""

from vpbench.scoring.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.scoring.conversation import split_steps
from vpbench.scoring.load import load_step_scorer
from vpbench.scoring.step_scorer import StepScorer, StepScores

__all__ = [
    "StepScorer",
    "StepScores",
    "checkpoint_fingerprint",
    "checkpoint_folder",
    "load_step_scorer",
    "split_steps",
]
