"""What `vpbench run` and `vpbench sample` do: every task in turn, each result shown as soon as it is there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from vpbench.base import BaseTask, StepTask
from vpbench.data import task_places
from vpbench.errors import ConfigError
from vpbench.generate import Sampling
from vpbench.generate.prompts import PromptStyle
from vpbench.generate.sampling import Drawing, sample_notes
from vpbench.judging import rows_to_judge
from vpbench.labels.continuation import MonteCarlo
from vpbench.labels.label import Labelling, label_task
from vpbench.labels.rules import Rule
from vpbench.nano import nano_folder
from vpbench.pipeline import (
    Prepared,
    PreparedSteps,
    Request,
    Scored,
    best_of_n_task,
    build_critics,
    grader_code,
    plan,
    plan_drawing,
    prepare,
    prepare_steps,
    score,
    use_scores,
)
from vpbench.plugins import Found, all_tasks, find_task
from vpbench.progress import bar
from vpbench.records import GradingMode
from vpbench.report.result import Analysis, best_of_n_result
from vpbench.report.step_result import step_result
from vpbench.report.summary import summary
from vpbench.report.write import write_result
from vpbench.sample import SamplePlan, draw, export_pool
from vpbench.scoring.given import read_scores

NANO_CRITIC = "simulated-prm"
DEFAULT_SAMPLES = 128


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which critics to run, with which settings, or which file their scores come from."""

    critics: tuple[str, ...]
    settings: Mapping[str, str]
    scores: Path | None


def run_all(
    tasks: Sequence[str],
    critics: Sequence[str],
    critic_model: str | None,
    critic_args: Mapping[str, str],
    scores: Path | None,
    dry_run: bool,
    nano: bool,
    released_tokenization: bool = False,
    **options: Any,
) -> list[Path]:
    """Run every critic on every task; the folders of the results. Raises `VpbenchError`."""
    request = Request(
        **{field.name: options[field.name] for field in dataclasses.fields(Request) if field.name in options}
    )
    if options["policy"] is not None:
        largest_n = max(options["ns"] or (DEFAULT_SAMPLES,))
        request = dataclasses.replace(request, drawing=make_drawing(largest_n, **options))
    analysis = Analysis(**{field.name: options[field.name] for field in dataclasses.fields(Analysis)})
    settings = dict(critic_args) if critic_model is None else {**critic_args, "model": critic_model}
    if released_tokenization:
        settings["released_tokenization"] = "true"
    wanted = Wanted(tuple(critics), settings, scores)
    if scores is not None and len(critics) > 1:
        raise ConfigError("--scores is one critic's file; give at most one --critic to name it")
    folders = []
    for found, asked in _requests(tasks, request):
        here, its_critics = (asked, wanted) if not nano else _nano(found, asked, wanted)
        if not its_critics.critics and its_critics.scores is None:
            raise ConfigError("no critic: give --critic NAME (see `vpbench list`) or --scores FILE")
        if dry_run:
            click.echo(_plan(found, here, its_critics))
            continue
        folders += _run_task(found, here, its_critics, analysis)
    return folders


def make_drawing(
    default_samples: int,
    policy: str,
    policy_args: Mapping[str, str],
    samples: int | None,
    temperature: float,
    top_p: float,
    max_tokens: int,
    first_greedy: bool,
    prompt: PromptStyle,
    seed: int,
    **_: Any,
) -> Drawing:
    """What the command line asks to draw. Raises `ConfigError`."""
    sampling = Sampling(temperature, top_p, max_tokens)
    return Drawing(policy, policy_args, samples or default_samples, sampling, first_greedy, seed, prompt)


def sample_all(
    tasks: Sequence[str],
    data: Path | None,
    limit: int | None,
    nano: bool,
    max_error_rate: float,
    output: Path,
    export: Path | None,
    dry_run: bool,
    **options: Any,
) -> None:
    """Draw the candidates of every task, and say where they are. Raises `VpbenchError`."""
    request = Request(data, None, make_drawing(DEFAULT_SAMPLES, **options), limit=limit, output=output)
    if export is not None and (len(tasks) > 1 or list(tasks) == ["all"]):
        raise ConfigError("--export writes one task's candidates; give one --task")
    for found, asked in _requests(tasks, request):
        here = _nano(found, asked, Wanted((), {}, None))[0] if nano else asked
        planned = plan_drawing(found, here)
        assert planned is not None
        click.echo("\n".join([f"task      {found.cls.name}", *_drawing_lines(planned)]))
        if dry_run:
            continue
        rows = draw(planned, max_error_rate, bar)
        for note in sample_notes(rows):
            click.echo(f"note      {note}")
        for name, value in planned.generator.usage().items():
            click.echo(f"used      {value:g} {name}")
        if export is not None:
            export_pool(planned, rows, export)
            click.echo(f"exported  {export}, for `vpbench run --pool`")


def label_all(
    tasks: Sequence[str],
    data: Path | None,
    limit: int | None,
    nano: bool,
    max_error_rate: float,
    output: Path,
    export: Path | None,
    solutions: int,
    continuations: int,
    early_stop: bool,
    early_exit: bool,
    max_steps: int,
    rule: Rule,
    threshold: float,
    grading: GradingMode,
    seed: int,
    **options: Any,
) -> None:
    """Label a policy's solutions of every task, and say where the rows are. Raises `VpbenchError`."""
    if export is not None and (len(tasks) > 1 or list(tasks) == ["all"]):
        raise ConfigError("--export writes one task's rows; give one --task")
    if early_exit and (rule != "value" or threshold > 0):
        raise ConfigError("--early-exit biases mc, so it is for --rule value and --mc-threshold 0 only")
    drawing = make_drawing(solutions, samples=None, first_greedy=False, seed=seed, **options)
    monte_carlo = MonteCarlo(continuations, early_stop, early_exit, seed)
    labelling = Labelling(monte_carlo, max_steps, rule, threshold, grading)
    for found, asked in _requests(tasks, Request(data, None, drawing, limit=limit, output=output)):
        here = _nano(found, asked, Wanted((), {}, None))[0] if nano else asked
        planned = plan_drawing(found, here)
        assert planned is not None
        click.echo("\n".join([f"task           {found.cls.name}", *_drawing_lines(planned)]))
        path = label_task(best_of_n_task(found), planned, labelling, grader_code(found), max_error_rate, output, bar,
                          click.echo, export)  # fmt: skip
        click.echo(f"written to     {path}")


def _drawing_lines(planned: SamplePlan) -> list[str]:
    drawing, sampling = planned.drawing, planned.drawing.sampling
    first = "candidate 0 greedy, " if drawing.first_greedy else ""
    return [
        f"data      {planned.questions.origin}: {len(planned.conversations)} questions",
        f"policy    {drawing.policy} {json.dumps(planned.generator.identity())}",
        f"sampling  {drawing.samples} candidates per question, {first}temperature {sampling.temperature:g}, "
        f"top-p {sampling.top_p:g}, at most {sampling.max_tokens} tokens, prompt {drawing.prompt}, seed {drawing.seed}",
        f"rows      {planned.folder}",
    ]


def _run_task(found: Found[BaseTask], request: Request, wanted: Wanted, analysis: Analysis) -> list[Path]:
    critics = [] if wanted.scores else build_critics(wanted.critics, wanted.settings, request.nano)
    prepared = prepare_steps(found, request) if issubclass(found.cls, StepTask) else prepare(found, request, bar)
    folders = []
    if wanted.scores is not None:
        given = read_scores(wanted.scores)
        scored = use_scores(prepared, given, wanted.critics[0] if wanted.critics else given.name)
        folders.append(_finish(prepared, scored, analysis))
    for critic in critics:
        folders.append(_finish(prepared, score(prepared, critic, bar), analysis))
    return folders


def _finish(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> Path:
    units = None
    if isinstance(prepared, Prepared):
        result, units = best_of_n_result(prepared, scored, analysis)
    else:
        result = step_result(prepared, scored, analysis)
    folder = write_result(prepared, scored, analysis, result, units)
    click.echo(summary(result))
    click.echo(f"written to {folder}")
    return folder


def _requests(names: Sequence[str], request: Request) -> list[tuple[Found[BaseTask], Request]]:
    """Each task with its request; with "all", `--data` holds a folder per task."""
    if list(names) != ["all"]:
        return [(find_task(name), request) for name in names]
    found = {name: each for name, each in sorted(all_tasks().items()) if not issubclass(each.cls, StepTask)}
    places = task_places(request.data, list(found), click.echo)
    return [(found[name], dataclasses.replace(request, data=place)) for name, place in places.items()]


def _nano(found: Found[BaseTask], request: Request, wanted: Wanted) -> tuple[Request, Wanted]:
    folder = nano_folder(found.cls.name)
    brought = issubclass(found.cls, StepTask) or request.drawing is not None
    pool = None if brought else folder / "simulated-policy.jsonl.gz"
    request = dataclasses.replace(request, data=folder, pool=pool, nano=True)
    if not wanted.critics and wanted.scores is None and request.drawing is None:
        wanted = dataclasses.replace(wanted, scores=folder / f"{NANO_CRITIC}.jsonl.gz")
    return request, wanted


def _plan(found: Found[BaseTask], request: Request, wanted: Wanted) -> str:
    critics = ", ".join(wanted.critics) or str(wanted.scores)
    lines = [f"task      {found.cls.name} (version {found.cls.version})"]
    if issubclass(found.cls, StepTask):
        prepared = prepare_steps(found, request)
        steps = sum(len(each.labels) for each in prepared.solutions)
        lines += [f"data      {prepared.data_origin}: {len(prepared.solutions)} solutions, {steps} steps"]
        notes = prepared.notes
    elif (drawing := plan_drawing(found, request)) is not None:
        lines += _drawing_lines(drawing)
        notes = []
    else:
        planned = plan(found, request, bar)
        sizes = [len(each) for each in planned.rows.values()]
        lines += [
            f"data      {planned.questions.origin}: {len(sizes)} questions with candidates",
            f"pool      {planned.pool.name}: {sum(sizes)} candidates, {min(sizes)} to {max(sizes)} per question",
            f"grading   {'given by the pool' if request.trust_verdicts else request.grading}",
        ]
        if request.judge is not None:
            rows = len(rows_to_judge(planned.task, planned.questions.questions, planned.rows))
            lines.append(f"judge     {request.judge}, asked about {rows} rows")
        notes = planned.notes
    for critic in build_critics(wanted.critics, wanted.settings, request.nano) if wanted.scores is None else ():
        settings: dict[str, Any] = dataclasses.asdict(critic) if dataclasses.is_dataclass(critic) else {}
        lines.append(f"critic    {critic.name} {json.dumps(settings) if settings else ''}".rstrip())
    if wanted.scores is not None:
        lines.append(f"scores    {critics}")
    return "\n".join([*lines, f"output    {request.output}", *(f"note      {note}" for note in notes)])
