"""Where a result comes from: versions, machine, command, data, candidates, critic."""

from __future__ import annotations

import os
import platform
import sys
import time

from vpbench.report.result import DataOrigin, Provenance
from vpbench.report.texts import texts_folder
from vpbench.run.analysis import Analysis
from vpbench.run.prepared import Common, Scored
from vpbench.store import versions

_PACKAGES = ("torch", "transformers", "datasets", "numpy", "math-verify", "pillow", "sentencepiece")


def run_provenance(prepared: Common, scored: Scored, analysis: Analysis, started: float) -> Provenance:
    """Everything the result rests on, and the command as it was typed; statistics have `started` at this time."""
    return Provenance(
        command=("vpbench", *sys.argv[1:]),
        versions={**versions(("vpbench",)), "python": platform.python_version(), **versions(_PACKAGES)},
        hardware={"platform": platform.platform(), "cpus": os.cpu_count(), "accelerator": _accelerator()},
        task_version=prepared.key["task_version"],
        data=DataOrigin(prepared.data_origin, prepared.data_revision, prepared.key["data"]),
        pool=prepared.key.get("pool"),
        pool_sha256=prepared.pool_sha256,
        drawing=prepared.drawing,
        judge=prepared.judge,
        critic_settings=scored.settings,
        critic_used_in_this_run=dict(scored.usage),
        critic_revision=scored.revision,
        seed=analysis.seed,
        resamples=analysis.resamples,
        seconds={**prepared.seconds, "score": scored.seconds, "analyse": time.perf_counter() - started},
        texts=texts_folder(prepared),
    )


def _accelerator() -> str | None:
    # whoever computed on one has imported torch; importing it here only to look would take seconds
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())
