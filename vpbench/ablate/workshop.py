"""What the experiments share: label files, tuned critics, candidates and figures, each made once and then read.

Everything lies under one output folder, in folders named by all that determines their content, so that another model
or label has a folder of its own.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from vpbench.ablate.figures import Figures, figures_of
from vpbench.ablate.labels import LabelSet, questions_folder
from vpbench.ablate.measuring import Candidates, graded_candidates, judged_steps
from vpbench.base import Critic
from vpbench.data.miniature import nano_model
from vpbench.generate import Sampling
from vpbench.labels.labelling import Labelling
from vpbench.nano import finetune
from vpbench.nano.build import CANDIDATE_SEED
from vpbench.nano.datasets import questions_by_id
from vpbench.progress import bar
from vpbench.records import Drawn
from vpbench.run.critics import build_critics
from vpbench.run.policy import Drawing
from vpbench.run.request import Request
from vpbench.store import folder_name
from vpbench.train.run import recipe_of
from vpbench.train.settings import run_identity

POLICY, STRONG_POLICY, BASE = "policy", "strong-policy", "pretrained-prm"
"""Models of the miniature world; every process reward model is tuned from `BASE`."""
TEMPERATURE = 0.7
"""At which the shipped candidates were drawn."""
MAX_STEPS = 12


@dataclass(frozen=True)
class Sizes:
    """Questions of each kind to label; two values of N, powers of two, the second the number of candidates drawn; seeds
    of the base row; and the shipped questions that are used of each task (None: all)."""

    labelled: int = finetune.QUESTIONS_PER_KIND
    ns: tuple[int, int] = (8, 128)
    seeds: int = 5
    questions: int | None = None


@dataclass(frozen=True, slots=True)
class Tuned:
    """A checkpoint: `base` tuned by the recipe of the critic `model` on `labels` (None: as it is); `learning_rate` and
    `epochs` are those of `finetune.SIZES` and the recipe where they are None."""

    labels: LabelSet | None = LabelSet()
    base: str = BASE
    model: str = "prm"
    seed: int = 0
    learning_rate: float | None = None
    epochs: int | None = None

    def changes(self) -> dict[str, Any]:
        """What differs from the recipe in the sizes of `finetune.SIZES`."""
        settings: dict[str, Any] = {"seed": self.seed, "learning_rate": self.learning_rate, "epochs": self.epochs}
        if self.model == "prm" and self.labels is not None:
            settings |= {"label_rule": self.labels.rule, "mc_threshold": self.labels.threshold}
        return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Setting:
    """A checkpoint and how it is used: on whose candidates, merged to how many steps, aggregated how."""

    tuned: Tuned = Tuned()
    aggregate: str = "mean"
    max_steps: int = MAX_STEPS
    policy: str = POLICY
    temperature: float = TEMPERATURE


@dataclass(frozen=True)
class Workshop:
    """Makes what experiments need, once; `echo` prints what is being made."""

    output: Path
    sizes: Sizes
    echo: Callable[[str], None]
    _made: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def label_questions(self) -> dict[tuple[str, str], Drawn]:
        """The questions to be labelled, by task and id."""
        return questions_by_id(finetune.LABEL_SEED, self.sizes.labelled)

    @cached_property
    def _questions(self) -> Path:
        folder = self.output / questions_folder(self.sizes.labelled)
        finetune.write_label_questions(folder, per_kind=self.sizes.labelled)
        return folder

    def label_files(self, labels: LabelSet) -> Sequence[Path]:
        """Raw rows, a file for each task; rule and threshold are applied when they are read."""
        files: Sequence[Path] = ()
        for monte_carlo in labels.draws():
            key = (labels.policy, monte_carlo)
            if key not in self._made:
                stop = ", early stop" * monte_carlo.early_stop
                self.echo(f"labelling      {labels.policy}, {monte_carlo.continuations} continuations{stop}")
                policy, labelling = nano_model(labels.policy), Labelling(monte_carlo)
                self._made[key] = finetune.label(self._questions, policy, labelling, self.output, bar, _silent)
            files = self._made[key]
        return files

    def trained(self, tuned: Tuned) -> Path:
        """The folder of a finished training run; one that was stopped starts again."""
        assert tuned.labels is not None
        critic, base, files = finetune.critic_class(tuned.model), nano_model(tuned.base), self.label_files(tuned.labels)
        changes = tuned.changes()
        recipe = replace(recipe_of(critic), **{**finetune.SIZES, **changes})
        identity = run_identity(critic(), base, str(base), files, recipe, processes=1)
        folder = self.output / "training" / folder_name(critic.name, key=asdict(identity))
        if not (folder / "training.json").exists():
            self.echo(f"training       {tuned.model} from {tuned.base}, seed {tuned.seed}, {tuned.labels}")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with (
                (folder / "log.txt").open("w", encoding="utf-8") as log,
                contextlib.redirect_stdout(log),
                contextlib.redirect_stderr(log),
            ):
                finetune.tune(critic, base, files, folder, bar, partial(print, file=log), **changes)
        return folder

    def losses(self, tuned: Tuned) -> list[float]:
        """The loss of every logged step of the training."""
        log = json.loads((self.trained(tuned) / "training.json").read_text(encoding="utf-8"))["log"]
        return [entry["loss"] for entry in log if "loss" in entry]

    def candidates(self, policy: str = POLICY, temperature: float = TEMPERATURE) -> Candidates:
        """Candidates of the shipped questions: the shipped ones, or such as the sample stage draws."""
        key = ("candidates", policy, temperature)
        if key not in self._made:
            drawing = None
            if (policy, temperature) != (POLICY, TEMPERATURE):
                self.echo(f"drawing        {policy} at temperature {temperature:g}")
                sampling, model = Sampling(temperature=temperature), str(nano_model(policy))
                drawing = Drawing(model, {}, self.sizes.ns[-1], sampling, seed=CANDIDATE_SEED, prompt="question")
            self._made[key] = graded_candidates(replace(self._request, drawing=drawing))
        candidates: Candidates = self._made[key]
        return candidates

    def critic(self, tuned: Tuned, max_steps: int = MAX_STEPS) -> Critic:
        """The critic of a checkpoint."""
        folder = nano_model(tuned.base) if tuned.labels is None else self.trained(tuned) / "native"
        settings = {"model": str(folder)}
        if tuned.model == "prm":
            settings["max_steps"] = str(max_steps)
        return build_critics([finetune.critic_class(tuned.model).name], settings, nano=True)[0]

    def figures(self, setting: Setting = Setting()) -> Figures:
        """Best-of-N; with process labels also step figures, which depend on the checkpoint alone."""
        if setting not in self._made:
            critic = self.critic(setting.tuned, setting.max_steps)
            candidates = self.candidates(setting.policy, setting.temperature)
            pools = candidates.pools(candidates.scores(critic), setting.aggregate)
            # Steps are scored once for a checkpoint: how it is used changes none of their scores.
            steps = setting.tuned.model == "prm" and setting == Setting(setting.tuned)
            judged = judged_steps(critic, self._request) if steps else None
            self._made[setting] = figures_of(pools, self.sizes.ns, candidates.clusters, judged)
        figures: Figures = self._made[setting]
        return figures

    @property
    def _request(self) -> Request:
        return Request(nano=True, limit=self.sizes.questions, output=self.output)


def _silent(_: str) -> None:
    pass
