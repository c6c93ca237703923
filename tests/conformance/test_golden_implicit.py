"""Log-likelihood ratios of two models against what the method's authors' code returned (`golden/critics/implicit*`).

Token ids and the positions that count for each step have to be exact, scores within 2e-5 in float32 (they are
thousandths of sums of log-probabilities, which are compared before they are made small).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from shared_data import SHARED, compared, shared_files

from vpbench import Candidate, CriticError, Question
from vpbench.plugins import find_critic
from vpbench.scoring.label_logits import plain_engine
from vpbench.scoring.likelihood import read_log_probs
from vpbench.scoring.log_ratio import MarkedPrompt
from vpbench.scoring.shared_prefix import SharedPrefixEngine

SCORE_TOLERANCE, SUM_TOLERANCE, ENGINE_TOLERANCE = 2e-5, 1e-3, 1e-5
pytestmark = pytest.mark.filterwarnings("error:the shared-prefix engine")

Case = dict[str, Any]


def _cases() -> Iterator[Any]:
    for path in sorted(SHARED.glob("golden/**/implicit_prm*/**/cases*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            yield pytest.param(path.parent, case, id=f"{path.parent.name}-{case['id']}")


CASES = list(_cases())


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@lru_cache
def _critic(folder: Path, system: str | None, cumulative: bool = False) -> Any:
    cls: Any = find_critic("implicit-prm").cls
    critic = cls(
        model=str(folder / "policy"),
        reference=str(folder / "reference"),
        system_message=system,
        cumulative=cumulative,
        dtype="float32",
        device="cpu",
    )
    critic.prepare()
    assert all(isinstance(engine, SharedPrefixEngine) for engine in critic._engines)
    return critic


def _candidate(case: Case, index: int = 0) -> Candidate:
    return Candidate("q", index, "", steps=tuple(case["steps"]))


def _question(case: Case) -> Question:
    return Question("t", "q", case["question"])


def test_there_are_golden_cases() -> None:
    shared_files("golden/critics/implicit_prm*/**/cases*.jsonl")
    assert CASES


@pytest.mark.parametrize(("folder", "case"), CASES)
def test_scores(folder: Path, case: Case) -> None:
    critic = _critic(folder, case["system"])
    compared("golden cases", f"implicit-{case['id']}")
    marked = critic._written(_question(case), tuple(case["steps"]), ([], []))
    assert isinstance(marked, MarkedPrompt)
    assert marked.prompt.text == case["prompt"]
    assert list(marked.prompt.ids) == case["input_ids"]
    assert list(marked.marks) == case["marks"][1:]
    assert marked.prompt.readouts[0] == case["marks"][0] - 1
    # The recorded sums go on to the last token.
    readouts = tuple(range(marked.prompt.readouts[0], len(marked.prompt.ids) - 1))
    for number, name in enumerate(("policy", "reference")):
        (log_probs,) = critic._log_probs(number, [dataclasses.replace(marked.prompt, readouts=readouts)], None)
        assert float(log_probs.double().sum()) == pytest.approx(case[f"{name}_logprob_sum"], abs=SUM_TOLERANCE)
    (score,) = critic.score(_question(case), [_candidate(case)])
    assert critic.coefficient == case["coefficient"]
    assert score.reason is None
    assert score.steps == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE * case["coefficient"], rel=1e-4)
    assert score.value == pytest.approx(case["response_min"], abs=SCORE_TOLERANCE * case["coefficient"], rel=1e-4)
    (added,) = _critic(folder, case["system"], cumulative=True).score(_question(case), [_candidate(case)])
    assert added.steps == pytest.approx(case["cumulative"], abs=SCORE_TOLERANCE)
    assert added.steps[-1] == pytest.approx(case["response_last"], abs=SCORE_TOLERANCE)


def test_cases_that_share_their_question() -> None:
    """Scored together, their common beginning runs once; one forward each gives the same."""
    for folder in {param.values[0] for param in CASES}:
        cases = [param.values[1] for param in CASES if param.values[0] == folder and "same_q" in param.values[1]["id"]]
        critic = _critic(folder, None)
        assert len(cases) > 1
        scores = critic.score(_question(cases[0]), [_candidate(case, index) for index, case in enumerate(cases)])
        for case, score in zip(cases, scores, strict=True):
            assert score.steps == pytest.approx(case["step_scores"], abs=SCORE_TOLERANCE)
        prompts = [critic._written(_question(case), tuple(case["steps"]), ([], [])).prompt for case in cases]
        model = critic._chats[0].checkpoint.model
        shared = critic._log_probs(0, prompts, None)
        plain = read_log_probs(plain_engine, model, prompts, None, -1)
        for one, other in zip(shared, plain, strict=True):
            torch.testing.assert_close(one, other, atol=ENGINE_TOLERANCE, rtol=0)


def test_a_reference_with_another_tokenizer_is_refused() -> None:
    shared_files("golden/critics/implicit_prm*/**/cases*.jsonl")
    folder, case = CASES[0].values
    critic = dataclasses.replace(_critic(folder, None), reference=str(folder / "policy"))
    tokenizer = critic._chats[1].checkpoint.tokenizer.inner
    tokenizer.add_tokens([case["question"][3:12]])
    with pytest.raises(CriticError, match="reads other tokens than .*; give a reference with the policy's tokenizer"):
        critic.score(_question(case), [_candidate(case)])
