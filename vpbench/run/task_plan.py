"""What there is of a task before anything is fetched, drawn or scored: questions, candidates, what rows are kept under.

Lengths are estimates: a question and a response in characters where nobody has counted tokens, an image as all the
tiles that it may become.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from vpbench.base import BaseTask, Critic, StepTask
from vpbench.errors import MissingPackages
from vpbench.generate import Generator, Pool, read_pool
from vpbench.models.checkpoint import NotFetched
from vpbench.plugins import Plugin
from vpbench.progress import no_bar
from vpbench.records import Candidate, Question
from vpbench.run.at_hand import PIXELS_OF_TOKEN, TILE_TOKENS, data_in_cache
from vpbench.run.candidates import CandidatePlan, plan_drawing, rows_key
from vpbench.run.models import Models
from vpbench.run.pipeline import prepare_steps
from vpbench.run.policy import SamplePlan
from vpbench.run.prepared import PreparedSteps
from vpbench.run.request import Request
from vpbench.run.scorers import Scorer
from vpbench.run.study import Asked, Study, candidates_of
from vpbench.store import CANDIDATES, kept_rows, key_hash

CHARACTERS = 4
"""Of a token; text of mathematics in English has 3 to 4.5."""
UNKNOWN_QUESTION = 800
"""Characters of a question that isn't there to be counted."""
MAX_TILES = 12
"""Tiles of an image where a model has no setting of its own for it."""

ByQuestion = Mapping[str, Sequence[Candidate]]


@dataclass(frozen=True)
class TaskPlan:
    """A task with what there is of its candidates: to be drawn, brought by a pool, a step task's own.

    `work` is a `Pool` where the pool is there and the data isn't, None where neither is.
    """

    plugin: Plugin[BaseTask]
    request: Request
    work: SamplePlan | CandidatePlan | PreparedSteps | Pool | None

    @property
    def lacks_data(self) -> bool:
        """Whether the data set would have to come from the hub."""
        return self.work is None or isinstance(self.work, Pool)


@dataclass(frozen=True)
class Load:
    """The candidates of a task: how many of how many questions, those that are `there`, and their lengths.

    `characters` and `images` are a question's, `response` is a response's tokens (None: nothing tells), `longest`
    whether these are the most that are allowed. `key` and `origin` are what their scores are kept under, None where
    that can't be known yet.
    """

    questions: int
    candidates: int
    there: ByQuestion
    characters: float
    images: float
    response: float | None
    longest: bool = False
    key: Mapping[str, Any] | None = None
    origin: str = ""

    def prompt(self, model: Critic | Generator) -> float:
        """The tokens of a question for this model, at most."""
        sees = getattr(model, "needs_images", True) and not getattr(model, "ignore_images", False)
        tiles, pixels = getattr(model, "max_tiles", MAX_TILES) + 1, getattr(model, "max_pixels", None)
        image = tiles * TILE_TOKENS if pixels is None else pixels / PIXELS_OF_TOKEN
        return self.characters / CHARACTERS + sees * self.images * image


def task_plan(asked: Asked, study: Study, files: Sequence[Scorer], models: Models) -> TaskPlan:
    """What there is of a task, nothing being fetched or drawn; scores from files are checked. Raises `VpbenchError`."""
    plugin, request = asked
    work: SamplePlan | CandidatePlan | PreparedSteps | Pool | None = None
    there = request.data is not None or data_in_cache(plugin.cls.source)
    if request.pool is not None:
        pool = None if there else read_pool(request.pool)
        brings_questions = pool is None or pool.question_fields.keys() >= pool.rows.keys()
        work = candidates_of(asked, study.analysis, files, no_bar, models) if brings_questions else pool
    elif there:
        step_task = issubclass(plugin.cls, StepTask)
        work = prepare_steps(plugin, request) if step_task else plan_drawing(plugin, request, models)
    return TaskPlan(plugin, request, work)


def load_of(planned: TaskPlan) -> Load:
    """The task's candidates and their lengths. Raises `ConfigError` for a policy that can't be had."""
    work, request, source = planned.work, planned.request, planned.plugin.cls.source
    if isinstance(work, PreparedSteps):
        return _of_candidates(work.questions, work.candidates, work.key, work.origin)
    if isinstance(work, CandidatePlan):
        candidates = {id: [row.candidate for row in rows] for id, rows in work.rows.items()}
        return _of_candidates(work.used_questions, candidates, work.key, work.pool.name)
    if isinstance(work, SamplePlan):
        return _of_drawing(work)
    images = len(source.image_columns)
    if isinstance(work, Pool):
        there = {id: [row.candidate for row in rows] for id, rows in list(work.rows.items())[: request.limit]}
        count = sum(map(len, there.values()))
        return Load(len(there), count, there, UNKNOWN_QUESTION, images, _mean_tokens(there))
    questions = min(source.rows, request.limit or source.rows)
    if request.drawing is None:
        return Load(questions, questions, {}, UNKNOWN_QUESTION, images, None)
    longest = request.drawing.sampling.max_tokens
    return Load(questions, questions * request.drawing.samples, {}, UNKNOWN_QUESTION, images, longest, True)


def _of_drawing(planned: SamplePlan) -> Load:
    questions, samples = planned.questions.questions, planned.drawing.samples
    there: dict[str, list[Candidate]] = {id: [] for id in planned.asked}
    key = None
    try:
        rows, key = kept_rows(planned.folder, "candidates"), planned.key
    except (NotFetched, MissingPackages):
        rows = {}
    for (id, index), row in rows.items():
        if id in there and index < samples and row["error"] is None:
            candidate = CANDIDATES.from_row(row, question_id=id, index=index, policy=planned.drawing.policy)
            there[id].append(candidate)
    mean = _mean_tokens(there)
    return Load(
        questions=len(there),
        candidates=len(there) * samples,
        there=there,
        characters=fmean(len(planned.prompts[id]) for id in there),
        images=fmean(len(questions[id].images) for id in there),
        response=planned.drawing.sampling.max_tokens if mean is None else mean,
        longest=mean is None,
        key=key and rows_key(planned.task, planned.questions.fingerprint, {"candidates": key_hash(key)}),
        origin=planned.drawing.name,
    )


def _of_candidates(
    questions: Mapping[str, Question], candidates: ByQuestion, key: Mapping[str, Any], origin: str
) -> Load:
    return Load(
        questions=len(questions),
        candidates=sum(map(len, candidates.values())),
        there=candidates,
        characters=fmean(len(question.text) for question in questions.values()),
        images=fmean(len(question.images) for question in questions.values()),
        response=_mean_tokens(candidates),
        key=key,
        origin=origin,
    )


def _mean_tokens(candidates: ByQuestion) -> float | None:
    """The mean length of the responses in tokens, None without any."""
    lengths = [
        candidate.tokens or len(candidate.response or "".join(candidate.steps or ())) / CHARACTERS
        for rows in candidates.values()
        for candidate in rows
    ]
    return fmean(lengths) if lengths else None
