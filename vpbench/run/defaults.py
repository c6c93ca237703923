"""What a run takes where nobody names it: the checkpoint that a critic's authors released, the policy they select from.

Critics say what these are (`Critic.released`, `Critic.published_policy`). Whatever is named goes before them: a model,
a policy, a pool, scores from files, the miniature world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vpbench.base import Critic, PublishedPolicy, ReleasedModel
from vpbench.plugins import find_critic
from vpbench.run.entries import CriticEntry


@dataclass(frozen=True)
class Defaults:
    """The released checkpoints by the name of the row that scores with it, and the policy; none where all is named."""

    checkpoints: Mapping[str, ReleasedModel] = field(default_factory=dict)
    policy: PublishedPolicy | None = None

    def __bool__(self) -> bool:
        return bool(self.checkpoints) or self.policy is not None


def with_released(entries: Sequence[CriticEntry]) -> tuple[tuple[CriticEntry, ...], dict[str, ReleasedModel]]:
    """The entries, those of critics with a released checkpoint and no model with that; and what was filled in so."""
    filled: list[CriticEntry] = []
    checkpoints: dict[str, ReleasedModel] = {}
    for entry in entries:
        released = _critic(entry).released if entry.critic is not None and not entry.settings.get("model") else None
        if released is not None:
            entry = replace(entry, settings={**entry.settings, "model": released.hub_id})
            checkpoints[entry.called] = released
        filled.append(entry)
    return tuple(filled), checkpoints


def published_policy(entries: Sequence[CriticEntry]) -> PublishedPolicy | None:
    """The one policy that the critics' authors select from; None where there is none or more than one.

    None as well where scores come from files, which are of candidates that exist.
    """
    if any(entry.critic is None for entry in entries):
        return None
    policies = {_critic(entry).published_policy for entry in entries} - {None}
    return policies.pop() if len(policies) == 1 else None


def _critic(entry: CriticEntry) -> type[Critic]:
    assert entry.critic is not None
    return find_critic(entry.critic).cls
