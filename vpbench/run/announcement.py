"""What is said before a run starts that rests on what nobody named: what is taken, where it is from, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.base import PublishedPolicy
from vpbench.run.at_hand import GIGABYTE, default_models, longest_response, needed_bytes, weight_bytes
from vpbench.run.plan_cost import HOW_TO_RATE, Cell, total
from vpbench.run.policy import Drawing
from vpbench.run.study import Study


def announcement(study: Study, made: Sequence[Cell]) -> str:
    """The study's defaults and, from its cells, what they cost, a line per subject."""
    drawings = [request.drawing for _, request in study.tasks if request.drawing is not None]
    published, models = study.defaults.policy, default_models(study)
    lines = ["named by nobody, so taken by default:"]
    for role, (model, settings) in models.items():
        size, cached = weight_bytes(model, settings)
        origin = "in the hub's cache" if cached else f"to download: {size / GIGABYTE:.1f} GB"
        what = (
            "its authors' released checkpoint" if role != "policy" else f"the policy of {published and published.where}"
        )
        lines.append(f"{role}: {model.hub_id}, {what}; {origin}")
    if published is not None:
        lines += [f"  {line}" for line in _compared(published, drawings[0])]
    costs, largest = total(made), max(needed_bytes(*model, longest_response(study)) for model in models.values())
    drawn = [cell for cell in made if cell.draws]
    most = "at most " if costs.longest else ""
    if drawn:
        lines.append(
            f"to draw: {sum(cell.owed for cell in drawn):,} candidates, {sum(cell.kept for cell in drawn):,} are there"
        )
    generate, read = ("n/a" if tokens is None else f"{tokens:,}" for tokens in (costs.generate, costs.read))
    hours = f"n/a ({HOW_TO_RATE})" if costs.hours is None else f"{most}{costs.hours:,.2f}"
    lines += [
        f"tokens: {most}{generate} to generate, {read} to read",
        f"memory: {sum(largest) / GIGABYTE:.1f} GB of the GPU, or of the machine where there is none (weights "
        f"{largest[0] / GIGABYTE:.1f}, cache {largest[1] / GIGABYTE:.1f}), one model at a time",
        f"GPU hours: {hours}",
    ]
    return "\n".join(lines)


def _compared(published: PublishedPolicy, drawing: Drawing) -> list[str]:
    """What the drawing has in common with the published one, and what is ours."""
    sampling = drawing.sampling
    temperature, samples = (
        f"{ours:g}" if ours == theirs else f"{ours:g} ({published.where}: {theirs:g})"
        for ours, theirs in ((sampling.temperature, published.temperature), (drawing.samples, published.samples))
    )
    return [
        f"temperature {temperature}, {samples} candidates per question",
        f"the other settings are vpbench's own (top-p {sampling.top_p:g}, at most {sampling.max_tokens} tokens, prompt "
        f"{drawing.prompt}): {published.where} doesn't say {published.unsaid}",
    ]
