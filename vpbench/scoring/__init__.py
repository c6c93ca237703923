"""Step scores: what a process reward model says of each step of a solution.

These names are what a step-scoring critic is made of. Importing them loads neither torch nor transformers.
"""

from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.scoring.critic import CheckpointCritic
from vpbench.scoring.head import HeadLayout
from vpbench.scoring.head_formats import ChatMarkerFormat, IdFormat, JoinedFormat, PieceFormat
from vpbench.scoring.likelihood import LikelihoodCritic
from vpbench.scoring.load import load_step_scorer
from vpbench.scoring.log_ratio import LogRatioCritic
from vpbench.scoring.splitting import split_steps, splitter
from vpbench.scoring.step_critics import ResponseCritic, RewardCritic, StepCritic, TextStepCritic
from vpbench.scoring.step_format import (
    CHAT_TEMPLATE_TURNS,
    AnswerFormat,
    ChatFormat,
    MarkerFormat,
    StepFormat,
    TurnFormat,
)
from vpbench.scoring.step_scorer import StepScorer, StepScores
from vpbench.scoring.verdicts import step_verdicts, yes_probability

__all__ = [
    "CHAT_TEMPLATE_TURNS",
    "AnswerFormat",
    "ChatFormat",
    "ChatMarkerFormat",
    "CheckpointCritic",
    "HeadLayout",
    "IdFormat",
    "JoinedFormat",
    "LikelihoodCritic",
    "LogRatioCritic",
    "MarkerFormat",
    "PieceFormat",
    "ResponseCritic",
    "RewardCritic",
    "StepCritic",
    "StepFormat",
    "StepScorer",
    "StepScores",
    "TextStepCritic",
    "TurnFormat",
    "checkpoint_fingerprint",
    "checkpoint_folder",
    "load_step_scorer",
    "split_steps",
    "splitter",
    "step_verdicts",
    "yes_probability",
]
