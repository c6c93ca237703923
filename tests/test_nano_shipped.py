"""What the miniature world ships: models, questions and candidates that fit each other and can be told to be real."""

import numpy as np
import pytest
from safetensors import safe_open

from vpbench.ablate.gates import within_question_auc
from vpbench.data import load_questions, load_solutions
from vpbench.data.miniature import POOL, nano_folder, nano_model
from vpbench.generate import read_pool
from vpbench.nano.build import CANDIDATES, QUESTIONS
from vpbench.nano.conversations import nano_tasks
from vpbench.plugins import all_critics, all_tasks
from vpbench.run.critics import build_critics
from vpbench.run.request import Request, requests
from vpbench.scoring import load_step_scorer
from vpbench.stats import QuestionPool, step_f1

PRM = next(name for name, plugin in all_critics().items() if plugin.cls.nano_settings.get("model") == "prm")
MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("name", "layers"), [("policy", 4), ("strong-policy", 4), ("pretrained-prm", 6), ("prm", 6), ("orm", 6)]
)
def test_the_models_are_native_checkpoints_of_a_few_megabytes(name: str, layers: int) -> None:
    folder = nano_model(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6 * MEGABYTE
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        stored = {str(file.get_tensor(tensor).dtype) for tensor in file.keys()}  # noqa: SIM118
    assert stored == {"torch.bfloat16"}
    scorer = load_step_scorer(str(folder))
    assert scorer.model.config.text_config.num_hidden_layers == layers
    assert scorer.checkpoint.system_message == "vpbench"


@pytest.mark.parametrize("kind", sorted(nano_tasks()))
def test_every_task_has_its_questions_and_a_pool_for_each(kind: str) -> None:
    task = nano_tasks()[kind]
    folder = nano_folder(task.name)
    questions = load_questions(task, folder).questions
    assert QUESTIONS <= len(questions) < QUESTIONS + 10
    pool = read_pool(folder / POOL)
    assert set(pool.rows) == set(questions)
    assert {len(rows) for rows in pool.rows.values()} == {CANDIDATES}
    assert not any("<|" in row.candidate.response for rows in pool.rows.values() for row in rows)


def test_the_reward_model_tells_right_steps_from_wrong_ones() -> None:
    name = next(name for name, plugin in all_tasks().items() if plugin.cls.nano_kind == "solutions")
    ((plugin, request),) = requests([name], Request(nano=True), print)
    solutions = load_solutions(plugin.cls(), request.data).solutions[:60]
    (critic,) = build_critics([PRM], {}, nano=True)
    scores = [critic.score(solution.question, [solution.candidate])[0].steps or () for solution in solutions]
    assert step_f1([solution.labels for solution in solutions], scores, 0.5).pooled.macro_f1 > 0.8


def test_auc_within_questions_counts_equal_responses_once() -> None:
    correct = np.array([True, True, True, False])
    pool = QuestionPool("q", correct, ("a", "a", "b", "c"), np.array([0.9, 0.9, 0.2, 0.5]))
    settled = QuestionPool("all right", np.array([True, True]), ("a", "a"), np.array([0.1, 0.2]))
    value, questions = within_question_auc([pool, settled], [["x", "x", "y", "z"], ["x", "y"]])
    assert (value, questions) == (0.5, 1)
