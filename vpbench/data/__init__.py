"""Questions: from the hub, from a local folder in the hub's own columns, from a pool; images lazily."""

from vpbench.data.load import QuestionSet, SolutionSet, load_questions, load_solutions
from vpbench.data.places import task_places

__all__ = ["QuestionSet", "SolutionSet", "load_questions", "load_solutions", "task_places"]
