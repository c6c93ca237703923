"""A conformance file's figures as Markdown: agreement per system, what differs and how, and what isn't compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vpbench.report.agreement import ALL_SYSTEMS, FileTally, Tally, agreement_and_kappa
from vpbench.terminal import markdown_table, printable

AGREEMENT = ["benchmark", "system", "official: rows", "agreement", "kappa", "robust: rows", "agreement", "kappa"]
DIFFERS = ["official grading differs: system", "question", "official verdict", "ours", "our reason"]
MOST_LISTED = 100


def conformance_section(tally: FileTally) -> str:
    """The file's section: a heading, and its tables."""
    head = f"### {printable(tally.name)}\n\n{tally.rows:,} rows, sha256 {tally.sha256[:16]}"
    return "\n\n".join([head, *_tables(tally)])


def _tables(tally: FileTally) -> Iterator[str]:
    keys = sorted(tally.graded, key=lambda key: (key[0], key[1] == ALL_SYSTEMS, *key))
    if keys:
        yield markdown_table([_agreement(key, tally.graded[key]) for key in keys], AGREEMENT)
    if tally.official_differs:
        lines = [
            [system, id, _word(theirs), _word(ours.correct), ours.reason]
            for system, id, theirs, ours in tally.official_differs[:MOST_LISTED]
        ]
        yield markdown_table(lines, [f"{DIFFERS[0]} ({len(tally.official_differs)} rows)", *DIFFERS[1:]])
    for benchmark in dict.fromkeys(key[0] for key in keys):
        systems = {
            system: tally.graded[name, system, within].disagreements
            for name, system, within in keys
            if name == benchmark and not within
        }
        if systems[ALL_SYSTEMS]:
            yield _disagreements(benchmark, systems)
    without = [["official grading only", *item] for item in tally.official_only.most_common()]
    without += [["not compared", *item] for item in tally.left_out.most_common()]
    without += [["not usable", *item] for item in tally.not_usable.most_common()]
    if without:
        yield markdown_table(without, ["rows not graded in both modes", "because", "rows"])


def _agreement(key: tuple[str, str, bool], tally: Tally) -> list[str]:
    benchmark, system, in_response = key
    cells = [benchmark, f"{system}, extraction in response" if in_response else system]
    for pairs in (tally.official, tally.robust):
        if not pairs:
            cells += ["0", "-", "-"]
            continue
        agreement, kappa = agreement_and_kappa(pairs)
        cells += [str(pairs.total()), f"{agreement:.2%}", "-" if kappa is None else f"{kappa:z.3f}"]
    return cells


def _disagreements(benchmark: str, systems: dict[str, Counter[tuple[str, bool]]]) -> str:
    """Rows by system, columns by class (our reason, their verdict), the most frequent first."""
    classes = [verdicts for verdicts, _ in systems[ALL_SYSTEMS].most_common()]
    lines = [
        [benchmark, system, str(counts.total()), *(str(counts[verdicts]) for verdicts in classes)]
        for system, counts in systems.items()
        if counts
    ]
    heads = [f"{reason}, officially {_word(theirs)}" for reason, theirs in classes]
    return markdown_table(lines, ["benchmark", "robust grading differs: system", "rows", *heads])


def _word(correct: bool) -> str:
    return "right" if correct else "wrong"
