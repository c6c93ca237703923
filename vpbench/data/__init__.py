"""Questions: from the hub, from a local folder in the hub's own columns, from a pool; images lazily."""

from vpbench.data.load import QuestionSet, SolutionSet, load_questions, load_solutions
from vpbench.data.task_folders import task_folders

__all__ = ["QuestionSet", "SolutionSet", "load_questions", "load_solutions", "task_folders"]
