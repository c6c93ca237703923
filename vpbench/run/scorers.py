"""What gives the scores of a study's rows: a critic that is run, or a file of scores that it wrote elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vpbench.base import BaseTask, Critic
from vpbench.errors import ConfigError, DataError
from vpbench.pools.roots import task_file
from vpbench.pools.scores import GivenScores, read_scores
from vpbench.progress import Echo, Progress
from vpbench.records import Candidate, Question
from vpbench.run.analysis import Analysis, check_aggregation
from vpbench.run.candidates import CandidatePlan
from vpbench.run.critics import build_critic, critic_key
from vpbench.run.entries import CriticEntry, check_names
from vpbench.run.given import notes_on_given, rows_given
from vpbench.run.pipeline import score, use_scores
from vpbench.run.prepared import Prepared, PreparedSteps, Scored
from vpbench.run.request import Request

ByQuestion = Mapping[str, Sequence[Candidate]]


class CriticScorer:
    """A critic, built and identified at once, so that a missing checkpoint is told before candidates are drawn."""

    def __init__(self, entry: CriticEntry, nano: bool, progress: Progress, echo: Echo) -> None:
        self._critic: Critic = build_critic(entry, nano)
        critic_key(self._critic)
        self.entry, self._progress, self._echo = entry, progress, echo
        self._make_ready = functools.cache(self._critic.prepare)
        self.name = entry.label or self._critic.name

    def check_analysis(self, analysis: Analysis) -> None:
        """Raises `ConfigError` for a weighted vote of scores without bounds that nothing makes weights of.

        So it does for a critic that names an aggregation which doesn't exist.
        """
        check_aggregation(self._critic.aggregation)
        selection = analysis.selection or self._critic.selection
        if self._critic.unbounded and selection == "weighted-vote" and analysis.link is None:
            raise ConfigError(
                f"critic {self.name}: a weighted vote can't add scores without bounds; name a link that makes weights "
                "of them (--link sigmoid), or choose --selection best"
            )

    def check(self, planned: CandidatePlan, request: Request) -> None:
        """Raises `DataError` for a response whose text the pool withholds, so that there is nothing to score."""
        if self._critic.selection == "vote":
            return
        for rows in planned.rows.values():
            for row in rows:
                if row.candidate.withheld:
                    raise DataError(
                        f"{row.where}: a candidate without `response`, which {self.name} would have to read; add it, "
                        "or give scores that were computed elsewhere by --scores FILE"
                    )

    def scored(self, prepared: Prepared | PreparedSteps) -> Scored:
        """The scores of the prepared rows; the first call that has something to score loads the checkpoint.

        Raises `CriticError`, `TooManyFailures`, `PluginError`.
        """
        return score(prepared, self._critic, self._progress, self._make_ready, self._echo, label=self.entry.label)


@dataclass
class FileScorer:
    """Scores from files, one for each task, read at once."""

    name: str
    files: Mapping[str, GivenScores]
    entry: CriticEntry
    _notes: dict[str, list[str]] = field(default_factory=dict)

    def check(self, planned: CandidatePlan, request: Request) -> None:
        """Look, before anything is graded, at what is to be scored. Raises `DataError`, `TooManyFailures`."""
        candidates = {id: [row.candidate for row in rows] for id, rows in planned.pool.rows.items()}
        questions = planned.questions
        self._check(planned.task, questions.questions, questions.origin, candidates, request)
        rows_given(self.files[planned.task.name], {id: candidates[id] for id in planned.rows}, request.max_error_rate)

    def check_analysis(self, analysis: Analysis) -> None:
        """Takes every analysis: what scores of a file mean isn't known."""

    def check_steps(self, prepared: PreparedSteps) -> None:
        """`check` of a step task. Raises `DataError`."""
        self._check(prepared.task, prepared.questions, prepared.data_origin, prepared.candidates, prepared.request)

    def scored(self, prepared: Prepared | PreparedSteps) -> Scored:
        """The scores of the prepared rows. Raises `DataError`, `TooManyFailures`."""
        task = prepared.task.name
        return use_scores(prepared, self.files[task], self.name, self.entry.label, self._notes.get(task, []))

    def _check(
        self, task: BaseTask, questions: Mapping[str, Question], origin: str, candidates: ByQuestion, request: Request
    ) -> None:
        self._notes[task.name] = notes_on_given(self.files[task.name], task, questions, origin, candidates, request)


Scorer = CriticScorer | FileScorer
"""Gives the scores of one row of the study, its `entry`; `name` is what the row is called."""


def scorers(
    entries: Sequence[CriticEntry], tasks: Sequence[str], nano: bool, progress: Progress, echo: Echo
) -> list[Scorer]:
    """What scores the rows, in their order. Raises `ConfigError`, `CriticError`, `DataError`."""
    rows: list[Scorer] = [
        _file_scorer(entry, tasks) if entry.scores is not None else CriticScorer(entry, nano, progress, echo)
        for entry in entries
    ]
    check_names(row.name for row in rows)
    return rows


def _file_scorer(entry: CriticEntry, tasks: Sequence[str]) -> FileScorer:
    assert entry.scores is not None
    if not entry.scores.is_dir():
        given = read_scores(entry.scores)
        return FileScorer(entry.label or given.name, dict.fromkeys(tasks, given), entry)
    files = {task: read_scores(_file_of(entry.scores, task)) for task in tasks}
    return FileScorer(entry.label or entry.scores.resolve().name, files, entry)


def _file_of(root: Path, task: str) -> Path:
    file = task_file(root, task)
    if file is None:
        raise ConfigError(f"--scores {root}: no file for task {task!r}; add {root / f'{task}.jsonl'} or leave it out")
    return file
