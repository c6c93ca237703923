"""DynaMath, WeMath and LogicVista against their own code: verdicts, and every published figure from given verdicts.

Robust grading can't agree with rules that misread a format, so it is compared by criteria that look at the row only,
never at our verdict: for DynaMath whether the short answer (or the last line) holds the gold answer, for WeMath whether
what follows the last "Answer" is the gold letter or option in another dress, for LogicVista whether the labels that the
judge model extracted stand in the response. Agreement with and without these criteria is printed (run with -s).
"""

from __future__ import annotations

import functools
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from types import ModuleType

import numpy as np
import pytest
from shared_data import Row, shared_rows, shared_table

from vpbench import Measure, Question, Task
from vpbench.grade import listed_options
from vpbench.plugins import find_task
from vpbench.report.measures import measures_of

Judged = list[tuple[Row, bool]]


@functools.cache
def task(name: str) -> Task:
    found = find_task(name).cls()
    assert isinstance(found, Task)
    return found


def module(name: str) -> ModuleType:
    return sys.modules[find_task(name).cls.__module__]


def question_of(row: Row) -> Question:
    """The question of a row; WeMath's through its task, since the row holds the raw option string."""
    if row["benchmark"] == "wemath":
        raw = {
            "ID": row["group_id"],
            "key": row["step_key"],
            "option": row["choices"],
            "knowledge concept": row["categories"]["knowledge_concept"],
        }
        question = task("wemath").question({**row, **raw}, ())
        assert question is not None
        return question
    return Question(
        row["benchmark"],
        row["question_id"],
        row["question"],
        answer=row["answer"],
        answer_type=row["answer_type"],
        categories=row["categories"],
    )


def check(rows: Iterable[Row], least: float, disagreement: Callable[[Row], str | None]) -> None:
    """Every system agrees on the share `least` of its rows."""
    systems: dict[str, list[str | None]] = defaultdict(list)
    for row in rows:
        said = disagreement(row)
        systems[row["system"]].append(said and f"  question {row['question_id']}: {said}")
    failures = []
    for system, each in systems.items():
        off = [line for line in each if line]
        if len(off) > (1 - least) * len(each):
            failures.append(f"{system}: {len(off)} of {len(each)} rows disagree:\n" + "\n".join(off[:40]))
    assert systems and not failures, "\n".join(failures)


def test_dynamath_by_the_toolkit_s_rule() -> None:
    dynamath = task("dynamath")

    def disagreement(row: Row) -> str | None:
        verdict = dynamath.grade(question_of(row), row["response"], "official")
        wanted: tuple[bool, str, str | None]
        if row["needs_judge_model"] or row["raises"]:
            wanted = (False, "rule raises" if row["raises"] else "needs a judge", None)
        else:
            correct = row["official_correct"]
            wanted = (correct, "match" if correct else "different", str(row["official_extraction"])[:200])
        mine = (verdict.correct, verdict.reason, verdict.extracted if wanted[2] is not None else None)
        return None if mine == wanted else f"{row['response'][-80:]!r} gives {mine}, originally {wanted}"

    check(shared_rows("conformance/dynamath*.jsonl.gz"), 0.999, disagreement)


def test_dynamath_by_the_authors_rule() -> None:
    grade = module("dynamath").first_party_verdict

    def disagreement(row: Row) -> str | None:
        verdict = grade(question_of(row), row["response"])
        wanted = row["first_party_script_correct"]
        return None if verdict.correct == wanted else f"{row['response'][-80:]!r}: {verdict}, originally {wanted}"

    check(shared_rows("conformance/dynamath*.jsonl.gz"), 0.999, disagreement)


def test_wemath_verdicts_and_extractions() -> None:
    wemath = task("wemath")

    def disagreement(row: Row) -> str | None:
        verdict = wemath.grade(question_of(row), row["response"], "official")
        mine, wanted = (verdict.extracted, verdict.correct), (row["official_extraction"], row["official_correct"])
        return None if mine == wanted else f"{row['response'][-80:]!r} gives {mine}, originally {wanted}"

    check(shared_rows("conformance/wemath*.jsonl.gz"), 0.999, disagreement)


def test_logicvista_verdicts_on_extractions_and_by_rule_alone() -> None:
    logicvista = task("logicvista")
    rows = [row for row in shared_rows("conformance/logicvista*.jsonl.gz") if row["answer"]]

    def of_extraction(row: Row) -> str | None:
        verdict = logicvista.grade_extraction(question_of(row), ", ".join(row["official_extraction"]))
        assert verdict is not None
        return None if verdict.correct == row["official_correct"] else f"{row['official_extraction']}: {verdict}"

    def by_rule(row: Row) -> str | None:
        verdict = logicvista.grade(question_of(row), row["response"], "official")
        if verdict.reason == "needs a judge" or verdict.correct == row["official_correct"]:
            return None
        return f"{row['response'][:80]!r}: {verdict}"

    check(rows, 0.999, of_extraction)
    check(rows, 0.999, by_rule)


def test_logicvista_by_the_toolkit_s_rule() -> None:
    match = module("logicvista").toolkit_match
    rows = shared_table("conformance/logicvista_setmatch.json")
    wrong = [
        row for row in rows if match(row["answer"], row["judge_output"]) != (row["accepted_form"], bool(row["hit"]))
    ]
    assert rows and not wrong


def shares(title: str, judged: Judged, wanted: Callable[[Row], bool], comparable: Callable[[Row], bool]) -> float:
    """Agreement on the comparable rows; prints it, and that with the official verdict where there is one."""
    official = [(row, correct) for row, correct in judged if row["official_correct"] is not None]
    raw = sum(row["official_correct"] == correct for row, correct in official) / len(official)
    kept = [(row, correct) for row, correct in judged if comparable(row)]
    off = [(row, correct) for row, correct in kept if wanted(row) != correct]
    share = 1 - len(off) / len(kept)
    print(f"\n{title}: {raw:.4f} of {len(official)} official verdicts; {share:.4f} of {len(kept)} comparable rows")
    for row, correct in off[:20]:
        print(f"  {row['system']} {row['question_id']} gold {row['answer']!r}: {correct}, {row['response'][-100:]!r}")
    return share


def robust(rows: list[Row]) -> Judged:
    tasks = {name: task(name) for name in {row["benchmark"] for row in rows}}
    return [
        (row, tasks[row["benchmark"]].grade(question_of(row), row["response"], "robust").correct)
        for row in rows
        if row["answer"]
    ]


def dressed_down(text: str) -> str:
    return re.sub(r"[\s\"'*$()\[\]{}.。:：,;]|\\boxed|°|option|<<|>>", "", text).casefold()


def dynamath_holds_gold(row: Row) -> bool | None:
    """Whether the short answer, else the last line, is the gold answer; None where that is open to dispute."""
    found = re.findall(r'"(?:short )?answer": (?:"(.*)"|\[?"?([^"\n\]]*)"?\]?)\s*\}', row["response"])
    text = (found[-1][0] or found[-1][1]) if found else row["response"].split("\n")[-1].rpartition(": ")[2]
    text = text.replace("\\u03c0", "π")
    if row["answer_type"] == "float":
        number = re.search(r"(-?\d+(?:,\d{3})*(?:\.\d+)?)(/\d+)?\s*(π)?", text)
        if number is None:
            return False if not text.strip() or "two" not in text else Fraction(row["answer"]) == 2
        value = Fraction(number[1].replace(",", "")) / Fraction((number[2] or "/1")[1:])
        distance = abs(value * Fraction(math.pi if number[3] else 1) - Fraction(row["answer"]))
        return distance <= Fraction(1, 1000)
    if row["answer_type"] == "multiple choice":
        letters = set(re.findall(r"(?<![a-zA-Z])[A-F](?![a-zA-Z])", text.upper() if len(text.strip()) == 1 else text))
        options = listed_options(row["question"]) or ()
        beyond = any(ord(letter) - ord("A") >= len(options) for letter in letters)
        return None if beyond else letters == {str(row["answer"])}
    lead_ins = r"^(?:it is|the answer is)"
    return dressed_down(re.sub(lead_ins, "", text.strip(), flags=re.IGNORECASE)) == dressed_down(row["answer"])


def wemath_holds_gold(row: Row) -> bool | None:
    """Whether what follows the last "Answer" is the gold letter or the gold option's text."""
    text = re.split(r"[Aa]nswer(?: is)?", re.sub(r"</Answer>|\s*Answer\s*$", "", row["response"]))[-1]
    said = re.sub(r"^[\s:：>]+", "", text)
    options = listed_options(row["choices"]) or ()
    letters = "ABCDEFGH"[: len(options)]
    named = re.match(r"(?:\(|\*\*|<+|\"|\\boxed\{|option )*([A-Za-z])(?![A-Za-z])", said)
    if named and named[1].upper() in letters and not re.search(r"\bor\b", said):
        return named[1].upper() == str(row["answer"])
    named = re.search(r"(?:is|choose) ([A-H])\b", said)
    if named:
        return named[1] == str(row["answer"])
    same = [letter for letter, text in zip(letters, options, strict=True) if dressed_down(text) == dressed_down(said)]
    if same:
        return row["answer"] in same if len(same) == 1 else None
    return False if re.search(r"\bor\b|^[A-H]{2}$|^\W*$", said) else None


def logicvista_judge_read(row: Row) -> bool:
    """Whether the labels that the judge extracted, or the texts of their options, stand in the response.

    A capital A before a small letter is an article.
    """
    response, options = row["response"], listed_options(row["question"]) or ()
    short_reply = len(response) <= 40
    for label in row["official_extraction"]:
        if label in ("zzzzz", ""):
            continue
        place = "abcdefghij".find(label)
        text = dressed_down(options[place]) if 0 <= place < len(options) else ""
        letter = re.search(rf"(?<!\w){label.upper()}(?!\w)(?! [a-z])", response.upper() if short_reply else response)
        if not letter and not (len(text) > 1 and text in dressed_down(response)):
            return False
    return True


def test_robust_grading_of_dynamath() -> None:
    judged = robust(shared_rows("conformance/dynamath*.jsonl.gz"))
    share = shares(
        "dynamath", judged, lambda row: bool(dynamath_holds_gold(row)), lambda row: dynamath_holds_gold(row) is not None
    )
    assert share >= 0.99


def test_robust_grading_of_wemath() -> None:
    judged = robust(shared_rows("conformance/wemath*.jsonl.gz"))
    share = shares(
        "wemath", judged, lambda row: bool(wemath_holds_gold(row)), lambda row: wemath_holds_gold(row) is not None
    )
    assert share >= 0.99


def test_robust_grading_of_logicvista() -> None:
    judged = robust(shared_rows("conformance/logicvista*.jsonl.gz"))
    share = shares("logicvista", judged, lambda row: bool(row["official_correct"]), logicvista_judge_read)
    assert share >= 0.99


def figures(name: str, questions: list[Question], correct: list[bool]) -> dict[str, Measure]:
    """What the report says of given verdicts, by "measure", or by "measure/category/label"."""
    found = measures_of(task(name), questions, np.array([correct], dtype=float).T)
    return {"/".join(filter(None, (each.name, each.category, each.label))): each for each in found}


def values(measures: dict[str, Measure]) -> dict[str, float]:
    return {name: float(each.figure()[0]) for name, each in measures.items()}


def test_dynamath_figures() -> None:
    given = shared_table("conformance/dynamath_metrics.json")
    labels = zip(given["question_ids"], given["subject"], given["knowledge_level"], strict=True)
    seeds = [(str(seed), {"subject": subject, "knowledge_level": level}) for seed, subject, level in labels]
    names = {"Overall": "", "Subject-": "/subject/", "Level-": "/knowledge_level/"}
    questions = [
        Question("dynamath", f"{seed}/variant{variant}", "", group=seed, categories={**kinds, "variant": variant})
        for seed, kinds in seeds
        for variant in range(1, 11)
    ]
    for system in given["systems"].values():
        correct = [right == "1" for rights in system["correct"] for right in rights]
        expected = system["expected"]
        wanted = {"reasoning_robustness": expected["reasoning_robustness"] or 0.0}
        for measure, kind in (("accuracy", "average"), ("worst_case_accuracy", "worst_case")):
            for name, value in expected[kind].items():
                start = next(start for start in names if name.startswith(start))
                wanted[measure + names[start] + name.removeprefix(start)] = value
        for variant, value in enumerate(expected["per_variant_accuracy"], 1):
            wanted[f"accuracy/variant/{variant}"] = value
        assert values(figures("dynamath", questions, correct)) == pytest.approx(wanted, abs=1e-9)


def test_wemath_figures() -> None:
    given = shared_table("conformance/wemath_metrics.json")
    wemath = module("wemath")
    assert {name: domain for domain, names in wemath.DOMAINS.items() for name in names} == given["domain_of_concept"]
    options = "; ".join(f"{letter}. {letter}" for letter in "ABCDEFGH")
    rows = [
        {**row, "ID": row["id"], "knowledge concept": row["knowledge_concept"], "question": "", "option": options}
        for row in given["rows"]
    ]
    questions = [question for row in rows if (question := task("wemath").question(row, ()))]
    assert len(questions) == len(rows)
    for vector in given["vectors"].values():
        measures, expected = (
            figures("wemath", questions, [sign == "1" for sign in vector["correct"]]),
            vector["expected"],
        )
        mine = values(measures)
        for name, count in expected["counts"].items():
            measure = measures[f"{snake(name)}_rate"]
            assert measure.weights @ measure.values[:, 0] == pytest.approx(count, abs=1e-9)
        if isinstance(expected["rates"], dict):
            rates = {snake(name.removesuffix("_rate")) + "_rate": text for name, text in expected["rates"].items()}
            rates |= {
                f"score_{mode.lower()}": expected["four_dimensional"][f"Score ({mode})"] for mode in ("Strict", "Loose")
            }
        else:
            rates = {"rote_memorization_strict_rate": "0.00%", "rote_memorization_loose_rate": "0.00%"}
        steps = {"One-step(S1)": "one step", "Two-step(S2)": "two steps", "Three-step(S3)": "three steps"}
        for name, text in expected["accuracy"].items():
            rates[f"accuracy/steps/{steps[name]}" if name in steps else f"accuracy/domain/{name}"] = text
        assert {name: f"{mine[name]:.2%}" for name in rates} == rates
        assert mine["accuracy"] == pytest.approx(expected["mean_accuracy"], abs=1e-9)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_logicvista_figures() -> None:
    given = shared_table("conformance/logicvista_metrics.json")
    systems: dict[str, list[Row]] = defaultdict(list)
    for row in shared_rows("conformance/logicvista*.jsonl.gz"):
        systems[row["system"]].append(row)
    compared = [name for name in given if name in systems]
    assert compared
    for name in compared:
        graded = [(question_of(row), row["official_correct"]) for row in systems[name]]
        every, answered = (
            values(figures("logicvista", [question for question, _ in kept], [correct for _, correct in kept]))
            for kept in (graded, [pair for pair in graded if pair[0].answer])
        )
        for key, value in given[name].items():
            if key.startswith("overall"):
                mine = (answered if "without" in key else every)["accuracy"]
                assert mine == pytest.approx(value["accuracy_percent"] / 100, abs=1e-9)
            else:
                wanted = {label: each["accuracy_percent"] / 100 for label, each in value.items()}
                start = f"accuracy/{key}/"
                mine = {label.removeprefix(start): share for label, share in every.items() if label.startswith(start)}
                assert mine == pytest.approx(wanted, abs=1e-9)
