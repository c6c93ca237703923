"""vpbench measures critics of multimodal reasoning: step detection, and what Best-of-N gains by them.

`run`, `load_results` and `compare` are what a notebook calls. The other names are those a task or a critic plugin is
written against; `vpbench.grade` and `vpbench.scoring` export the pieces that graders and step-scoring critics are made
of.
"""

import inspect
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vpbench.base import Critic, Dialogue, PublishedPolicy, Reference, ReleasedModel, Source, StepTask, Task
from vpbench.errors import ConfigError, CriticError, DataError, GradeError, TooManyFailures, VpbenchError
from vpbench.measures import Measure
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
from vpbench.train.recipe import Recipe

if TYPE_CHECKING:
    from vpbench.api import compare, load_results, run
else:
    from vpbench import run

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
    "PublishedPolicy",
    "Question",
    "Recipe",
    "Reference",
    "ReleasedModel",
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
    "compare",
    "load_results",
    "run",
]


class _CallablePackage(ModuleType):
    """`vpbench.run`, the package of a run's stages and the function that notebooks call.

    Importing any stage makes the package an attribute of this module, where it would replace a function of that name;
    so the package itself can be called. It is imported above, empty as it is, so that `vpbench.run` is there at once.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run critics on tasks: `vpbench.api.run`."""
        from vpbench import api

        return api.run(*arguments, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        from vpbench import api

        return inspect.signature(api.run)


sys.modules["vpbench.run"].__class__ = _CallablePackage


def __getattr__(name: str) -> Any:
    # loaded when asked for, since they bring numpy, which `vpbench --help` and plugins don't wait for
    if name in ("load_results", "compare"):
        from vpbench import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
