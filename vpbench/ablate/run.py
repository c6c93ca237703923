"""All experiments, one after the other: `vpbench ablate nano`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from vpbench.ablate import critics, policies
from vpbench.ablate.published import SOURCE
from vpbench.ablate.table import AblationTable
from vpbench.ablate.workshop import BASE, POLICY, STRONG_POLICY, Sizes, Workshop
from vpbench.data.miniature import nano_model
from vpbench.models.checkpoint import checkpoint_fingerprint
from vpbench.store import write_atomic

EXPERIMENTS: tuple[Callable[[Workshop], list[AblationTable]], ...] = (
    critics.base,
    critics.aggregation,
    critics.seeds,
    critics.labels,
    critics.outcome_labels,
    critics.merging,
    policies.temperature,
    policies.transfer,
)
INTRODUCTION = f"""# Ablations in the miniature world

Questions of all tasks together, each counted once, also where a benchmark's own metric is by group; Best-of-N is
the exact mean over all subsets of the candidates. Differences are paired over questions, with groups of questions
resampled whole; intervals are 95%, p-values not adjusted for their number; those of step macro-F1 are resampled
over solutions. A step counts as correct above 0.5.

Each row is trained once. What another seed of the last stage changes, on the same labels, is in the table of seeds
and in no interval; it covers the order of the batches only, not the labels, the pre-training or the policy. The base
row isn't the shipped `prm`, whose labels come from other draws: there a prefix was continued only until one
continuation was right (early exit).

Figures of the paper are from {SOURCE}, of models thousands of times as large on other questions: only directions
can be compared. A direction "holds" or "doesn't hold" where the interval excludes zero, and "can't be told" where
it includes zero."""
ALL = Sizes()


def ablate(
    output: Path,
    echo: Callable[[str], None],
    sizes: Sizes = ALL,
    experiments: Sequence[Callable[[Workshop], list[AblationTable]]] = EXPERIMENTS,
) -> list[Path]:
    """Do the experiments and write `ablation.md` and `ablation.json` into `output`; their paths.

    Until all are done, the tables so far are in `ablation.partial.md`. What an earlier run made is used again.
    """
    import torch

    torch.set_num_threads(1)
    shop = Workshop(output, sizes, echo)
    tables: list[AblationTable] = []
    models = {name: checkpoint_fingerprint(nano_model(name)) for name in (POLICY, STRONG_POLICY, BASE)}
    fingerprints = ", ".join(f"{name} `{fingerprint[:12]}`" for name, fingerprint in models.items())
    introduction = f"{INTRODUCTION}\n\nModels: {fingerprints}."
    paths, partial = [output / "ablation.md", output / "ablation.json"], output / "ablation.partial.md"
    output.mkdir(parents=True, exist_ok=True)
    for experiment in experiments:
        tables += experiment(shop)
        write_atomic(partial, ("\n\n".join([introduction, *(table.markdown() for table in tables)]) + "\n").encode())
    data = {"models": models, "sizes": asdict(sizes), "tables": [table.data() for table in tables]}
    write_atomic(paths[1], (json.dumps(data, indent=1) + "\n").encode())
    partial.replace(paths[0])
    return paths
