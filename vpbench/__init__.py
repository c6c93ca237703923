"""vpbench measures critics of multimodal reasoning: step detection, and what Best-of-N gains by them.

These are the names a task or a critic plugin is written against; `vpbench.grade` and `vpbench.scoring` export the
pieces that graders and step-scoring critics are made of.
"""

from vpbench.base import Critic, Dialogue, Reference, Source, StepTask, Task
from vpbench.errors import ConfigError, CriticError, DataError, GradeError, TooManyFailures, VpbenchError
from vpbench.measures import Measure
from vpbench.recipe import Recipe
from vpbench.records import (
    EMPTY_RESPONSE,
    Candidate,
    Drawn,
    GradingMode,
    ImageRef,
    LabelledSolution,
    Question,
    RowKey,
    Score,
    Selection,
    Verdict,
)

__version__ = "0.1.0"

__all__ = [
    "EMPTY_RESPONSE",
    "Candidate",
    "ConfigError",
    "Critic",
    "CriticError",
    "DataError",
    "Dialogue",
    "Drawn",
    "GradeError",
    "GradingMode",
    "ImageRef",
    "LabelledSolution",
    "Measure",
    "Question",
    "Recipe",
    "Reference",
    "RowKey",
    "Score",
    "Selection",
    "Source",
    "StepTask",
    "Task",
    "TooManyFailures",
    "Verdict",
    "VpbenchError",
    "__version__",
]
