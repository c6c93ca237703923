"""WeMath testmini: 525 problems of two or three steps, each asked as a whole and step by step; strict score.

A raw row (values invented):

    {"ID": "2steps_7", "split": "testmini", "key": "2steps_1",   # role in the group: 2steps_1, 2steps_2, 2steps_multi
     "question": "How long is AB (in cm)?", "option": "A. 3; B. 4;C. 5; D. No correct answer", "answer": "B",
     "knowledge concept": "Perimeter of Squares",     # a composite row joins those of its steps by ";"
     "knowledge concept description": "...", "question number": 7, "image_path": <image>}

Traps. `ID` repeats within a group, and older copies misspell those of three steps, so the role is read from `key`.
Options are separated by ";" with or without a space, some contain ";" or lack it, one label has a full-width stop. In
some, option texts are letters in another order: a letter in a response means the label.

A group counts as *complete mastery* if all steps and the whole are right, *inadequate generalization* if only the
whole is wrong, *rote memorization* if the whole is right but not all steps (loosely: no step), *insufficient knowledge*
if neither. The score is (complete mastery + half of inadequate generalization) by the number of groups.

The official rule takes the first character after the last "Answer" (with a capital; else of the whole response), once
`<`, `>`, `:` and stops are gone: "(B)" and "**B**" are no answer, "Answer: Because" is B, and so is "Answer: B or C".
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from vpbench import DataError, Drawn, GradingMode, ImageRef, Measure, Question, Source, Task, Verdict
from vpbench.grade import grade_answer, label_set, listed_options

_WITHOUT_MARKS = str.maketrans("", "", "<>:.")
_TEMPLATE_MARK = re.compile(r"<<|>>|</[^<>\n]{1,20}>")
_TEMPLATE_HEAD = re.compile(r"<(Thought process|Answer)>")

STATES = (
    "insufficient_knowledge",
    "inadequate_generalization",
    "complete_mastery_strict",
    "rote_memorization_strict",
    "complete_mastery_loose",
    "rote_memorization_loose",
)
"""What a group can show; the first two are the same strictly and loosely."""
SCORES = ("score_strict", "score_loose")
DOMAINS = {
    "Angles and Length": (
        "Understanding Angles (Using a Protractor)",
        "Understanding Length (Using a Ruler)",
    ),
    "Basic Transformations of Figures": (
        "Axial Symmetry",
        "Translation",
        "Rotation",
    ),
    "Calculation of Plane Figures": (
        "Sum of Interior Angles of Other Polygons",
        "Sum of Interior Angles of Triangles",
        "Calculation and Comparison of Angles",
        "Area of Parallelograms",
        "Area of Triangles",
        "Area of Sectors",
        "Area of Trapezoids",
        "Area of Circles",
        "Area of Rectangles",
        "Area of Squares",
        "Perimeter of Parallelograms",
        "Perimeter of Triangles",
        "Perimeter of Trapezoids",
        "Circumference of Circles",
        "Perimeter of Rectangles",
        "Perimeter of Squares",
    ),
    "Calculation of Solid Figures": (
        "Surface Area of Cylinders",
        "Surface Area of Rectangular Cuboids",
        "Surface Area of Cubes",
        "Volume and Capacity of Cylinders",
        "Volume and Capacity of Cones",
        "Volume and Capacity of Rectangular Cuboids",
        "Volume and Capacity of Cubes",
    ),
    "Correspondence of Coordinates and Positions": (
        "Representing Positions Using Ordered Pairs",
        "Finding Positions Based on Ordered Pairs",
    ),
    "Cutting and Combining of Figures": (
        "Combining and Dividing Solids",
        "Division of Plane Figures",
        "Combining Plane Figures",
        "Tessellation of Figures",
        "Folding Problems of Figures",
    ),
    "Direction": (
        "Southeast, Southwest, Northeast, Northwest Directions",
        "Cardinal Directions (East, South, West, North)",
    ),
    "Position": (
        "Front-Back Position",
        "Up-Down Position",
        "Left-Right Position",
    ),
    "Route Map": (
        "Determining the Positions of Objects Based on Direction, Angle, and Distance",
        "Describing Simple Routes Based on Direction and Distance",
    ),
    "Understanding and Conversion of Units": (
        "Conversion Rates and Calculations Between Area Units",
        "Conversion Rates and Calculations Between Volume Units (Including Liters and Milliliters)",
        "Conversion Rates and Calculations Between Length Units",
    ),
    "Understanding of Plane Figures": (
        "Properties and Understanding of Parallelograms",
        "Properties and Understanding of Triangles",
        "Properties and Understanding of Trapezoids",
        "Properties and Understanding of Rectangles",
        "Properties and Understanding of Squares",
        "Understanding Triangular Rulers",
        "Understanding and Representing Angles",
        "Distance Between Two Points",
        "Understanding Line Segments, Lines, and Rays",
        "perpendicularity",
        "Parallel",
        "Understanding Sectors",
        "Understanding Circles",
        "Observing Figures",
    ),
    "Understanding of Solid Figures": (
        "Expanded View of Cylinders",
        "Expanded View of Rectangular Cuboids",
        "Expanded View of Cubes",
        "Properties of Cylinders",
        "Properties of Cones",
        "Properties and Understanding of Rectangular Cuboids",
        "Properties and Understanding of Cubes",
        "Observing Objects",
    ),
}
"""The twelve domains and the knowledge concepts that belong to each."""


class WeMath(Task):
    """WeMath, split testmini."""

    name = "wemath"
    title = "WeMath (testmini, strict score)"
    metric = "score_strict"
    breakdowns = ("steps",)
    shown = (*SCORES, *(f"{state}_rate" for state in STATES), "steps", "domain")
    nano_kind = "groups"
    source = Source(
        hub_id="We-Math/We-Math",
        split="testmini",
        rows=1740,
        licence="CC BY-NC 4.0",
        columns=("ID", "key", "question", "option", "answer", "knowledge concept"),
        image_columns=("image_path",),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The question with its options listed as (A), (B), ...; its group is the problem. Raises `DataError`."""
        id = f"{row['ID']}/{row['key']}"
        choices = listed_options(row["option"])
        if choices is None:
            raise DataError(f"question {id}: no options A, B, ... in {row['option']!r}")
        if row["answer"] not in _letters(choices):
            raise DataError(f"question {id}: answer {row['answer']!r} isn't the letter of an option")
        lines = [f"({letter}) {choice}" for letter, choice in zip(_letters(choices), choices, strict=True)]
        return Question(
            task=self.name,
            id=id,
            text="\n".join([row["question"].strip(), *lines]),
            images=images,
            choices=choices,
            answer=row["answer"],
            answer_type="choice",
            group=row["ID"],
            categories={"knowledge_concept": row["knowledge concept"], "steps": _steps(row["key"])},
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the benchmark's rule."""
        if not response.strip():
            return Verdict(None, None, False, "empty response")
        if mode == "official":
            return self.compare(question, extract(response))
        response = _TEMPLATE_HEAD.sub(r"\1: ", _TEMPLATE_MARK.sub(" ", response))
        labels = label_set(response.rpartition("Answer")[2].strip(" :：\n"))
        if labels is not None and len(labels) == 1:
            response = f"Answer: {min(labels)}"
        question = dataclasses.replace(question, choices=_without_labels(question.choices or ()))
        return grade_answer(question, response, gold_choice=ord(question.answer) - ord("A"))

    def compare(self, question: Question, extraction: str | None) -> Verdict:
        """The official comparison of a letter."""
        if not extraction:
            return Verdict(None, None, False, "no answer")
        correct = extraction == question.answer
        return Verdict(extraction[:200], extraction[:200], correct, "match" if correct else "different")

    def group_value(self, questions: Sequence[Question], correctness: Any) -> Any:
        """What a group adds to the strict score: 1 if steps and whole are right, 1/2 if only the whole is wrong.

        A whole that isn't there counts as wrong; steps that aren't there don't count.
        """
        return _every_step(questions, correctness) * (1 + _whole(questions, correctness)) / 2

    def measures(self, questions: Sequence[Question], correctness: Any) -> list[Measure]:
        """Both scores, the rates of the states, and the accuracy on each domain's steps.

        Rates are by the number of groups, those of rote memorization by the groups whose whole is right. A domain's
        accuracy is the plain mean of its concepts' accuracies.
        """
        every, none, whole = (
            Measure.of_groups("", questions, correctness, value) for value in (_every_step, _no_step, _whole)
        )
        figures = mastery(every.values, none.values, whole.values)
        return [
            *(dataclasses.replace(whole, name=name, values=figures[name]) for name in SCORES),
            *(
                Measure(f"{state}_rate", figures[state], whole.weights, by=whole if state.startswith("rote") else None)
                for state in STATES
            ),
            *_domains(questions, correctness),
        ]

    def gold_response(self, question: Question) -> str:
        """The gold letter in the benchmark's form."""
        return f"Answer: {question.answer}"

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A step or the whole of a problem."""
        options = [f"{letter}. {text}" for letter, text in zip("ABCD", drawn.options or (), strict=True)]
        concept = DOMAINS["Calculation of Plane Figures"][5]
        return {
            "ID": f"{drawn.part.partition('_')[0]}_{number}",
            "split": "testmini",
            "key": drawn.part,
            "question": drawn.text,
            "option": "; ".join(options),
            "answer": drawn.letter,
            "knowledge concept": concept,
            "knowledge concept description": "",
            "question number": number,
        }


def extract(response: str) -> str | None:
    """The letter that the benchmark's rule reads out of a response."""
    text = response.rpartition("Answer")[2].strip().translate(_WITHOUT_MARKS).strip()
    return text[0] if text and text[0] in "ABCDEFGH" else None


def is_composite(question: Question) -> bool:
    """Whether the question asks a problem as a whole."""
    return _role(question).endswith("multi")


def mastery(every: Any, none: Any, whole: Any) -> dict[str, Any]:
    """The probability of each state of a group, and its part in the scores.

    Given are the probabilities that every step is right, that none is, and that the whole is.
    """
    states = {
        "insufficient_knowledge": (1 - every) * (1 - whole),
        "inadequate_generalization": every * (1 - whole),
        "complete_mastery_strict": every * whole,
        "rote_memorization_strict": (1 - every) * whole,
        "complete_mastery_loose": (1 - none) * whole,
        "rote_memorization_loose": none * whole,
    }
    half = states["inadequate_generalization"] / 2
    return states | {f"score_{mode}": states[f"complete_mastery_{mode}"] + half for mode in ("strict", "loose")}


def _every_step(questions: Sequence[Question], correctness: Any) -> Any:
    return correctness[[not is_composite(question) for question in questions]].prod(axis=0)


def _no_step(questions: Sequence[Question], correctness: Any) -> Any:
    return _every_step(questions, 1 - correctness)


def _whole(questions: Sequence[Question], correctness: Any) -> Any:
    return correctness[[is_composite(question) for question in questions]].sum(axis=0)


def _domains(questions: Sequence[Question], correctness: Any) -> list[Measure]:
    """The accuracy on the steps of each domain, every concept with the same weight."""
    import numpy as np

    concepts = [
        None if is_composite(question) else question.categories.get("knowledge_concept") for question in questions
    ]
    sizes = Counter(concepts)
    measures = []
    for domain, members in DOMAINS.items():
        weights = np.array([1 / sizes[concept] if concept in members else 0.0 for concept in concepts])
        if weights.any():
            measures.append(Measure("accuracy", correctness, weights, category="domain", label=domain))
    return measures


def _steps(key: str) -> str:
    """What a row asks: one step (the benchmark's S1), or a whole of two (S2) or three (S3)."""
    return "one step" if not key.endswith("multi") else "two steps" if key.startswith("2") else "three steps"


def _role(question: Question) -> str:
    """The `key` of the row, the second part of the id."""
    return question.id.rpartition("/")[2]


def _without_labels(choices: Sequence[str]) -> tuple[str, ...] | None:
    """The option texts for reading, those left out that are another option's letter: a letter means the label."""
    if not choices:
        return None
    return tuple(
        "" if text in _letters(choices) and text != letter else text
        for letter, text in zip(_letters(choices), choices, strict=True)
    )


def _letters(choices: Sequence[str]) -> str:
    return "ABCDEFGHIJ"[: len(choices)]
