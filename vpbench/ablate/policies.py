"""Experiments on other candidates: the policy's temperature, and another policy. An experiment returns its tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vpbench.ablate import published
from vpbench.ablate.figures import direction, sign, verdict
from vpbench.ablate.labels import LabelSet
from vpbench.ablate.rows import percent, spread
from vpbench.ablate.table import AblationTable, Cell
from vpbench.ablate.workshop import POLICY, STRONG_POLICY, TEMPERATURE, Setting, Tuned, Workshop
from vpbench.generate import Sampling
from vpbench.stats import Curves, curves, paired_differences
from vpbench.stats.bootstrap import Array

OVER_N = {1: "rises", -1: "falls", 0: "can't be told"}
TEMPERATURES = (0.3, 0.7, 1.0, 1.3)


def temperature(shop: Workshop) -> list[AblationTable]:
    """Candidates drawn at other temperatures: curves of the base critic and of the controls, and whether they fall."""
    last = shop.sizes.ns[-1]
    ns = tuple(2**k for k in range(last.bit_length()) if 2**k <= last)
    by_temperature: dict[float, Mapping[str, Array]] = {}
    for t in TEMPERATURES:
        candidates = shop.candidates(POLICY, t)
        pools = candidates.pools(candidates.scores(shop.critic(Tuned())))
        by_temperature[t] = _by_pick(curves(pools, "best", "expected", ns))
    rows: list[tuple[Cell, ...]] = [
        (f"{t:g}", name, *(100 * float(value) for value in curve.mean(axis=0)))
        for t, picks in by_temperature.items()
        for name, curve in picks.items()
    ]
    columns = ("temperature", "pick", *(f"N = {n}, %" for n in ns))
    note = f"All drawn from the likeliest tokens of total probability {Sampling().top_p:g}, as the shipped ones are."
    accuracy = AblationTable(
        "temperature", "Temperature of the policy (base: 0.7): accuracy by N", columns, rows, notes=[note]
    )
    return [accuracy, _changes(shop, by_temperature, ns)]


def _by_pick(pooled: Curves) -> dict[str, Array]:
    assert pooled.critic is not None and pooled.vote is not None
    return {
        "process reward model": pooled.critic,
        "majority vote": pooled.vote,
        "random": pooled.random,
        "oracle": pooled.oracle,
    }


def _changes(shop: Workshop, by_temperature: Mapping[float, Mapping[str, Array]], ns: tuple[int, ...]) -> AblationTable:
    clusters, base_picks = shop.candidates().clusters, by_temperature[TEMPERATURE]
    few, many = (ns.index(n) for n in shop.sizes.ns)
    rows: list[tuple[Cell, ...]] = []
    directions, falls = [], []
    for t, picks in by_temperature.items():
        critic, vote = picks["process reward model"], picks["majority vote"]
        peak = int(np.argmax(critic.mean(axis=0)))
        (at_few,) = paired_differences(critic[:, [few]], base_picks["process reward model"][:, [few]], clusters)
        over_vote = paired_differences(critic[:, [few, many]], vote[:, [few, many]], clusters)
        (rise,) = paired_differences(critic[:, [many]], critic[:, [few]], clusters)
        paper = published.TEMPERATURES.get(t)
        rows.append(
            (f"{t:g}", at_few if paper else None, paper.best_change if paper else None, *over_vote, ns[peak], rise)
        )
        if paper:
            directions.append(f"{t:g} ({paper.best_change:+.1f}): {verdict(paper.best_change, at_few)}")
        falls.append(f"{t:g}: {OVER_N[sign(rise)]}")
    one, two = shop.sizes.ns
    columns = (
        "temperature",
        f"Best-of-{one} minus that at 0.7, points",
        "paper, Best-of-8 minus that at 0.7, points",
        f"minus vote at N = {one}, points",
        f"minus vote at N = {two}, points",
        "best N",
        f"N = {two} minus N = {one}, points",
    )
    lines = [
        f"The paper's direction here, Best-of-{one}: {'; '.join(directions)}.",
        f"Over-optimisation, from N = {one} to {two}: {'; '.join(falls)}.",
    ]
    return AblationTable(
        "temperature_changes",
        "Temperature of the policy: changes of the critic's curve",
        columns,
        rows,
        lines,
        ["Best N has no interval; it is the N of the highest mean."],
    )


def transfer(shop: Workshop) -> list[AblationTable]:
    """Labels of one policy, candidates of another: critics of two policies, each on the candidates of both."""
    sets = {"policy": LabelSet(), "strong policy": LabelSet(policy=STRONG_POLICY)}
    rows: list[tuple[Cell, ...]] = []
    lines = []
    for name, policy in (("policy", POLICY), ("strong policy", STRONG_POLICY)):
        by_source = {source: shop.figures(Setting(Tuned(labels), policy=policy)) for source, labels in sets.items()}
        for source, figures in by_source.items():
            gains = paired_differences(figures.best, figures.random, figures.clusters)
            lost = paired_differences(figures.best, by_source[name].best, figures.clusters) if source != name else ()
            rows.append((source, name, *percent(figures), *gains, *(lost or (None, None))))
            if lost:
                paper = published.OTHER_POLICY.best_change
                lines.append(
                    f"Labels of {source}, candidates of {name}, Best-of-{shop.sizes.ns[0]}: the gain over one response "
                    f"(paper {paper:+.1f}): {verdict(paper, gains[0])}; against labels of {name} itself: "
                    f"{direction(lost[0], spread(shop)[0])}."
                )
    one, two = shop.sizes.ns
    columns = (
        "labels from",
        "candidates of",
        f"Best-of-{one}, %",
        f"Best-of-{two}, %",
        f"minus random at N = {one}, points",
        f"minus random at N = {two}, points",
        f"minus labels of its own policy at N = {one}, points",
        f"minus labels of its own policy at N = {two}, points",
    )
    note = (
        "The paper's figure is of its own critic on a stronger policy of another family (Table 2), against that "
        "policy's single response; here both policies are states of one training."
    )
    return [AblationTable("transfer", "Labels of one policy, candidates of another", columns, rows, lines, [note])]
