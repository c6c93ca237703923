"""Text-only reward models with a head of their own against what their authors' code returned (`golden/critics/*`).

A folder's cases go to the critic whose file is called as `CRITICS` says, by the pattern of the folder's name. Token ids
and read-outs have to be exact, scores within 2e-5 in float32. Cases of one checkpoint that share their question are
scored together, by the engine that runs what they share once, and have to be within 1e-5 of one forward each.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from shared_data import SHARED, compared, shared_files

from vpbench import Candidate, Question
from vpbench.plugins import find_critic
from vpbench.scoring.backend import LocalBackend
from vpbench.scoring.label_logits import plain_engine
from vpbench.scoring.shared_prefix import SharedPrefixEngine
from vpbench.scoring.step_scorer import StepScores

SCORE_TOLERANCE, LOGIT_TOLERANCE, ENGINE_TOLERANCE = 2e-5, 1e-4, 1e-5
CRITICS = {
    "qwen_math_prm": "qwen-math-prm",
    "trl_token_classification": "token-prm",
    "skywork_o1_prm": "skywork-o1-prm",
}
pytestmark = pytest.mark.filterwarnings("error:the shared-prefix engine")

Case = dict[str, Any]


def _cases() -> Iterator[Any]:
    for family in CRITICS:
        for path in sorted(SHARED.glob(f"golden/**/{family}*/**/cases*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                case = json.loads(line)
                name = f"{path.parent.relative_to(SHARED / 'golden').as_posix()}-{case['id']}"
                yield pytest.param(family, path.parent, case, id=name)


CASES = list(_cases())


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@lru_cache
def _critic(family: str, checkpoint: Path, settings: tuple[tuple[str, Any], ...]) -> Any:
    cls: Any = find_critic(CRITICS[family]).cls
    critic = cls(model=str(checkpoint), dtype="float32", device="cpu", **dict(settings))
    critic.prepare()
    return critic


def _made(family: str, folder: Path, case: Case, **settings: Any) -> Any:
    """The critic of a case, made of a checkpoint's folder and settings as a run makes it."""
    if family == "trl_token_classification":
        settings["separator"] = case["separator"].replace("\n", "\\n")
    elif case.get("system") is not None:
        settings["system_message"] = case["system"]
    critic = _critic(family, folder / case["variant"], tuple(sorted(settings.items())))
    assert isinstance(critic._scorer.backend.engine, SharedPrefixEngine)
    return critic


def _candidate(case: Case, index: int = 0) -> Candidate:
    steps = tuple(case["steps"]) if "steps" in case else None
    return Candidate("q", index, case.get("response", ""), steps=steps)


def _typed(critic: Any, case: Case) -> bool:
    texts = [case["question"], *case.get("steps", ()), case.get("response", "")]
    return any(token in text for text in texts for token in critic._scorer.tokenizer.special_tokens)


def _question(case: Case) -> Question:
    return Question("t", "q", case["question"])


def test_there_are_golden_cases() -> None:
    shared_files("golden/critics/*/cases.jsonl")
    assert {param.values[0] for param in CASES} == CRITICS.keys()


@pytest.mark.parametrize(("family", "folder", "case"), CASES)
def test_scores(family: str, folder: Path, case: Case) -> None:
    """Folder in, scores out; special tokens that a response types act as such, as in the original."""
    critic = _made(family, folder, case, released_tokenization=True)
    compared("golden cases", f"{family}-{case['variant']}-{case['id']}")
    candidate = _candidate(case)
    steps = critic.steps(candidate)
    assert list(steps) == case.get("steps", case.get("pieces"))
    (score,) = critic.score(_question(case), [candidate])
    if len(case["readout_positions"]) != len(steps):
        assert _typed(critic, case)
        assert str(score.reason).startswith("forged turn")
        return
    (result,) = critic._scorer.score(case["question"], [steps])
    assert isinstance(result, StepScores), result
    assert list(result.prompt.ids) == case["input_ids"]
    assert list(result.prompt.readouts) == case["readout_positions"]
    if "prompt" in case:
        assert result.prompt.text == case["prompt"]
    outputs = torch.tensor(case["logits"]).reshape(len(steps), -1)
    torch.testing.assert_close(torch.tensor(result.logits), outputs, atol=LOGIT_TOLERANCE, rtol=1e-5)
    assert score.reason is None
    assert score.steps == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE, rel=0)
    assert score.value == pytest.approx(case["aggregates"]["mean"], abs=SCORE_TOLERANCE, rel=0)


@pytest.mark.parametrize(("family", "folder", "case"), CASES)
def test_default_tokenization(family: str, folder: Path, case: Case) -> None:
    """Prompts without typed special tokens are the original's; one that holds some keeps its steps and its text."""
    critic = _made(family, folder, case)
    steps = critic.steps(_candidate(case))
    prompt = critic._scorer.prompt(case["question"], steps, [])
    assert prompt.neutralised == _typed(critic, case)
    assert len(prompt.readouts) == len(steps)
    if prompt.neutralised:
        assert prompt.text == case.get("prompt", prompt.text)
        (score,) = critic.score(_question(case), [_candidate(case)])
        assert (len(score.steps), score.reason) == (len(steps), "held special tokens, neutralised")
    else:
        assert (list(prompt.ids), list(prompt.readouts)) == (case["input_ids"], case["readout_positions"])


DOCUMENTED = [param for param in CASES if "docs_step_scores" in param.values[2]]


@pytest.mark.parametrize(("family", "folder", "case"), DOCUMENTED)
def test_joined_tokenization(family: str, folder: Path, case: Case) -> None:
    """As the documentation asks: one text up to each step, which one prompt gives at once."""
    critic = _made(family, folder, case, tokenization="joined", released_tokenization=True)
    (result,) = critic._scorer.score(case["question"], [case["steps"]])
    assert isinstance(result, StepScores), result
    assert list(result.prompt.ids) == case["docs_input_ids"]
    assert list(result.prompt.readouts) == case["docs_prefix_last"]
    assert result.scores == pytest.approx(case["docs_step_scores"], abs=SCORE_TOLERANCE, rel=0)


def _together() -> Iterator[Any]:
    groups: dict[tuple[str, Path, str, str], list[Case]] = {}
    for param in CASES:
        family, folder, case = param.values
        if "same_question" in case["id"]:
            groups.setdefault((family, folder, case["variant"], case["id"].rpartition("_")[0]), []).append(case)
    for (family, folder, _, name), cases in groups.items():
        yield pytest.param(family, folder, cases, id=f"{folder.name}-{name}")


@pytest.mark.parametrize(("family", "folder", "cases"), list(_together()))
def test_cases_that_share_their_question(family: str, folder: Path, cases: Sequence[Case]) -> None:
    critic = _made(family, folder, cases[0])
    candidates = [_candidate(case, index) for index, case in enumerate(cases)]
    scores = critic.score(_question(cases[0]), candidates)
    scorer = critic._scorer
    plain = dataclasses.replace(scorer, backend=dataclasses.replace(scorer.backend, engine=plain_engine))
    assert isinstance(plain.backend, LocalBackend)
    assert len(cases) > 1
    for case, candidate, score in zip(cases, candidates, scores, strict=True):
        assert score.steps == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE, rel=0)
        (alone,) = plain.score(case["question"], [critic.steps(candidate)])
        assert score.steps == pytest.approx(alone.scores, abs=ENGINE_TOLERANCE, rel=0)
