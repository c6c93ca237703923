"""The shared schema of the package `every-eval-ever`, version 0.3.0: a record per result and N, and a row per question.

A result is a file `data/TASK/DEVELOPER/MODEL/UUID.json`, as the schema's datastore has them, its questions
`UUID_samples.jsonl` beside it. The model is the critic, which is what a result measures; the policy is among the
settings. A field is left out where the result doesn't say it, and "unknown" where the schema asks for it nonetheless.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpbench.report.codec import as_json, checksum
from vpbench.report.exports.picks import samples_of
from vpbench.report.exports.wording import json_bytes, settings_of, shareable, task_name, written_at
from vpbench.report.result import BestOfNResult, Result, StepResult
from vpbench.report.stored import StoredResult
from vpbench.report.texts import has_responses
from vpbench.stats.bootstrap import LEVEL

SCHEMA_VERSION = "0.3.0"
UNKNOWN = "unknown"
_CURVE_METHOD = "paired bootstrap over questions (groups whole), with one all-right and one all-wrong pseudo-unit"
_STEP_METHOD = "bootstrap over questions; of macro-F1 the wider ends of bootstrap and jackknife"


def every_eval_ever_files(results: Sequence[StoredResult], into: Path) -> Iterator[tuple[Path, bytes]]:
    """The files of results under `into`. Raises `ConfigError` for a result that is damaged."""
    for stored in results:
        result = stored.result
        record = _record(stored)
        name = str(_identity(result))
        folder = f"data/{_component(task_name(result))}/{UNKNOWN}/{_component(shareable(result.row))}"
        if isinstance(result, BestOfNResult) and has_responses(stored):
            rows = [json_bytes(row) for row in _instances(stored, result, record)]
            samples = f"{folder}/{name}_samples.jsonl"
            record["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": samples,
                "hash_algorithm": "sha256",
                "checksum": hashlib.sha256(b"".join(rows)).hexdigest(),
                "total_rows": len(rows),
            }
            yield into / samples, b"".join(rows)
        yield into / folder / f"{name}.json", json_bytes(record, indent=2)


def _identity(result: BestOfNResult | StepResult) -> uuid.UUID:
    """A version-4 identity drawn from the result's content, so that the same result has the same."""
    digest = hashlib.sha256(checksum(as_json(result)).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4)


def _record(stored: StoredResult) -> dict[str, Any]:
    result = stored.result
    written = str(written_at(stored))
    settings = settings_of(result)
    versions = {name: str(version) for name, version in settings["versions"].items()}
    model = shareable(result.row)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{task_name(result)}/{model}/{written}/{_identity(result).hex[:8]}",
        "evaluation_timestamp": written,
        "retrieved_timestamp": written,
        "source_metadata": {
            "source_name": "vpbench",
            "source_type": "evaluation_run",
            "source_organization_name": UNKNOWN,
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "vpbench", "version": versions.pop("vpbench"), "additional_details": versions},
        "model_info": {
            "name": model,
            "id": model,
            "additional_details": {
                "deployment_type": UNKNOWN,
                "model_availability": UNKNOWN,
                **_texts(settings, "critic", "critic_revision", "critic_settings"),
            },
        },
        "evaluation_results": _points(result, settings)
        if isinstance(result, BestOfNResult)
        else _steps(result, settings),
    }


def _points(result: BestOfNResult, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record per N; the controls and the critic's gains over them are details of its score."""
    metric = shareable(result.metric)
    records = []
    for k, point in enumerate(result.curves["critic"]):
        controls = {name: str(points[k].value) for name, points in result.curves.items() if points and name != "critic"}
        gains = {f"gain_{name}": json.dumps(asdict(points[k])) for name, points in result.gains.items() if points}
        parameters = {"n": point.n, "selection": result.selection, "estimator": result.estimator}
        records.append(
            {
                "evaluation_result_id": _result_id(point.n),
                **_about(result, settings),
                "metric_config": _metric(f"vpbench.{metric}.{result.selection}_of_n", metric, result, parameters)
                | {"metric_name": f"{metric}, {result.selection} of {point.n}"},
                "score_details": {
                    "score": point.value,
                    "details": {**controls, **gains},
                    "uncertainty": _uncertainty(result, point.low, point.high, result.units),
                },
            }
        )
    return records


def _steps(result: StepResult, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The headline's record; none where there is nothing to take it from."""
    value, low, high = result.headline
    if value is None:
        return []
    report = result.step_f1
    metric = shareable(result.metric)
    details = {"f1_correct": str(report.pooled.f1_correct), "f1_incorrect": str(report.pooled.f1_incorrect)}
    uncertainty = (
        {} if low is None or high is None else {"uncertainty": _uncertainty(result, low, high, result.questions)}
    )
    return [
        {
            "evaluation_result_id": metric,
            **_about(result, settings),
            "metric_config": _metric(f"vpbench.{metric}", metric, result, {"threshold": report.threshold})
            | {"metric_name": metric},
            "score_details": {"score": value, "details": details, **uncertainty},
        }
    ]


def _result_id(n: int) -> str:
    return f"n={n}"


def _about(result: Result, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Name, data and settings of the result."""
    data = result.provenance.data
    name = task_name(result)
    details = {"fingerprint": data.fingerprint, "complete": json.dumps(result.complete)}
    source: dict[str, Any] = {"dataset_name": name, "source_type": "other"}
    # only what comes from the hub has a revision
    if data.revision is not None:
        source = {
            "dataset_name": name,
            "source_type": "hf_dataset",
            "hf_repo": shareable(data.origin),
            "samples_number": result.questions_in_task,
        }
        details["revision"] = data.revision
    names = ("policy", "pool", "pool_sha256", "drawing", "metric", "grading", "judge", "aggregate", "link", "seed")
    config: dict[str, Any] = {"additional_details": _texts(settings, *names, "command", "errors", "notes")}
    drawing = result.provenance.drawing or {}
    sampling = {key: drawing[key] for key in ("temperature", "top_p", "max_tokens") if drawing.get(key) is not None}
    if sampling:
        config["generation_args"] = sampling
    return {
        "evaluation_name": name,
        "source_data": {**source, "additional_details": details},
        "generation_config": config,
    }


def _metric(id: str, kind: str, result: Result, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "metric_id": id,
        "metric_kind": kind,
        "metric_unit": "proportion",
        "metric_parameters": dict(parameters),
        "lower_is_better": False,
        "score_type": "continuous",
        "min_score": 0.0,
        "max_score": 1.0,
    }


def _uncertainty(result: Result, low: float, high: float, units: int) -> dict[str, Any]:
    return {
        "confidence_interval": {
            "lower": low,
            "upper": high,
            "confidence_level": LEVEL,
            "method": _CURVE_METHOD if isinstance(result, BestOfNResult) else _STEP_METHOD,
        },
        "num_samples": units,
        "num_bootstrap_samples": result.provenance.resamples,
    }


def _instances(stored: StoredResult, result: BestOfNResult, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row per question: the response that the critic picked at the largest N, and the question's value there."""
    for sample in samples_of(stored, result):
        texts, pick = sample.texts, sample.pick
        answers = [] if pick.extracted is None else [pick.extracted]
        details = {"candidate": str(pick.index), "candidates": str(len(texts.responses)), "verdict": pick.reason}
        yield {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": record["evaluation_id"],
            "model_id": record["model_info"]["id"],
            "evaluation_name": task_name(result),
            "evaluation_result_id": _result_id(result.ns[-1]),
            "sample_id": sample.question_id,
            "sample_hash": hashlib.sha256((texts.question + texts.gold).encode()).hexdigest(),
            "interaction_type": "single_turn",
            "input": {
                "raw": texts.question,
                "reference": [texts.gold],
                **({} if texts.choices is None else {"choices": list(texts.choices)}),
            },
            "output": {"raw": [texts.responses[pick.index]]},
            "answer_attribution": [
                {
                    "turn_idx": 0,
                    "source": "output.raw",
                    "extracted_value": answer,
                    "extraction_method": f"vpbench, {result.grading} grading",
                    "is_terminal": True,
                }
                for answer in answers
            ],
            "evaluation": {
                "score": sample.values["critic"][-1] if sample.values else float(pick.correct),
                "is_correct": pick.correct,
            },
            "metadata": details if pick.score is None else {**details, "critic_score": str(pick.score)},
        }


def _texts(settings: Mapping[str, Any], *names: str) -> dict[str, str]:
    """The settings of these names that are said, each as a text: the schema's details have no other values."""
    stated = {name: settings[name] for name in names if settings.get(name) not in (None, {}, [])}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in stated.items()}


def _component(name: str) -> str:
    """A name as a folder's, with what every file system takes."""
    short = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).strip("._")[:100]
    return short or "_"
