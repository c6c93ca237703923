"""The ablations: label sets and their agreement with the truth, verdicts, tables, and a whole run of tiny size."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from vpbench.ablate import critics, labels, policies, published, workshop
from vpbench.ablate.figures import direction, figures_of, verdict
from vpbench.ablate.labels import LabelSet, agreement, questions_folder
from vpbench.ablate.measuring import JudgedSteps, graded_candidates
from vpbench.ablate.run import ablate
from vpbench.ablate.table import AblationTable
from vpbench.ablate.workshop import BASE, MAX_STEPS, POLICY, STRONG_POLICY, Setting, Sizes, Tuned, Workshop
from vpbench.base import Critic
from vpbench.cli import main
from vpbench.data.miniature import nano_model
from vpbench.generate.transformers_model import TransformersModel
from vpbench.models.checkpoint import checkpoint_fingerprint
from vpbench.nano import conversations, datasets, finetune, pictures
from vpbench.nano.datasets import questions_by_id
from vpbench.records import Candidate, Drawn, Question, Score
from vpbench.run.request import Request
from vpbench.stats import Difference, QuestionPool

TINY = Sizes(labelled=1, ns=(2, 4), seeds=1, questions=1)
KIND = "decimal"


@pytest.fixture
def one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only questions of one kind are labelled, with few continuations and small batches."""
    (only,) = [{kind: task} for kind, task in conversations.nano_tasks().items() if kind == KIND]
    for module in (datasets, finetune, labels):
        monkeypatch.setattr(module, "nano_tasks", lambda: only)
    monkeypatch.setattr(labels, "DRAWN", {POLICY: 16})
    monkeypatch.setitem(finetune.SIZES, "batch_size", 2)


def raw_row(questions: dict[tuple[str, str], Drawn], right: Sequence[int], wrong_step: int) -> dict[str, Any]:
    """The reference solution with one step made wrong; `right` of 16 continuations are right after each step."""
    ((task, id), drawn) = next(iter(questions.items()))
    steps = [step if number != wrong_step else f"{step}0" for number, step in enumerate(drawn.solution)]
    counted = [{"step": step, "num_mc_correct": n, "num_mc_total": 16} for step, n in zip(steps, right, strict=True)]
    return {"task": task, "question_id": id, "question": drawn.text, "steps_with_score": counted, "start_mc": 0.25}


@pytest.mark.parametrize(
    ("rule", "threshold", "expected"),
    [
        ("value", 0.0, (6 / 8, 2 / 8, 0.0, 0.0)),
        ("value", 1 / 16, (6 / 8, 1 / 8, 1 / 8, 0.0)),
        ("value", 1 / 4, (4 / 8, 1 / 8, 3 / 8, 0.0)),
        ("advantage", 0.0, (4 / 6, 1 / 6, 1 / 6, 2 / 8)),
    ],
)
def test_labels_are_compared_with_the_truth_about_the_steps(
    tmp_path: Path, one_kind: None, rule: Any, threshold: float, expected: tuple[float, ...]
) -> None:
    questions = questions_by_id(finetune.LABEL_SEED, 1)
    first, second = raw_row(questions, (4, 5, 1, 16), wrong_step=1), raw_row(questions, (4, 5, 1, 16), wrong_step=2)
    (tmp_path / "rows.jsonl").write_text(json.dumps(first) + "\n" + json.dumps(second) + "\n")
    quality = agreement([tmp_path / "rows.jsonl"], rule, threshold, questions)
    shares = (quality.agreed, quality.false_correct, quality.false_incorrect, quality.neutral)
    assert quality.steps == 8
    assert shares == pytest.approx(expected)


def test_label_sets_of_one_policy_rest_on_the_same_continuations(
    tmp_path: Path, one_kind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: Counter[str] = Counter()
    generate = TransformersModel.generate

    def counted(self: TransformersModel, prompts: Sequence[Any]) -> Iterator[Any]:
        drawn["continuations"] += sum(prompt.count for prompt in prompts if prompt.messages[-1].role == "assistant")
        yield from generate(self, prompts)

    monkeypatch.setattr(TransformersModel, "generate", counted)
    shop = Workshop(tmp_path, TINY, lambda _: None)
    (few,) = shop.label_files(LabelSet(4))
    once = drawn["continuations"]
    assert once > 0
    assert once % 16 == 0
    (many,), (stopped,) = shop.label_files(LabelSet(8)), shop.label_files(LabelSet(8, early_stop=True))
    assert shop.label_files(LabelSet(8, rule="advantage")) == [many]
    assert drawn["continuations"] == once
    for small, large, early in zip(*(path.read_text().splitlines() for path in (few, many, stopped)), strict=True):
        counts = [
            [(step["num_mc_correct"], step["num_mc_total"]) for step in json.loads(line)["steps_with_score"]]
            for line in (small, large, early)
        ]
        assert [total for _, total in counts[0]][:-1] == [4] * (len(counts[0]) - 1)
        assert all(few <= many <= few + 4 for (few, _), (many, _) in zip(*counts[:2], strict=True))
        stop = next((number for number, (right, _) in enumerate(counts[1]) if not right), len(counts[1]))
        assert counts[2] == counts[1][: stop + 1] + [(0, 0)] * (len(counts[1]) - stop - 1)


def test_other_questions_pictures_or_rows_have_another_folder(one_kind: None, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = questions_folder(2)
    assert questions_folder(2) == folder
    assert questions_folder(1) != folder
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "CELL", 15)
        assert questions_folder(2) != folder
    (task,) = labels.nano_tasks().values()
    nano_row = type(task).nano_row
    monkeypatch.setattr(type(task), "nano_row", lambda *arguments: {**nano_row(*arguments), "one column": "more"})
    assert questions_folder(2) != folder


def test_label_questions_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def fails(folder: Path, *_: Any) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(folder.name)
        folder.mkdir(parents=True)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(finetune, "write_questions", fails)
        finetune.write_label_questions(tmp_path / "questions")
    assert written
    assert not list(tmp_path.iterdir())
    finetune.write_label_questions(tmp_path / "questions", per_kind=1)
    expected = sorted(task.name for task in conversations.nano_tasks().values())
    assert sorted(path.name for path in (tmp_path / "questions").iterdir()) == expected


@dataclass
class Asked:
    """What a workshop asks of training, critics and candidates."""

    tuned: list[dict[str, Any]] = field(default_factory=list)
    critics: list[dict[str, str]] = field(default_factory=list)
    candidates: list[Request] = field(default_factory=list)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Records what is asked for, and makes nothing."""
    asked = Asked()
    (tmp_path / "rows.jsonl").touch()

    def tune(critic: Any, base: Path, files: Any, folder: Path, *_: Any, **changes: Any) -> None:
        asked.tuned.append({"critic": critic.name, "base": base.name, **changes})
        (folder / "training.json").touch()

    monkeypatch.setattr(Workshop, "label_files", lambda *_: [tmp_path / "rows.jsonl"])
    monkeypatch.setattr(finetune, "tune", tune)
    monkeypatch.setattr(workshop, "build_critics", lambda _, settings, **__: [asked.critics.append(settings)])
    monkeypatch.setattr(workshop, "graded_candidates", asked.candidates.append)
    return asked


def test_every_axis_reaches_what_it_is_of(tmp_path: Path, asked: Asked) -> None:
    shop = Workshop(tmp_path, TINY, lambda _: None)
    prm, orm = (finetune.critic_class(name).name for name in ("prm", "orm"))
    advantage = LabelSet(rule="advantage", threshold=0.25)
    folders = [
        shop.trained(tuned)
        for tuned in (
            Tuned(seed=3, labels=advantage),
            Tuned(),
            Tuned(base=POLICY, learning_rate=4e-4, epochs=4),
            Tuned(model="orm"),
        )
    ]
    assert len(set(folders)) == 4
    plain = {"seed": 0, "label_rule": "value", "mc_threshold": 0.0}
    assert asked.tuned == [
        {"critic": prm, "base": BASE, "seed": 3, "label_rule": "advantage", "mc_threshold": 0.25},
        {"critic": prm, "base": BASE, **plain},
        {"critic": prm, "base": POLICY, "learning_rate": 4e-4, "epochs": 4, **plain},
        {"critic": orm, "base": BASE, "seed": 0},
    ]
    shop.candidates()
    shop.candidates(STRONG_POLICY, 1.3)
    first, second = (request.drawing for request in asked.candidates)
    assert first is None
    assert second is not None
    assert (second.policy, second.sampling.temperature) == (str(nano_model(STRONG_POLICY)), 1.3)
    assert second.samples == TINY.ns[-1]
    shop.critic(Tuned(seed=3, labels=advantage), 3)
    shop.critic(Tuned(labels=None))
    assert asked.critics == [
        {"model": str(folders[0] / "native"), "max_steps": "3"},
        {"model": str(nano_model(BASE)), "max_steps": str(MAX_STEPS)},
    ]


def test_figures_are_of_the_setting_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(Tuned(seed=3), aggregate="min", max_steps=3, policy=STRONG_POLICY, temperature=1.3)
    calls: list[Any] = []
    candidates = SimpleNamespace(
        scores=lambda critic: [critic], pools=lambda scores, how: calls.append((scores, how)) or [], clusters=[]
    )
    monkeypatch.setattr(Workshop, "critic", lambda _, *arguments: arguments)
    monkeypatch.setattr(Workshop, "candidates", lambda _, *arguments: calls.append(arguments) or candidates)
    Workshop(tmp_path, TINY, lambda _: None).figures(setting)
    assert calls == [(STRONG_POLICY, 1.3), ([(Tuned(seed=3), 3)], "min")]


@pytest.mark.parametrize(
    ("longest", "expected"), [(13, [12, 6, 13, 3, 2]), (7, [12, 6, 12, 3, 2]), (3, [12] * 4 + [2])]
)
def test_merging_is_the_base_row_only_where_the_steps_are(
    longest: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n\n".join(["step"] * longest)
    shop: Any = SimpleNamespace(
        candidates=lambda: SimpleNamespace(texts=[["one step", text]]), figures=lambda setting: setting.max_steps
    )
    monkeypatch.setattr(critics, "compared", lambda _shop, _name, _title, rows, notes: (rows, notes))
    ((rows, (note,)),) = critics.merging(shop)
    assert [used for _, used, _ in rows] == expected
    assert "no merging 0.0%" in note
    assert f"the longest has {longest} steps" in note


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (Difference(-0.02, -0.03, -0.01, 0.001), ("holds", "lower")),
        (Difference(0.02, 0.01, 0.03, 0.001), ("doesn't hold", "higher")),
        (Difference(-0.02, -0.05, 0.01, 0.2), ("can't be told", "can't be told")),
        (Difference(-0.02, -0.05, 0.0, 0.05), ("can't be told", "can't be told")),
        (Difference(0.0, 0.0, 0.0, 1.0), ("can't be told", "no change")),
    ],
)
def test_verdicts_follow_the_interval(here: Difference, expected: tuple[str, str]) -> None:
    assert (verdict(-0.7, here), direction(here)) == expected


def test_a_change_within_the_spread_of_seeds_is_told_so() -> None:
    here = Difference(-0.02, -0.03, -0.01, 0.001)
    assert verdict(-0.7, here, 0.03) == "holds, but no more than another seed may change"
    assert direction(here, 0.01) == "lower"


def test_figures_and_their_differences() -> None:
    correct = [np.array([True, False, False, False]), np.array([True, True, False, False])]
    scores = ([0.9, 0.1, 0.2, 0.3], [0.1, 0.2, 0.9, 0.8])
    good = [QuestionPool(f"{n}", right, (None,) * 4, right.astype(float)) for n, right in enumerate(correct)]
    mixed = [QuestionPool(f"{n}", right, (None,) * 4, np.array(scores[n])) for n, right in enumerate(correct)]
    judged = JudgedSteps([[1, -1], [1, 1]], [[0.9, 0.2], [0.8, 0.4]])
    one = figures_of(good, (1, 4), ["a", "b"], judged)
    two = figures_of(mixed, (1, 4), ["a", "b"], None)
    assert one.best.tolist() == [[0.25, 1.0], [0.5, 1.0]]
    assert one.random.tolist() == [[0.25, 0.25], [0.5, 0.5]]
    assert two.best[:, 1].tolist() == [1.0, 0.0]
    assert one.macro_f1 == pytest.approx(100 * (0.8 + 2 / 3) / 2)
    assert one.auc == 1.0
    steps, *best = one.minus(two)
    assert steps is None
    assert [difference.value for difference in best if difference] == [0.0, 0.5]
    assert two.macro_f1 is None


@dataclass(frozen=True)
class Lengths(Critic):
    """Scores a response by its length, and remembers what it was asked."""

    name: ClassVar[str] = "lengths"
    title: ClassVar[str] = "Lengths"
    asked: list[list[str]] = field(default_factory=list, compare=False)

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        self.asked.append([candidate.response for candidate in candidates])
        return [Score(float(len(candidate.response))) for candidate in candidates]


def test_equal_responses_are_scored_once_and_all_have_their_score(tmp_path: Path) -> None:
    candidates = graded_candidates(Request(nano=True, limit=1, output=tmp_path))
    critic = Lengths()
    pools = candidates.pools(candidates.scores(critic))
    assert len(pools) == len(candidates.texts) == len(critic.asked)
    for pool, texts, asked in zip(pools, candidates.texts, critic.asked, strict=True):
        assert sorted(asked) == sorted(set(texts))
        assert len(asked) < len(texts)
        assert pool.scores is not None
        assert pool.scores.tolist() == [len(text) for text in texts]


def test_published_changes_are_from_their_own_base_rows() -> None:
    assert (published.ADVANTAGE.best_change, published.ADVANTAGE.f1_change) == (-3.7, -7.0)
    assert published.OUTCOME_LABELS.best_change == -1.5
    assert published.RANDOM.f1_change is None


def test_a_table_shows_only_columns_that_hold_anything() -> None:
    rows = [("base", 50.0, None, None), ("other", 51.0, Difference(0.01, -0.01, 0.03, 0.2), None)]
    table = AblationTable("name", "Title", ("row", "best, %", "minus base, points", "paper"), rows, ["A line."])
    assert "| row | best, % | minus base, points |\n" in table.markdown()
    assert "| base | 50.0 |  |" in table.markdown()
    assert "| other | 51.0 | +1.0 [-1.0, +3.0] p 0.2000 |" in table.markdown()
    other = table.data()["rows"][1]
    assert other["paper"] is None
    assert other["minus base, points"] == pytest.approx({"value": 1.0, "low": -1.0, "high": 3.0, "p_value": 0.2})


def test_a_curve_that_falls_is_told_to_fall() -> None:
    rng = np.random.default_rng(1)
    flat, high = rng.uniform(0.4, 0.6, (60, 3)), np.array([0.5, 0.8, 0.3])

    def curves(critic: Any) -> dict[str, Any]:
        return {"process reward model": critic, "majority vote": flat, "random": flat, "oracle": flat}

    candidates = SimpleNamespace(clusters=[str(number) for number in range(60)])
    shop: Any = SimpleNamespace(candidates=lambda: candidates, sizes=Sizes(ns=(2, 4)))
    by_temperature = {0.7: curves(flat + [0.0, 0.1, 0.3]), 1.0: curves(flat * 0.1 + high)}
    table = policies._changes(shop, by_temperature, (1, 2, 4))
    assert table.lines[1] == "Over-optimisation, from N = 2 to 4: 0.7: rises; 1: falls."
    assert [row[-2] for row in table.rows] == [4, 2]
    assert table.lines[0] == "The paper's direction here, Best-of-2: 1 (-0.2): doesn't hold."


def test_a_tiny_run_writes_its_tables_and_makes_nothing_twice(
    tmp_path: Path, one_kind: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = {"early stop": (LabelSet(early_stop=True), published.EARLY_STOP)}
    monkeypatch.setattr(critics, "label_sets", lambda: sets)
    experiments = (critics.base, critics.labels)
    done: list[str] = []
    first = ablate(tmp_path, done.append, TINY, experiments)
    assert sum("training" in line for line in done) == 2
    text, data = first[0].read_text(), json.loads(first[1].read_text())
    assert "| early stop |" in text
    assert "step macro-F1: early stop (-0.4)" in text
    assert [table["name"] for table in data["tables"]] == ["base", "labels", "label_quality"]
    assert data["sizes"]["ns"] == [2, 4]
    assert set(data["models"]) >= {POLICY, BASE}
    again: list[str] = []
    second = ablate(tmp_path, again.append, TINY, experiments)
    assert not any("training" in line for line in again)
    assert (second[0].read_text(), json.loads(second[1].read_text())) == (text, data)
    for path in tmp_path.glob("training/*/training.json"):
        path.unlink()
    stopped: list[str] = []
    ablate(tmp_path, stopped.append, TINY, (critics.base,))
    assert sum("training" in line for line in stopped) == 1
    assert json.loads(first[1].read_text())["tables"] == data["tables"][:1]


def test_finished_tables_stay_until_others_are_finished(tmp_path: Path) -> None:
    def finished(_: Workshop) -> list[AblationTable]:
        return [AblationTable("new", "New", ("row",), [("one",)])]

    def stopped(_: Workshop) -> list[AblationTable]:
        raise KeyboardInterrupt

    (tmp_path / "ablation.md").write_text("all of it")
    with pytest.raises(KeyboardInterrupt):
        ablate(tmp_path, lambda _: None, TINY, (finished, stopped))
    assert (tmp_path / "ablation.md").read_text() == "all of it"
    assert not (tmp_path / "ablation.json").exists()
    assert "## New" in (tmp_path / "ablation.partial.md").read_text()
    ablate(tmp_path, lambda _: None, TINY, (finished,))
    assert "## New" in (tmp_path / "ablation.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ablation.json", "ablation.md"]


def test_the_command_says_what_it_does() -> None:
    output = CliRunner().invoke(main, ["ablate", "nano", "--help"]).output
    assert "2503.10291" in output
    assert "--output" in output


def test_the_documented_tables_are_of_the_shipped_models() -> None:
    page = (Path(__file__).parent.parent / "docs" / "ablation.md").read_text()
    models = {name: checkpoint_fingerprint(nano_model(name))[:12] for name in (POLICY, STRONG_POLICY, BASE)}
    assert dict(re.findall(r"([a-z-]+) `([0-9a-f]{12})`", page)) == models
