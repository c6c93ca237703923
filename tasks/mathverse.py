r"""MathVerse, the 788 Vision Only rows of testmini: geometry and functions, the whole problem in the image; accuracy.

A raw row (values invented):

    {"sample_index": "3937", "problem_index": "7", "problem_version": "Vision Only", "image": <image>,
     "question": "",                                        # empty: the question stands in the image
     "question_for_eval": "Find x.\nChoices:\nA:3\nB:4",    # the text that graders and judges read
     "answer": "B", "question_type": "multi-choice",        # or "free-form"
     "metadata": {"split": "testmini", "source": "GeoQA", "subject": "Plane Geometry", "subfield": "Length"},
     "query_wo": "...", "query_cot": "..."}                 # official prompts, not used

testmini holds each problem in five versions, 3940 rows; rows of other versions are passed over.

Traps. Golds of multiple choice are letters, but also "(C)", two letters on two lines, an option's text ("False", a
bearing). Free-form golds come as "Area $=9 \pi \mathrm{cm}^{2}$", "118掳T" (a broken degree sign), "{8}{5} \pi" (a lost
\frac), intervals, inequalities, equations, or descriptions in words; docs/grading.md names those nobody can match.

Officially a language model extracts the answer and judges it (`judge`). Without one the official mode is the exact
comparison that the original code offers as its quick match; its reasons say "rule-only".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from vpbench import DataError, Dialogue, Drawn, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import (
    comparison_prompt,
    extraction_prompt,
    grade_answer,
    grade_labels,
    read_comparison,
    read_extraction,
)

TEXT = "Answer the question that is shown in the image."
VERSION = "Vision Only"
MAX_CHARACTERS = 20_000


_CHOICES = re.compile(r"\n\s*Choices?\s*:?\s*\n")
_CHOICE = re.compile(r"(?:\A|\n)\s*([A-Z])\s*[:.]")
_LETTERS = re.compile(r"\W*[A-Z](?:\W+[A-Z])*\W*")

_DEGREE = r"\s{0,3}(?:°|\^\s{0,3}\{?\s{0,3}\\circ\s{0,3}\}?|degrees?\b)\s{0,3}"
_TRUE_BEARING = re.compile(rf"(?<=\d){_DEGREE}(?:\\?(?:text|mathrm)\s?\{{[\s~]{{0,3}}T\}}|T\b)")
_COMPASS_BEARING = re.compile(rf"\b([NS])\s{{0,3}}(\d{{1,2}}(?:\.\d{{1,4}})?){_DEGREE}([EW])\b")
_COMPASS_WORDS = re.compile(
    rf"\b(north|south)\s{{1,3}}(\d{{1,2}}(?:\.\d{{1,4}})?){_DEGREE}(east|west)\b", re.IGNORECASE
)
_POWER = r"(?:[\s$]{0,4}\^[\s{]{0,3}[23]\s?\}?|[²³])?"
_UNIT_NAME = r"(?:[cmkd]?m|k?g|(?:square |cubic |sq\.? )?units?|lit(?:re|er)s?|L|km ?/ ?h)"
_UNIT = re.compile(
    rf"\\(?:text|mathrm)\s?\{{[~\s]{{0,3}}{_UNIT_NAME}[~\s]{{0,3}}\}}{_POWER}"
    rf"|(?:\b(?:square|cubic) )?\bunits?\b{_POWER}|\blit(?:re|er)s?\b",
    re.IGNORECASE,
)
_SPELLINGS = (("掳", "°"), ("−", "-"), ("∞", r"\infty"), ("∪", r" \cup "), ("≤", "<="), ("≥", ">="))
_RELATION = re.compile(r"(?P<tag></?[A-Za-z_]{1,20}>|<\|[^|<>]{1,30}\|>)|\\leq?(?![a-z])|\\geq?(?![a-z])|[<>]=?")
_RELATION_WORDS = {"<": r"\lt ", ">": r"\gt ", "<=": r"\leq ", ">=": r"\geq ", r"\le": r"\leq ", r"\ge": r"\geq "}
_DESCRIPTION = re.compile(r"[A-Za-z].*?(?<![\\A-Za-z])[A-Za-z]{4}|[A-Za-z]{4}", re.DOTALL)
_LAYOUT = re.compile(r"\\(?:left|right)(?![a-z])")
_NAMED = re.compile(r"\s*(?:[A-Za-z][A-Za-z. ]+|\\mathrm\{[A-Z]+\}|)\s*=(?!.*=)\s*(?=\S)", re.DOTALL)
_NAME_OF_A_POINT = re.compile(
    r"(?:(?:\\[a-z]{2,6} ?[a-z]|\b(?!(?:answer|is|are)\b)[A-Za-z]{1,12}|\([xt], ?y\))[\s$]{0,3}"
    r"=[\s$]{0,3}){1,3}(?=\([^(),=]{1,40},[^(),=]{1,40}\))"
)
_LOST_FRACTION = re.compile(r"\A\s*(?=\{\d+\}\{\d+\})")

_END = r"\s{0,3}([-+]?(?:\\infty|\d{1,9}(?:\.\d{1,9})?(?:/[1-9]\d{0,8})?))\s{0,3}"
_PAIR = rf"[(\[]{_END},{_END}[)\]]"
_PAIRS = re.compile(_PAIR)
_SET = re.compile(
    r"(?:(domain|range|increas|decreas|constant|maximum|minimum)(?:[^()\[\]]|\([a-z]\)){0,60})?"
    rf"({_PAIR}(?:\s{{0,3}}(?:\\cup|U|and)\s{{0,3}}{_PAIR}){{0,9}})",
    re.IGNORECASE,
)
_SIMPLE_FRACTION = re.compile(r"\\[dt]?frac\s?\{(\d{1,9})\}\s?\{(\d{1,9})\}")
_UNBOUNDED = re.compile(r"\\infty|\\cup|domain|range|increas|decreas|maximum|minimum", re.IGNORECASE)


class MathVerse(Task):
    """MathVerse, split testmini, version Vision Only."""

    name = "mathverse"
    title = "MathVerse (testmini, Vision Only)"
    breakdowns = ("subject", "subfield")
    shown = ("subject", "subfield")
    nano_kind = "shown"
    source = Source(
        hub_id="AI4Math/MathVerse",
        split="testmini",
        rows=788,
        licence="MIT",
        shown_publicly=("texts", "pictures"),
        columns=("problem_index", "problem_version", "question_for_eval", "answer", "question_type", "metadata"),
        config="testmini",
        image_columns=("image",),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question | None:
        """The question of a Vision Only row, None for another version. Raises `DataError`."""
        if row["problem_version"] != VERSION:
            return None
        choice = row["question_type"] == "multi-choice"
        question = Question(
            task=self.name,
            id=str(row["problem_index"]),
            text=TEXT,
            images=images,
            choices=options(row["question_for_eval"]) if choice else None,
            answer=row["answer"],
            answer_type="choice" if choice else "open",
            categories={key: row["metadata"][key] for key in ("subject", "subfield")},
            text_in_image=row["question_for_eval"],
        )
        if choice:
            gold_choices(question)
        return question

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or official without the judge: the response has to be the gold answer to the letter."""
        if mode == "official":
            return self.grade_extraction(question, response)
        asked = dataclasses.replace(question, text=question.text_in_image or question.text)
        choices = question.choices
        if choices is None and question.answer_type != "open":
            choices = options(asked.text)
        response = spelled(response)
        if choices or question.answer_type == "choice":
            golds = gold_choices(dataclasses.replace(question, choices=choices))
            asked = dataclasses.replace(asked, choices=choices and tuple(map(spelled, choices)))
            if len(golds) > 1:
                return grade_labels(asked, response, [chr(ord("A") + gold) for gold in golds])
            return grade_answer(asked, response, gold_choice=golds[0])
        gold = plain_gold(question.answer)
        sets = labelled_sets(gold) if _UNBOUNDED.search(gold) else {}
        if sets:
            return _grade_sets(sets, response)
        kind = "text" if _DESCRIPTION.match(gold) else "open"
        return grade_answer(dataclasses.replace(asked, answer=gold, answer_type=kind), response)

    def judge(self, question: Question, response: str, extraction: str | None) -> Dialogue | None:
        """The judge extracts the answer and compares it, unless it is the gold answer to the letter."""
        given = response if extraction is None else extraction
        return self._judged(question, response, extraction) if given.strip() else None

    def _judged(self, question: Question, response: str, extraction: str | None) -> Dialogue:
        asked = question.text_in_image or question.text
        if extraction is None:
            form = "briefly as it stands there: an option's letter if it chooses one, else the value or expression"
            extraction = read_extraction((yield extraction_prompt(asked, response, form)))
        if not extraction:
            return None if extraction is None else Verdict(None, None, False, "no answer")
        correct: bool | None = extraction == question.answer
        if not correct:
            correct = read_comparison((yield comparison_prompt(asked, question.answer, extraction)))
        if correct is None:
            return None
        name = question.answer if correct else extraction
        return Verdict(extraction[:200], name[:200], correct, "match" if correct else "different")

    def grade_extraction(self, question: Question, extraction: str | None) -> Verdict:
        """The original's quick match: equal strings."""
        if not extraction:
            return Verdict(None, None, False, "empty response")
        correct = extraction == question.answer
        reason = "match (rule-only)" if correct else "different (rule-only)"
        if len(extraction) > MAX_CHARACTERS:
            return Verdict(extraction[:200], None, False, "too long")
        return Verdict(extraction[:200], extraction, correct, reason)

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A free-form Vision Only row: the picture asks."""
        return {
            "sample_index": str(number),
            "problem_index": str(number),
            "problem_version": VERSION,
            "question": "",
            "question_for_eval": drawn.text,
            "answer": drawn.answer,
            "question_type": "free-form",
            "metadata": {"split": "testmini", "source": "nano", "subject": "Functions", "subfield": "Expression"},
            "query_wo": "",
            "query_cot": "",
        }


def options(text: str) -> tuple[str, ...] | None:
    """The options that a question lists after "Choices:", as lines "A:..." or "A. ..."; None without any."""
    listed = _CHOICES.split("\n" + text)
    marks = list(_CHOICE.finditer(listed[-1])) if len(listed) > 1 else []
    if not marks or [mark[1] for mark in marks] != [chr(ord("A") + number) for number in range(len(marks))]:
        return None
    ends = [mark.start() for mark in marks[1:]] + [len(listed[-1])]
    return tuple(listed[-1][mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True))


def gold_choices(question: Question) -> list[int]:
    """The indices of the right options, by letters or by an option's text. Raises `DataError`."""
    choices = question.choices or ()
    if _LETTERS.fullmatch(question.answer):
        indices = [ord(letter) - ord("A") for letter in re.findall("[A-Z]", question.answer)]
        if not choices or max(indices) < len(choices):
            return indices
    elif question.answer.strip() in choices:
        return [choices.index(question.answer.strip())]
    raise DataError(f"question {question.id}: answer {question.answer!r} is no option; options: {choices}")


def spelled(text: str) -> str:
    """`text` in one spelling of signs, bearings and units, the same for golds and responses.

    Bearings become degrees clockwise from north: "N 34° W" is 326°, "053° T" is 053°. The name in "center = (2, 3)",
    units in text commands and unit words that formulas end with are left out.
    """
    for old, new in _SPELLINGS:
        text = text.replace(old, new)
    text = _RELATION.sub(lambda match: match["tag"] or _RELATION_WORDS.get(match[0], match[0]), text)
    text = _NAME_OF_A_POINT.sub("", _LAYOUT.sub("", text))
    text = _TRUE_BEARING.sub("°", text)
    for pattern in (_COMPASS_BEARING, _COMPASS_WORDS):
        text = pattern.sub(_true_bearing, text)
    return _UNIT.sub(" ", text)


def _true_bearing(match: re.Match[str]) -> str:
    south, west = match[1][0] in "Ss", match[3][0] in "Ww"
    angle = Fraction(match[2])
    bearing = 180 - angle if south else angle
    return f"{float(360 - bearing if west else bearing):.10g}°"


def plain_gold(answer: str) -> str:
    """A free-form gold as a bare value, formula or description: without delimiters, unit and the name it is given.

    An equation that begins with a bracket gets a zero before it, so that the grader doesn't take that for a point.
    """
    lines = dict.fromkeys(line.strip() for line in spelled(answer).replace("$", " ").strip().splitlines())
    text = re.sub(r"\\\[|\\\]", "", " ".join(lines)).strip(" .")
    text = _NAMED.sub("", text, count=1) if _NAMED.match(text) else text
    text = _LOST_FRACTION.sub(r"\\frac", text).strip()
    return f"0 + {text}" if text.startswith("(") and "=" in text else text


def labelled_sets(text: str) -> dict[str, str]:
    """Unions of intervals, and points, by what `text` says they are (domain, range, increas, ...), "" for the last.

    Of two under the same name the last one counts; ends are exact numbers, so that 1/6 and \\frac{1}{6} are the same.
    """
    text = _SIMPLE_FRACTION.sub(r"\1/\2", text[-MAX_CHARACTERS:])
    text = re.sub(r"[${}]|\\(?:text|quad)\b", "", _LAYOUT.sub("", text))
    sets = {}
    for match in _SET.finditer(text):
        union = " u ".join(_pair(pair) for pair in _PAIRS.finditer(match[2]))
        sets[(match[1] or "").lower()] = sets[""] = union
    return sets


def _pair(match: re.Match[str]) -> str:
    ends = [end.lstrip("+") if "infty" in end else str(Fraction(end)) for end in match.groups()]
    return f"{match[0][0]}{ends[0]}, {ends[1]}{match[0][-1]}"


def _grade_sets(gold: Mapping[str, str], response: str) -> Verdict:
    """Every set that the gold names has to be the same; a gold with one set without a name, the last one said."""
    names = [name for name in gold if name] or [""]
    sets = labelled_sets(response)
    answer = "; ".join(f"{name} {sets[name]}".strip() for name in names if name in sets)
    if not answer:
        return Verdict(None, None, False, "no answer" if response.strip() else "empty response")
    correct = all(sets.get(name) == gold[name] for name in names)
    return Verdict(answer[:200], f"sets:{answer}", correct, "match" if correct else "different")
