"""A real language model instead of random weights: engine against plain forward, the policy, a training step.

Real weights have what small random ones lack: outliers in the activations, 30 layers, long prompts of real text.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from vpbench import Candidate, Question
from vpbench.generate import Message, Prompt, Sampling, load_generator
from vpbench.plugins import find_critic
from vpbench.scoring.label_logits import plain_engine
from vpbench.scoring.shared_prefix import SharedPrefixEngine

FOLDER = Path(os.environ.get("VPBENCH_REAL", Path(__file__).resolve().parents[1] / "runs" / "real" / "smollm2-135m"))
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no {FOLDER}; scripts/real-lm makes it from PyPI, .ci/run does so"),
]
ASKED = "Tom has 3 boxes of 12 pencils. He gives 7 pencils to Ann and half of the rest to Ben. How many has he left?"
SOLUTIONS = (
    ("Tom has 3 x 12 = 36 pencils.", "After Ann he has 36 - 7 = 29.", "Half of 29 is 14.5, so 14 or 15 are left."),
    ("Tom has 3 + 12 = 15 pencils.", "After Ann he has 15 - 7 = 8.", "Half of 8 is 4.", "The answer is 4."),
    ("There are 36 pencils.\n\nAnn takes 7: $36-7=29$.", "Ben takes \\(29/2\\).", "Answer: 14.5"),
)


@pytest.fixture(scope="module")
def critic() -> Any:
    return find_critic("text-prm").cls(model=str(FOLDER), dtype="float32", device="cpu")


def test_the_engine_gives_the_plain_forward_of_real_weights(critic: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the engine warns where it falls back to plain forwards
        scores = critic.score(
            Question("t", "1", ASKED),
            [Candidate("1", number, "", steps=steps) for number, steps in enumerate(SOLUTIONS)],
        )
    scorer = critic.base_scorer(str(FOLDER))
    model = scorer.model.float()
    prompts = [scorer.prompt(ASKED, steps, []) for steps in SOLUTIONS]
    labels = [scorer.tokenizer.token_id(sign) for sign in "+-"]
    for prompt, score in zip(prompts, scores, strict=True):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt.ids])).logits[0, list(prompt.readouts)][:, labels]
        assert score.steps == pytest.approx(logits.softmax(-1)[:, 0].tolist(), abs=1e-5)
    shared, plain = (dict(engine(model, prompts, None, -1)) for engine in (SharedPrefixEngine(), plain_engine))
    for number, states in plain.items():
        assert float((shared[number] - states).norm() / states.norm()) < 1e-5


def test_the_policy_samples_and_its_likelihood_prefers_sense() -> None:
    policy: Any = load_generator(str(FOLDER), {"dtype": "float32"})
    prompt = Prompt((Message("user", "What is the capital of France?"),), Sampling(max_tokens=24), 4, 1)
    ((_, first), *others) = [(position, answer) for position, answer in policy.generate([prompt])]
    answers = [first, *(answer for _, answer in others)]
    assert len(answers) == 4 and all(answer.error is None and answer.text.strip() for answer in answers)
    assert any("Paris" in answer.text for answer in answers)
    again = [answer.text for _, answer in policy.generate([prompt])]
    assert again == [answer.text for answer in answers]
    likelihood = find_critic("likelihood").cls(model=str(FOLDER), dtype="float32", device="cpu", prompt="question")
    candidates = [
        Candidate("1", 0, "The capital of France is Paris."),
        Candidate("1", 1, "The France is capital Paris of."),
    ]
    sense, nonsense = likelihood.score(Question("t", "1", "What is the capital of France?"), candidates)
    assert sense.value > 2 * nonsense.value


def test_a_step_of_training_teaches_what_it_shows(tmp_path: Path) -> None:
    from vpbench import Recipe
    from vpbench.progress import bar
    from vpbench.train.run import train_critic
    from vpbench.train.settings import TrainingRun

    rows = [{"question": ASKED, "steps": list(SOLUTIONS[1]), "labels": [-1, None, None, None]}]
    rows.append({"question": ASKED, "steps": list(SOLUTIONS[0]), "labels": [1, 1, 1]})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = Recipe(until_first_error=True, batch_size=2, epochs=4, learning_rate=1e-4, frozen_layers=20, packing=False)
    run = TrainingRun(str(FOLDER), (tmp_path / "rows.jsonl",), tmp_path / "trained")
    (folder,) = train_critic(find_critic("text-prm").cls(), run, recipe, bar, lambda _: None)
    log = json.loads((tmp_path / "trained" / "training.json").read_text())["log"]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert losses[-1] < losses[0] / 2
    assert {path.name for path in folder.iterdir()} >= {"model.safetensors", "tokenizer.json", "config.json"}
