"""A pool's questions and responses as the browser of questions has them, once for all results on the pool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.report.texts import read_details, text_tables
from vpbench.site.chunks import DataFolder, bounds
from vpbench.site.pictures import Pictures, stem
from vpbench.site.step_texts import Rule, cutter, page_cuts, parts

HEAD = 300
"""Letters of a question in the list, and of those that are searched."""
_MOST_LABELS = 80
"""A category of more labels is no choice to filter by."""
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class PoolTexts:
    """The tables of a run's texts. Candidates of question k are rows `starts[k]` to `starts[k + 1]`."""

    folder: Path
    questions: Any
    candidates: Any
    details: Any
    ids: list[str]
    starts: list[int]

    @cached_property
    def chunks(self) -> list[int]:
        """The first question of every chunk."""
        import pyarrow.compute as pc

        sizes = pc.fill_null(pc.binary_length(self.candidates.column("response")), 0).to_pylist()
        asked = pc.binary_length(self.questions.column("question")).to_pylist()
        return bounds([sum(sizes[a:b]) + size for (a, b), size in zip(pairwise(self.starts), asked, strict=True)])

    @property
    def picture_names(self) -> set[str]:
        """The names of all pictures that the run kept."""
        lists = [] if self.details is None else self.details.column("pictures").to_pylist()
        return {name for names in lists for name in names if name}


def read_pool(folder: Path) -> PoolTexts:
    """The texts in a run's folder of them. Raises `ConfigError` if they are missing or damaged."""
    questions, candidates = text_tables(folder)
    ids = questions.column("question_id").to_pylist()
    runs = [(id, sum(1 for _ in rows)) for id, rows in groupby(candidates.column("question_id").to_pylist())]
    details = read_details(folder)
    if [id for id, _ in runs] != ids or (details is not None and details.column("question_id").to_pylist() != ids):
        raise ConfigError(f"{folder}: its files are of different questions; remove the folder and run again")
    starts = [0]
    for _, count in runs:
        starts.append(starts[-1] + count)
    return PoolTexts(folder, questions, candidates, details, ids, starts)


def write_pool(pool: PoolTexts, rule: Rule, sources: Sequence[str] | None, site: Path, pictures: bool) -> str:
    """Write the pool's texts into the site; the name of their folder.

    `rule` cuts responses that the data doesn't; `sources` are a step task's, by question. Without `pictures` they are
    left out.
    """
    digest = hashlib.sha256(json.dumps([_FORMAT, rule, pictures, sources]).encode())
    for name in ("questions", "candidates", "details"):
        path = pool.folder / f"{name}.parquet"
        digest.update(path.read_bytes() if path.is_file() else b"")
    folder = DataFolder(site, f"pool-{digest.hexdigest()[:16]}")
    if folder.whole:
        return folder.key
    shown: list[list[dict[str, Any]]] = [[] for _ in pool.ids]
    if pictures and pool.details is not None:
        kept = Pictures(pool.folder.parent.parent, site, pool.picture_names)
        columns = (pool.details.column(name).to_pylist() for name in ("pictures", "missing"))
        shown = [
            [kept.shown(name, why) for name, why in zip(*both, strict=True)] for both in zip(*columns, strict=True)
        ]
    categories = _categories(pool, sources)
    index = {**_index(pool, shown, categories), "cuts": page_cuts(rule)}
    folder.write(_chunks(pool, rule, shown, categories), index)
    return folder.key


def picture_stems(pool: PoolTexts) -> set[str]:
    """What the files of the pool's pictures are called in a site."""
    return {stem(name) for name in pool.picture_names}


def _chunks(
    pool: PoolTexts, rule: Rule, shown: list[list[dict[str, Any]]], categories: list[dict[str, Any]]
) -> Iterator[Any]:
    cut = cutter(rule)
    for first, last in pairwise([*pool.chunks, len(pool.ids)]):
        asked = pool.questions.slice(first, last - first).to_pylist()
        begin, end = pool.starts[first], pool.starts[last]
        rows = pool.candidates.slice(begin, end - begin)
        answered = [
            _parts(cut, text, steps) for text, steps in zip(*_lists(rows, "response", "step_texts"), strict=True)
        ]
        errors = rows.column("error").to_pylist() if "error" in rows.column_names else [None] * len(answered)
        chunk = []
        for position, question in enumerate(asked, first):
            here = slice(pool.starts[position] - begin, pool.starts[position + 1] - begin)
            failed = {number: error for number, error in enumerate(errors[here]) if error is not None}
            chunk.append(
                {
                    **{name: question[name] for name in ("question", "choices", "gold")},
                    "categories": categories[position],
                    "pictures": shown[position],
                    "responses": answered[here],
                    **({"errors": failed} if failed else {}),
                }
            )
        yield chunk


def _parts(cut: Any, response: str | None, steps: list[str] | None) -> str | list[str] | None:
    if response is None or steps is None:
        return response if response is None else cut(response)
    made = parts(response, steps)
    # steps that the data gives are shown as it gives them, wherever the response differs
    return made if isinstance(made, list) or len(steps) < 2 else steps


def _lists(table: Any, *names: str) -> list[list[Any]]:
    return [table.column(name).to_pylist() for name in names]


def _index(pool: PoolTexts, shown: list[list[dict[str, Any]]], categories: list[dict[str, Any]]) -> dict[str, Any]:
    texts = pool.questions.column("question").to_pylist()
    thumbs = [next((picture["thumb"] for picture in pictures if "thumb" in picture), None) for pictures in shown]
    return {
        "ids": pool.ids,
        "heads": [text[:HEAD] for text in texts],
        "thumbs": thumbs,
        "counts": [end - start for start, end in pairwise(pool.starts)],
        "chunks": pool.chunks,
        "categories": _labels(categories),
        "details": pool.details is not None,
    }


def _categories(pool: PoolTexts, sources: Sequence[str] | None) -> list[dict[str, Any]]:
    """By question its categories; those of a step task begin with its source."""
    texts = ["{}"] * len(pool.ids) if pool.details is None else pool.details.column("categories").to_pylist()
    parsed = [json.loads(text) for text in texts]
    if sources is not None:
        parsed = [{"source": source, **values} for source, values in zip(sources, parsed, strict=True)]
    return [{str(name): value for name, value in values.items() if value is not None} for values in parsed]


def _labels(categories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By category its labels, and which of them every question has, as positions in the labels."""
    names = dict.fromkeys(name for values in categories for name in values)
    columns = []
    for name in names:
        given = [values.get(name) for values in categories]
        lists = [[] if value is None else value if isinstance(value, list) else [value] for value in given]
        texts = [[_label(value) for value in values] for values in lists]
        labels = sorted({text for values in texts for text in values})
        if 1 < len(labels) <= _MOST_LABELS:
            position = {label: number for number, label in enumerate(labels)}
            columns.append({"name": name, "labels": labels, "of": [[position[text] for text in row] for row in texts]})
    return columns


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
