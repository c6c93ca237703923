"""What results cost: the critic's seconds, tokens and dollars, and on which machine.

They are of the runs that made the results: what lay there already when a run began is in none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.result import Result
from vpbench.site.rankings import Column, Item

COST_COLUMNS = (
    Column("seconds", "scoring", "seconds"),
    Column("tokens", "tokens", "read and written"),
    Column("dollars", "cost", "dollars", shown=False),
    Column("hardware", "hardware", shown=False),
)


def cost_items(results: Sequence[Result]) -> tuple[Item, ...]:
    """A cell for each of `COST_COLUMNS`, over all `results`; None where no run said anything of it."""
    usage = [result.provenance.critic_used_in_this_run or {} for result in results]
    seconds = [part for result in results if (part := result.provenance.seconds.get("score")) is not None]
    tokens = [used[name] for used in usage for name in ("prompt_tokens", "completion_tokens") if name in used]
    dollars = [used["cost"] for used in usage if "cost" in used]
    machines = dict.fromkeys(map(hardware, results))
    return (
        Item(round(sum(seconds), 1) if seconds else None),
        Item(int(sum(tokens)) if tokens else None),
        Item(round(sum(dollars), 4) if dollars else None),
        Item("; ".join(machines)),
    )


def hardware(result: Result) -> str:
    """The accelerator, or how many processors where there was none."""
    machine = result.provenance.hardware
    return str(machine.get("accelerator") or f"{machine.get('cpus', '?')} CPUs")
