"""The policy's own log-likelihood of its response: the free baseline that every reward model has to beat.

No checkpoint but the policy's is needed: give it by `--critic-model`. The score is the response's probability per token
after image and question, the exponential of its mean log-probability (`per_token=false`: the sum of the
log-probabilities, which favours short responses and isn't made for weighted votes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import LikelihoodCritic


@dataclass(frozen=True)
class Likelihood(LikelihoodCritic):
    """Probability per token that the policy gives the response."""

    name: ClassVar[str] = "likelihood"
    title: ClassVar[str] = "The policy's own likelihood"
    version: ClassVar[int] = 2
    nano_settings: ClassVar[Mapping[str, str]] = {"model": "policy", "prompt": "question"}
