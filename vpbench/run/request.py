"""What the command line asks for: the candidates, the grading, and where things are; one `Request` per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from vpbench.base import BaseTask, StepTask, Task
from vpbench.data import task_folders
from vpbench.data.miniature import POOL, nano_folder, nano_policies
from vpbench.errors import ConfigError
from vpbench.plugins import Plugin, all_tasks, find_task
from vpbench.pools.roots import task_pools
from vpbench.progress import Echo
from vpbench.prompts import Sampling
from vpbench.records import GradingMode
from vpbench.run.policy import Drawing
from vpbench.settings import from_options

ShortPools = Literal["refuse", "leave-out"]
"""What becomes of questions with fewer candidates than the others, or than the largest N."""
DEFAULT_SAMPLES = 128


@dataclass(frozen=True)
class Request:
    """What a run is asked to do, apart from which task and which critic; field names are the command line's."""

    data: Path | None = None
    pool: Path | None = None
    drawing: Drawing | None = None
    grading: GradingMode = "robust"
    judge: str | None = None
    judge_args: Mapping[str, str] = field(default_factory=dict)
    trust_verdicts: bool = False
    limit: int | None = None
    nano: bool = False
    max_error_rate: float = 0.1
    allow_mismatch: bool = False
    short_pools: ShortPools = "refuse"
    output: Path = Path("runs")


def drawing_of(options: Mapping[str, Any], samples: int) -> Drawing:
    """How the command line asks to draw, `samples` candidates per question. Raises `ConfigError`."""
    return from_options(Drawing, {**options, "samples": samples, "sampling": from_options(Sampling, options)})


def requests(names: Sequence[str], request: Request, echo: Echo) -> list[tuple[Plugin[BaseTask], Request]]:
    """Each task with its request; of several, `--data` holds a folder and `--pool` a file per task.

    Beside tasks of candidates a step task takes none, from a pool or a policy; alone it keeps them, for `check` to
    refuse. `echo` is told which tasks of a suite, such as "all", are left out for want of one. Raises `ConfigError`.
    """
    if request.nano and request.data is not None:
        raise ConfigError(f"--nano brings its own data; leave --data {request.data} out")
    suite = suite_tasks(names)
    plugins = suite or {plugin.cls.name: plugin for plugin in map(find_task, names)}
    folders = task_folders(request.data, list(plugins), bool(suite), echo)
    pools = task_pools(request.pool, [name for name in folders if takes_pool(plugins[name])], bool(suite), echo)
    steps = replace(request, pool=None, drawing=None) if any(map(takes_pool, plugins.values())) else request
    asked = [
        (plugins[name], replace(request, data=folder, pool=pools[name]))
        if takes_pool(plugins[name])
        else (plugins[name], replace(steps, data=folder))
        for name, folder in folders.items()
        if name in pools or not takes_pool(plugins[name])
    ]
    return [(task, _in_nano(task, task_request) if request.nano else task_request) for task, task_request in asked]


def takes_pool(plugin: Plugin[BaseTask]) -> bool:
    """Whether the task is one of candidates, which are brought to it or drawn."""
    return issubclass(plugin.cls, Task)


def suite_tasks(names: Sequence[str]) -> dict[str, Plugin[BaseTask]]:
    """The tasks of the suite that is asked for alone, by name; none where `names` are tasks."""
    if len(names) != 1 or names[0].endswith(".py"):
        return {}
    tasks = sorted(all_tasks().items())
    return {name: task for name, task in tasks if issubclass(task.cls, Task) and task.cls.suite == names[0]}


def check(task: type[BaseTask], request: Request) -> None:
    """Raises `ConfigError` if the task's candidates would come from two places or none, or be judged against the rule.

    A step task's solutions are in its data.
    """
    if issubclass(task, StepTask):
        for option, given in (("--pool", request.pool), ("--policy", request.drawing)):
            if given is not None:
                raise ConfigError(f"task {task.name!r} brings its own solutions; leave {option} out")
        return
    if request.judge is not None and (request.grading != "official" or request.trust_verdicts):
        raise ConfigError("--judge is for --grading official; leave it out, or grade so")
    if request.drawing is not None and request.pool is not None:
        raise ConfigError("--policy draws candidates and --pool brings them; give one of the two")
    if request.drawing is None and request.pool is None:
        raise ConfigError(
            f"task {task.name!r} needs candidates: --pool FILE (JSONL of {{question_id, candidates: [{{response}}]}}) "
            "or --policy MODEL"
        )


def _in_nano(plugin: Plugin[BaseTask], request: Request) -> Request:
    """The miniature world's data, its candidates where nothing else brings any, and its policy where that is asked."""
    folder, drawing = nano_folder(plugin.cls.name), request.drawing
    if drawing is not None and drawing.policy in nano_policies():
        drawing = replace(drawing, policy=str(nano_policies()[drawing.policy]), prompt="question")
    brought = issubclass(plugin.cls, StepTask) or request.drawing is not None or request.pool is not None
    return replace(request, data=folder, drawing=drawing, pool=request.pool if brought else folder / POOL)
