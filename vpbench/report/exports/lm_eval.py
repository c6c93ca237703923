"""lm-evaluation-harness's layout: `MODEL/results_DATE.json` and `MODEL/samples_TASK_DATE.jsonl`.

What it calls a model is a policy and the critic that picks among its responses; what it calls a filter, how an answer
is read, is the grading. Keys are those that version 0.4 writes; what isn't said in a result is left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist
from typing import Any

from vpbench.report.exports.picks import Texts, rows_of, samples_of, texts_of
from vpbench.report.exports.wording import json_bytes, settings_of, shareable, task_name, written_at
from vpbench.report.result import BestOfNResult, Point, StepResult
from vpbench.report.stored import StoredResult
from vpbench.report.texts import has_responses

Bounds = tuple[float | None, float | None]
Metrics = dict[str, tuple[float, Bounds]]
"""Values by name, each with its interval."""


def lm_eval_files(results: Sequence[StoredResult], into: Path) -> Iterator[tuple[Path, bytes]]:
    """The files of results in lm-eval's layout under `into`. Raises `ConfigError` for a result that is damaged."""
    for model, tasks in _models(results).items():
        date = max(map(written_at, tasks))
        stamp = datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%dT%H-%M-%S")
        folder = into / _file_name(model)
        hashes = {}
        for stored in tasks:
            if not has_responses(stored):
                continue
            samples = list(_samples(stored))
            name = task_name(stored.result)
            hashes[name] = _hash("".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in samples))
            yield folder / f"samples_{_file_name(name)}_{stamp}.jsonl", b"".join(map(json_bytes, samples))
        content = {**_results(model, tasks, date), "task_hashes": hashes}
        yield folder / f"results_{stamp}.json", json_bytes(content, indent=2)


def _models(results: Sequence[StoredResult]) -> dict[str, list[StoredResult]]:
    """Results by model, every task once: where one recurs, selection and grading, at last a hash, are in the name."""
    names = [_model_names(stored) for stored in results]
    models: dict[str, list[StoredResult]] = {}
    for stored, (name, *longer) in zip(results, names, strict=True):
        for longer_name in longer:
            tasks = Counter(
                task_name(other.result) for other, others in zip(results, names, strict=True) if name in others
            )
            if max(tasks.values()) == 1:
                break
            name = longer_name
        models.setdefault(name, []).append(stored)
    return models


def _model_names(stored: StoredResult) -> tuple[str, str, str]:
    """What the result's model is called, from the short name to the one that nothing else has."""
    result = stored.result
    judge = [f"judge {result.judge}"] if isinstance(result, BestOfNResult) and result.judge else []
    by = [result.selection, result.grading, *judge] if isinstance(result, BestOfNResult) else []
    parts = [result.policy, result.row] if isinstance(result, BestOfNResult) else [result.row]
    hashed = [*parts, *by, stored.folder.name.rpartition("--")[2]]
    short, full, unique = (shareable("+".join(named)) for named in (parts, [*parts, *by], hashed))
    return short, full, unique


def _results(model: str, tasks: Sequence[StoredResult], date: int) -> dict[str, Any]:
    by_task = {task_name(stored.result): stored.result for stored in tasks}
    metrics = {name: _metrics(result) for name, result in by_task.items()}
    settings = {name: settings_of(result) for name, result in by_task.items()}
    first = next(iter(by_task.values())).provenance
    seconds = sum(sum(result.provenance.seconds.values()) for result in by_task.values())
    return {
        "results": {name: _entries(name, result, metrics[name]) for name, result in by_task.items()},
        "group_subtasks": {name: [] for name in by_task},
        "configs": {name: _config(name, result, metrics[name], settings[name]) for name, result in by_task.items()},
        "versions": {name: result.provenance.task_version for name, result in by_task.items()},
        "n-shot": {},
        "higher_is_better": {name: dict.fromkeys(metrics[name], True) for name in by_task},
        "n-samples": {
            name: {"original": result.questions_in_task, "effective": result.questions}
            for name, result in by_task.items()
        },
        "config": {
            "model": "vpbench",
            "model_args": {
                name: next(iter(settings.values()))[name] for name in ("policy", "critic", "critic_settings")
            },
            "bootstrap_iters": first.resamples,
            "random_seed": first.seed,
        },
        "git_hash": None,
        "date": float(date),
        **({"transformers_version": first.versions["transformers"]} if "transformers" in first.versions else {}),
        "model_source": "vpbench",
        "model_name": model,
        "model_name_sanitized": _file_name(model),
        "total_evaluation_time_seconds": str(seconds),
        "vpbench": {
            "version": first.versions["vpbench"],
            "stderr": "half the width of the 95% interval, divided by 1.96",
            "intervals": {
                name: {metric: list(interval) for metric, (_, interval) in values.items() if interval[0] is not None}
                for name, values in metrics.items()
            },
        },
    }


def _filter(result: BestOfNResult | StepResult) -> str:
    return result.grading if isinstance(result, BestOfNResult) else "none"


def _metrics(result: BestOfNResult | StepResult) -> Metrics:
    if isinstance(result, BestOfNResult):
        return _curve_metrics(result)
    report = result.step_f1
    values: dict[str, tuple[float | None, Bounds]] = {
        "macro_f1": (report.pooled.macro_f1, (report.pooled.low, report.pooled.high)),
        "f1_correct": (report.pooled.f1_correct, (None, None)),
        "f1_incorrect": (report.pooled.f1_incorrect, (None, None)),
        "step_weighted_macro_f1": (report.step_weighted_mean.macro_f1, (None, None)),
    }
    if report.held_out_threshold is not None:
        pooled = report.held_out_threshold.pooled
        values["held_out_macro_f1"] = (pooled.macro_f1, (pooled.low, pooled.high))
    if report.ranking is not None:
        values["auroc"] = (report.ranking.auroc, (report.ranking.auroc_low, report.ranking.auroc_high))
    if report.first_errors is not None:
        first = report.first_errors
        values["mean_first_error_f1"] = (first.mean_f1, (first.low, first.high))
    return {name: (value, interval) for name, (value, interval) in values.items() if value is not None}


def _curves(result: BestOfNResult) -> dict[str, str]:
    """Curves by what their metrics are called before "_N"; a critic that votes is the vote itself."""
    selection = {"best": "best_of", "vote": "vote", "weighted-vote": "weighted_vote"}[result.selection]
    return {selection: "critic"} | {name: name for name in ("vote", "random", "oracle") if result.curves[name]}


def _curve_metrics(result: BestOfNResult) -> Metrics:
    def metric(point: Point) -> tuple[float, Bounds]:
        return point.value, (point.low, point.high)

    curves = {name: result.curves[curve] for name, curve in _curves(result).items()}
    metrics = {f"{name}_{point.n}": metric(point) for name, points in curves.items() for point in points}
    return {**metrics, "first": metric(result.curves["first"][0])}


def _entries(name: str, result: BestOfNResult | StepResult, metrics: Metrics) -> dict[str, Any]:
    entries: dict[str, Any] = {"name": name, "alias": name, "sample_len": result.questions}
    for metric, (value, interval) in metrics.items():
        entries[f"{metric},{_filter(result)}"] = float(value)
        entries[f"{metric}_stderr,{_filter(result)}"] = _standard_error(interval)
    return entries


def _standard_error(interval: Bounds) -> float | str:
    low, high = interval
    if low is None or high is None:
        return "N/A"
    return (high - low) / (2 * NormalDist().inv_cdf(0.975))


def _config(
    name: str, result: BestOfNResult | StepResult, metrics: Metrics, settings: Mapping[str, Any]
) -> dict[str, Any]:
    data = result.provenance.data
    drawing = result.provenance.drawing or {}
    sampling = {"temperature": "temperature", "top_p": "top_p", "max_gen_toks": "max_tokens"}
    generation = {theirs: drawing[ours] for theirs, ours in sampling.items() if drawing.get(ours) is not None}
    return {
        "task": name,
        # only what comes from the hub has a revision; a folder's name says nothing to others
        **({"dataset_path": data.origin} if data.revision is not None else {}),
        "output_type": "generate_until",
        "repeats": result.pool_size,
        **({"generation_kwargs": generation} if generation else {}),
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in metrics],
        "metadata": {"version": result.provenance.task_version, **settings},
    }


def _samples(stored: StoredResult) -> Iterator[dict[str, Any]]:
    result = stored.result
    rows = _picked(stored, result) if isinstance(result, BestOfNResult) else _judged(stored)
    for number, (question_id, texts, target, response, rest) in enumerate(rows):
        doc: dict[str, Any] = {"question_id": question_id, "question": texts.question, "answer": texts.gold}
        if texts.choices is not None:
            doc["choices"] = list(texts.choices)
        yield {
            "doc_id": number,
            "doc": doc,
            "target": target,
            # the question only: a result doesn't hold the prompt around it
            "arguments": {"gen_args_0": {"arg_0": texts.question}},
            "resps": [list(texts.responses.values())],
            "filtered_resps": [response],
            "filter": _filter(result),
            **rest,
            "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
            "prompt_hash": _hash(texts.question),
            "target_hash": _hash(target),
        }


_Row = tuple[str, Texts, str, str, dict[str, Any]]


def _picked(stored: StoredResult, result: BestOfNResult) -> Iterator[_Row]:
    for sample in samples_of(stored, result):
        metrics = {}
        if sample.values:
            values = {name: sample.values[curve] for name, curve in _curves(result).items()}
            metrics = {f"{name}_{n}": row[k] for name, row in values.items() for k, n in enumerate(result.ns)}
            metrics["first"] = sample.values["first"][0]
        rest = {"metrics": list(metrics), **metrics, "picked": asdict(sample.pick)}
        response = sample.texts.responses[sample.pick.index]
        yield sample.question_id, sample.texts, sample.texts.gold, response, rest


def _judged(stored: StoredResult) -> Iterator[_Row]:
    """The solutions of a step task, with labels and step scores."""
    texts = texts_of(stored)
    for question_id, (row, *_) in rows_of(stored):
        rest = {"metrics": [], "step_labels": row["labels"], "step_scores": row["steps"]}
        response = texts[question_id].responses[row["index"]]
        yield question_id, texts[question_id], json.dumps(row["labels"]), response, rest


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_name(name: str) -> str:
    """A name as lm-eval makes a folder's, and without what no file system takes."""
    short = re.sub(r'[\s"<>:/|\\?*\[\]]+', "__", name)
    return short.strip(".") or "_" if len(short) <= 120 else f"{short[:100]}-{_hash(name)[:10]}"
