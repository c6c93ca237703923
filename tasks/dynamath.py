r"""DynaMath: 501 seed questions in ten variants each, with other numbers, figures or colours; worst-case accuracy.

A raw row of split sample_variant3 (values invented; the variant stands in the split's name only):

    {"id": "7", "question": "Which slice is larger? Choices: (A) red (B) blue",   # options are inside the question
     "image": "images/7.png", "decoded_image": <image>,
     "ground_truth": "B",               # a letter, a number with up to four decimals (three rows: fifteen), or text
     "answer_type": "multiple choice",  # or float, text: "Q3", "y = 4", "(2.946, 0.567)", "Aug", "16, 88, 66"
     "subject": "statistics", "knowledge_level": "high school"}

Traps. The hub has one split per variant. Six rows have F as their answer; the official rules know A to E. One question
lists an option without its text. Months are abbreviated.

The benchmark's prompt asks for JSON with the keys "solution" and "short answer"; robust grading reads that or prose.
Floats are right within 0.001, no relative part (exactly in robust mode, in binary floating point in official mode).
There are two official rules. `toolkit_verdict`, that of the widely used evaluation toolkit, is what mode "official"
means: text counts if it is *part of the gold text* (nothing and single characters, too), and what can't be parsed goes
to a judge model (`judge`; "needs a judge" and counted wrong without one). `first_party_verdict` is the rule of the
authors' own scripts: the gold text has to be part of the answer, and whatever can't be parsed is wrong.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from vpbench import (
    DataError,
    Dialogue,
    Drawn,
    GradingMode,
    ImageRef,
    Measure,
    Question,
    Source,
    Task,
    Verdict,
)
from vpbench.grade import extraction_prompt, grade_answer, label_set, listed_options, read_extraction

TOLERANCE = Fraction(1, 1000)
NEEDS_JUDGE = "needs a judge"
VARIANTS = 10
MAX_RESPONSE_CHARACTERS = 1_000_000

_KEY = "short answer"
_FORMS = {
    "float": "a decimal number in digits, without a unit",
    "multiple choice": "the option's letter alone, such as B",
}
_QUOTED_ANSWER = re.compile(rf'"{_KEY}"\s*:\s*"([^"\n]{{1,2000}})"')
_READ_DECIMALS, _CLASS_DECIMALS = 6, 3
_MONTH = re.compile(
    r"\b(Jan(?=uary\b)|Feb(?=ruary\b)|Mar(?=ch\b)|Apr(?=il\b)|Jun(?=e\b)|Jul(?=y\b)|Aug(?=ust\b)"
    r"|Sep(?=t\b|tember\b)|Oct(?=ober\b)|Nov(?=ember\b)|Dec(?=ember\b))[a-z]+",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"\A\s*(?:it|this|that|they|these) (?:is|are) ", re.IGNORECASE)
_SMALL_NUMBERS = re.compile(r"-?\d{1,3}(?:, -?\d{1,3})+")
_CUT_OFF = re.compile(r'[^{"]{0,200}\{\s*"solution"')
_NAMED_VALUE = re.compile(r"\b([A-Za-z])\s*=")


class DynaMath(Task):
    """DynaMath, the ten sampled variants."""

    name = "dynamath"
    title = "DynaMath (10 variants, worst case)"
    metric = "worst_case_accuracy"
    breakdowns = ("subject", "knowledge_level", "variant")
    shown = ("accuracy", "worst_case_accuracy", "reasoning_robustness", "subject", "knowledge_level")
    nano_kind = "variants"
    source = Source(
        hub_id="DynaMath/DynaMath_Sample",
        split="+".join(f"sample_variant{number}" for number in range(1, VARIANTS + 1)),
        rows=5010,
        licence="MIT by the repository's badge (no licence file)",
        columns=("id", "question", "ground_truth", "answer_type", "subject", "knowledge_level"),
        image_columns=("decoded_image",),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The question of one variant; its group is the seed question. Raises `DataError`."""
        variant = re.fullmatch(r"sample_variant(\d+)", row["__split__"])
        if variant is None:
            raise DataError(f"question {row['id']}: split {row['__split__']!r} isn't named sample_variant1, ...")
        return Question(
            task=self.name,
            id=f"{row['id']}/variant{variant[1]}",
            text=row["question"].strip(),
            images=images,
            choices=listed_options(row["question"]) if row["answer_type"] == "multiple choice" else None,
            answer=row["ground_truth"],
            answer_type=row["answer_type"],
            group=str(row["id"]),
            categories={
                "subject": row["subject"],
                "knowledge_level": row["knowledge_level"],
                "variant": int(variant[1]),
            },
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the toolkit's rule."""
        return toolkit_verdict(question, response) if mode == "official" else _robust(question, response)

    def judge(self, question: Question, response: str, extraction: str | None) -> Dialogue | None:
        """The judge gives the short answer where the toolkit's rule can't parse the response."""
        return _short_form(question, response) if toolkit_verdict(question, response).reason == NEEDS_JUDGE else None

    def group_value(self, questions: Sequence[Question], correctness: Any) -> Any:
        """All variants of a seed that are there have to be right: the product over them."""
        return correctness.prod(axis=0)

    def measures(self, questions: Sequence[Question], correctness: Any) -> list[Measure]:
        """The worst case, overall and by category, and reasoning robustness: worst case by average accuracy."""
        worst_case = Measure.of_groups(self.metric, questions, correctness, self.group_value)
        robustness = dataclasses.replace(worst_case, name="reasoning_robustness", by=Measure.accuracy(correctness))
        kinds = ("subject", "knowledge_level")
        return [worst_case, robustness, *(part for kind in kinds for part in worst_case.by_category(questions, kind))]

    def gold_response(self, question: Question) -> str:
        """The gold answer in the JSON form that the benchmark asks for."""
        return json.dumps({"solution": "", _KEY: question.answer}, ensure_ascii=False)

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A row of the variant's own split."""
        return {
            "__split__": f"sample_variant{drawn.part}",
            "id": str(number),
            "question": drawn.text,
            "image": f"images/{number}.png",
            "ground_truth": drawn.answer,
            "answer_type": "float",
            "subject": "arithmetic",
            "knowledge_level": "elementary school",
        }


def toolkit_verdict(question: Question, response: str) -> Verdict:
    """The verdict of the widely used toolkit's rule; "needs a judge" where it would ask a judge model.

    "rule raises" where the original fails with an exception (text questions answered with a JSON number). The answer
    class is what it extracts.
    """
    if not response.strip():
        return Verdict(None, None, False, "empty response")
    if len(response) > MAX_RESPONSE_CHARACTERS:
        return Verdict(None, None, False, "too long")
    prediction = _json_part(response)
    extracted: Any = None
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        extracted = _extracted(json.loads(prediction, strict=False).get(_KEY), question.answer_type)
    if extracted is None:
        with contextlib.suppress(ValueError):
            extracted = _extracted(prediction, question.answer_type)
    return Verdict(None, None, False, NEEDS_JUDGE) if extracted is None else _compared(question, extracted)


def _compared(question: Question, extracted: Any) -> Verdict:
    """The toolkit's comparison of a short answer."""
    if question.answer_type == "float":
        correct = _within_tolerance(extracted, question.answer)
    elif question.answer_type == "multiple choice":
        correct = extracted == question.answer
    elif isinstance(extracted, str):
        correct = extracted.lower() in question.answer.lower()
    else:
        return Verdict(str(extracted)[:200], None, False, "rule raises")
    return Verdict(str(extracted)[:200], str(extracted)[:200], correct, "match" if correct else "different")


def _short_form(question: Question, response: str) -> Dialogue:
    """The toolkit's rule on the short answer that a judge gives; text never needs one, the rule takes any."""
    short = read_extraction((yield extraction_prompt(question.text, response, _FORMS[question.answer_type])))
    if short == "":
        return Verdict(None, None, False, "no answer")
    extracted: Any = None
    with contextlib.suppress(ValueError):
        extracted = None if short is None else _extracted(short, question.answer_type)
    return None if extracted is None else _compared(question, extracted)


def first_party_verdict(question: Question, response: str) -> Verdict:
    """The verdict of the authors' own scripts: whatever can't be parsed is wrong ("not parsed").

    Text that isn't JSON is graded by its last line less one character, as the scripts do.
    """
    if len(response) > MAX_RESPONSE_CHARACTERS:
        return Verdict(None, None, False, "too long")
    prediction = _json_part(response)
    try:
        try:
            answer = json.loads(prediction, strict=False)
        except ValueError:
            answer = prediction.split("\n")[-1][:-1]
        else:
            answer = answer[_KEY]
        if question.answer_type == "float":
            answer = _number(answer) if isinstance(answer, str) else float(answer)
            correct = _within_tolerance(answer, question.answer)
        elif question.answer_type == "multiple choice":
            correct = question.answer in answer[:3]
        else:
            correct = question.answer in answer
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError):
        return Verdict(None, None, False, "not parsed")
    return Verdict(str(answer)[:200], str(answer)[:200], correct, "match" if correct else "different")


def _json_part(response: str) -> str:
    """From the first opening to the last closing brace, where there are both, and without any backslash."""
    start, end = response.find("{"), response.rfind("}")
    return (response[start : end + 1] if 0 <= start < end else response).replace("\\", "")


def _extracted(answer: Any, answer_type: str) -> Any:
    """The toolkit's reading of a short answer; None where it has none. Raises as the original does."""
    if answer is None:
        return None
    if answer_type == "float":
        return _number(answer)
    if answer_type != "multiple choice":
        return answer
    if len(answer) == 1:
        return answer.upper()
    letters = [letter for letter in "ABCDE" if letter in answer.upper()]
    return letters[0] if len(letters) == 1 else None


def _number(text: str) -> float:
    """Digits, or a number before the first space; one before a π is multiplied by it. Raises ValueError."""
    if text.isdigit():
        return float(text)
    head, pi, _ = text.split(" ")[0].partition("π")
    return float(head) * math.pi if pi else float(head)


def _within_tolerance(value: float, gold: str) -> bool:
    return abs(value - float(gold)) <= float(TOLERANCE)


def _robust(question: Question, response: str) -> Verdict:
    """The verdict of a careful reader, on the JSON's short answer if there is one."""
    short = _short_answer(response)
    if short is not None and not short.strip():
        return Verdict(None, None, False, "no answer")
    response = response if short is None else short
    if question.answer_type == "multiple choice":
        return _robust_choice(question, response)
    if question.answer_type == "float":
        return _robust_float(question, response)
    return _robust_text(question, response)


def _short_answer(response: str) -> str | None:
    """The short answer of a response in the benchmark's JSON form, "" if it has none; None for another response."""
    if len(response) > MAX_RESPONSE_CHARACTERS:
        return None
    if f'"{_KEY}"' not in response:
        return "" if _CUT_OFF.match(response) and not response.rstrip(" \n`").endswith("}") else None
    part = response[response.find("{") : response.rfind("}") + 1]
    for text in (part, part.replace("\\", "")):
        try:
            answer = json.loads(text, strict=False)[_KEY]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if isinstance(answer, list):
            return ", ".join(map(str, answer))
        return "" if answer is None else str(answer)
    quoted = _QUOTED_ANSWER.findall(response)
    return quoted[-1] if quoted else None


def _robust_choice(question: Question, response: str) -> Verdict:
    """The option chosen; a reply that is one letter counts in lower case, too."""
    choices = question.choices or listed_options(question.text)
    gold = ord(question.answer) - ord("A") if len(question.answer) == 1 else -1
    if not 0 <= gold < len(choices or "ABCDEFGH"):
        return Verdict(None, None, False, "gold answer isn't an option")
    labels = label_set(response)
    if labels is not None and len(labels) == 1:
        response = min(labels)
    return grade_answer(dataclasses.replace(question, choices=choices), response, gold_choice=gold)


def _robust_text(question: Question, response: str) -> Verdict:
    """Words, tuples and lists of numbers, "y = 4". Month names count in full and in short."""
    response = _LEAD_IN.sub("", response, count=1)
    if question.answer.isalpha():
        response = _MONTH.sub(r"\1", response)
        question = dataclasses.replace(question, answer=_MONTH.sub(r"\1", question.answer))
    elif _SMALL_NUMBERS.fullmatch(question.answer):
        response = re.sub(r"(?<=\d),(?=-?\d)", ", ", response)
    verdict = grade_answer(dataclasses.replace(question, answer_type="open"), response)
    wanted, named = _NAMED_VALUE.match(question.answer), _NAMED_VALUE.search(verdict.extracted or "")
    if wanted and named and wanted[1] != named[1]:
        return dataclasses.replace(verdict, correct=False, answer_class=f"text:{verdict.extracted}", reason="different")
    return verdict


def _robust_float(question: Question, response: str) -> Verdict:
    """The number that the response gives, compared exactly with the tolerance; its class has three decimals."""
    numeric = dataclasses.replace(question, answer_type="float", precision=_READ_DECIMALS)
    verdict = grade_answer(numeric, response)
    try:
        value = Fraction((verdict.answer_class or "").removeprefix("number:"))
        gold = Fraction(question.answer)
    except ValueError:
        return verdict
    correct = abs(value - gold) <= TOLERANCE
    name = f"number:{float(round(value, _CLASS_DECIMALS)) if abs(value) < 10**12 else value}"
    return dataclasses.replace(verdict, answer_class=name, correct=correct, reason="match" if correct else "different")
