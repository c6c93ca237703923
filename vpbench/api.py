"""What a notebook calls, as `vpbench.run`, `vpbench.load_results` and `vpbench.compare`; the commands call it too.

Nothing is printed unless a function to print with is given.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args, get_origin, get_type_hints, overload

from vpbench.endpoint.budget import budget
from vpbench.errors import ConfigError
from vpbench.models.checkpoint import without_fetching
from vpbench.progress import Echo, Progress, no_bar, say, silent
from vpbench.prompts import PromptStyle
from vpbench.records import GradingMode, Selection
from vpbench.report.best_of_n import best_of_n_result
from vpbench.report.compare import Comparison
from vpbench.report.compare import compare as compare_results
from vpbench.report.frames import Results
from vpbench.report.frames import load_results as read_results
from vpbench.report.overview import overviews
from vpbench.report.rates import measured_rates
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.step_result import step_result
from vpbench.report.stored import StoredResult
from vpbench.report.study_comparison import StudyComparison, compare_runs
from vpbench.report.study_folder import write_study
from vpbench.report.summary import in_a_line, summary
from vpbench.report.units import Units
from vpbench.report.write import write_result
from vpbench.run.analysis import Analysis
from vpbench.run.announcement import announcement
from vpbench.run.at_hand import check_at_hand
from vpbench.run.entries import CriticEntry
from vpbench.run.plan_cost import planned
from vpbench.run.prepared import Prepared, PreparedSteps, Scored
from vpbench.run.rates import given_rates
from vpbench.run.request import Request, ShortPools
from vpbench.run.study import Study, run_study, study_of
from vpbench.run.study_file import read_study, with_flags


class RunOptions(TypedDict, total=False):
    """The options of `vpbench run`, with its names and defaults, which None stands for too.

    `vpbench run --help` says what they are.
    """

    critic_model: str | None
    critic_args: Mapping[str, object]
    released_tokenization: bool
    pool: str | Path | None
    policy: str | Sequence[str] | None
    policy_args: Mapping[str, object]
    samples: int | None
    temperature: float
    top_p: float
    max_tokens: int
    first_greedy: bool
    prompt: PromptStyle
    scores: str | Path | Sequence[str | Path] | None
    data: str | Path | None
    grading: GradingMode
    judge: str | None
    judge_args: Mapping[str, object]
    short_pools: ShortPools
    allow_mismatch: bool
    trust_verdicts: bool
    selection: Selection | None
    estimator: Literal["expected", "prefix"]
    aggregate: str
    link: Literal["sigmoid"] | None
    n: int | Iterable[int] | None
    threshold: float | None
    limit: int | None
    seed: int
    resamples: int
    max_error_rate: float
    max_cost: float | None
    max_total_tokens: int | None
    rates: Mapping[str, float]
    output: str | Path
    nano: bool


_PATHS = ("pool", "data", "output")
_SETTINGS = ("critic_args", "policy_args", "judge_args")
_BESIDE = ("max_cost", "max_total_tokens", "rates")
"""Options that change nothing of what a study is."""
_BOUNDS: Mapping[str, tuple[float, float | None]] = {
    "samples": (1, None),
    "temperature": (0, None),
    "top_p": (0, 1),
    "max_tokens": (1, None),
    "limit": (1, None),
    "seed": (0, None),
    "resamples": (100, None),
    "max_error_rate": (0, 1),
    "max_total_tokens": (1, None),
}
"""The least and the largest value of options that have one."""


Critics = str | Path | Sequence[str | Path | CriticEntry]


def run(
    task: str | Path | Sequence[str | Path] = (),
    critic: Critics = (),
    *,
    study: str | Path | None = None,
    progress: Progress = no_bar,
    echo: Echo = silent,
    warn: Echo = silent,
    **options: Unpack[RunOptions],
) -> list[StoredResult]:
    """Run critics on tasks, as `vpbench run` does; one result per task and critic, each with its folder.

    `task` and `critic` are a name or file, several, or "all"; a critic is written as `--critic` takes it. `progress`
    opens progress bars (`vpbench.progress.bar` does), `echo` is given the results as text, several under an
    overview of all, and `warn` each failure. Raises TypeError for an unknown option, and `VpbenchError` for the first
    failure, when what doesn't depend on it is finished.
    """

    done: list[StoredResult] = []
    given: dict[str, Any] = {"task": task, "critic": critic, **options}
    asked = (
        given
        if study is None
        else with_flags(read_study(study), {k: v for k, v in given.items() if v not in (None, ())})
    )
    plan = plan_study(asked, echo)
    if plan.defaults:
        check_at_hand(plan)
        rates = measured_rates(Path(asked.get("output") or Request.output), asked.get("rates") or {}, warn)
        with without_fetching():
            echo(announcement(plan, planned(plan, rates)[1]))
    cells = len(plan.tasks) * len(plan.critics)

    def finish(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> StoredResult:
        done.append(_finish(prepared, scored, analysis))
        if cells > 1:
            say(f"{len(done)} of {cells} done: {in_a_line(done[-1].result)}")
        return done[-1]

    try:
        with budget(asked.get("max_cost"), asked.get("max_total_tokens")):
            # before the overview nothing is shown of several results but progress
            results = run_study(plan, finish, progress, echo if cells == 1 else say, warn)
    except Exception:
        _show(done, cells, plan.name, echo)
        raise
    _show(done, cells, plan.name, echo)
    return results


def load_results(folder: str | Path) -> Results:
    """The results in a run's folder, in a folder of results, or of one result, as pandas frames.

    Raises `ConfigError` if there are none, or one that can't be read.
    """
    return read_results(Path(folder))


@overload
def compare(first: StoredResult, second: StoredResult, smallest_loss: float = 0.0) -> Comparison: ...
@overload
def compare(
    first: str | Path | StoredResult, second: str | Path | StoredResult, smallest_loss: float = 0.0
) -> Comparison | StudyComparison: ...
def compare(
    first: str | Path | StoredResult, second: str | Path | StoredResult, smallest_loss: float = 0.0
) -> Comparison | StudyComparison:
    """SECOND minus FIRST, paired over questions; each is a result, its folder, or that of a run or study.

    Of runs and studies every critic is compared on every task, and by the mean of its tasks. A loss smaller than
    `smallest_loss`, a fraction of 1, doesn't make it `regressed`. Raises `ConfigError` if they aren't about the same
    questions of the same task, or one is damaged.
    """
    one, two = (given.folder if isinstance(given, StoredResult) else Path(given) for given in (first, second))
    if isinstance(first, StoredResult) and isinstance(second, StoredResult):
        return compare_results(first, second, smallest_loss)
    return compare_runs(one, two, smallest_loss)


def plan_study(options: Mapping[str, Any], echo: Echo) -> Study:
    """What `run` does with these options, `task` and `critic` among them. Raises TypeError, `ConfigError`."""
    given = {name: value for name, value in options.items() if value is not None}
    tasks, critics, name = given.pop("task", ()), given.pop("critic", ()), given.pop("name", None)
    _check(given)
    given_rates(given.get("rates", {}))
    given = {name: value for name, value in given.items() if name not in _BESIDE}
    if "n" in given:
        given["ns"] = _ns(given.pop("n"))
    given |= {name: Path(given[name]) for name in _PATHS if name in given}
    given |= {name: tuple(_entries(given[name])) for name in ("scores", "policy") if name in given}
    given |= {
        name: {setting: str(value) for setting, value in given[name].items()} for name in _SETTINGS if name in given
    }
    return study_of([str(task) for task in _entries(tasks)], _entries(critics), given, echo, name)


def _finish(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> StoredResult:
    result: BestOfNResult | StepResult
    units: Units | None = None
    if isinstance(prepared, Prepared):
        result, units = best_of_n_result(prepared, scored, analysis)
    else:
        result = step_result(prepared, scored, analysis)
    return write_result(prepared, scored, analysis, result, units)


def _show(done: Sequence[StoredResult], cells: int, name: str | None, echo: Echo) -> None:
    """Show the results that there are, the overview of several first; a study of all its `cells` is written too."""
    for whole in overviews(done) if len(done) > 1 else ():
        echo(f"\n{whole.text()}")
        if len(done) == cells:
            echo(f"study written to {write_study(done[0].folder.parent.parent, whole, name)}")
    for stored in done:
        echo(summary(stored.result))
        echo(f"written to {stored.folder}")


def _entries(given: Any) -> list[Any]:
    """Words of a text with commas, or one, or several things: paths as text, the rest as it is."""
    if isinstance(given, str):
        return [word.strip() for word in given.split(",") if word.strip()]
    return [str(part) if isinstance(part, Path) else part for part in ([given] if isinstance(given, Path) else given)]


def _ns(given: int | Iterable[int]) -> tuple[int, ...]:
    ns = tuple(sorted({given} if isinstance(given, int) else set(given)))
    if not ns or ns[0] < 1:
        raise ConfigError(f"n: {given!r}; give whole numbers from 1, such as [1, 2, 4, 8]")
    return ns


def _check(options: Mapping[str, Any]) -> None:
    """Raises TypeError for an unknown option, `ConfigError` for a value that the command line would refuse."""
    hints = get_type_hints(RunOptions)
    for name, value in options.items():
        if name not in hints:
            raise TypeError(f"vpbench.run has no option {name!r}{_meant(name, hints)}")
        choices = _choices(hints[name])
        if choices and value not in choices:
            raise ConfigError(f"{name}: {value!r} is none of {', '.join(choices)}{_meant(value, choices)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name}: {value!r} is no number to go by")
        least, largest = _BOUNDS.get(name, (None, None))
        if (least is not None and value < least) or (largest is not None and value > largest):
            limits = f"at least {least:g}" + ("" if largest is None else f" and at most {largest:g}")
            raise ConfigError(f"{name}: {value!r} is out of range; give {limits}")


def _choices(hint: Any) -> tuple[str, ...]:
    """What a type hint, a Literal or that or None, allows; nothing for another."""
    literals = [part for part in (hint, *get_args(hint)) if get_origin(part) is Literal]
    return get_args(literals[0]) if literals else ()


def _meant(name: object, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(names), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
