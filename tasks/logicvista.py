"""LogicVista: 447 questions of reasoning tests, their options mostly drawn in the image; accuracy.

A raw row (values invented):

    {"id": "v1_7", "question": "Which two boxes come next? Select from A-E", "image": <image>,
     "answer": "B, D",                # labels joined by ", "; all but four rows have one, one row has a digit
     "reasoning": "...", "skill": ["inductive"],                       # or deductive, numerical, spatial, mechanical
     "broad_capability": ["diagram and ocr"], "specific_capability": ["sequence pattern"]}

Traps. v1_382 has neither question nor answer and isn't one of the 447: the row is left out. v1_20 numbers its options,
so digits are its labels. Two rows have F and G as answers. The released result tables by capability go by other labels
than the data: their figures come out only with those as the category `capability`, and they count the empty row.

Both official procedures let a language model extract labels from the response. `grade_extraction` is the first-party
comparison of what was extracted (sorted lower-case lists are equal, so a label named twice is wrong), `toolkit_match`
the stricter form of a widely used toolkit (an unbroken run of capitals, so v1_20 can't be right). The extraction is the
pool's, else a judge's (`judge`). Without one, mode "official" reads only responses that are nothing but labels,
"(rule-only)", and says "needs a judge" of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench import Dialogue, Drawn, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import extraction_prompt, grade_labels, label_set, read_extraction

MAX_EXTRACTION_CHARACTERS = 20_000
NO_LABEL = "zzzzz"
"""What the first-party extraction gives for a response without a label."""


class LogicVista(Task):
    """LogicVista, all questions."""

    name = "logicvista"
    title = "LogicVista"
    breakdowns = ("skill", "capability")
    shown = ("skill", "capability")
    nano_kind = "labels"
    source = Source(
        hub_id="lscpku/LogicVista",
        split="test",
        rows=447,
        licence="Apache-2.0 (questions and answers); the images are from test vendors' pages",
        shown_publicly=("texts",),
        columns=("id", "question", "answer", "skill", "broad_capability"),
        image_columns=("image",),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question | None:
        """The question; None for the row that has neither question nor answer."""
        text, answer = row["question"].strip(), row["answer"].strip()
        if not text and not answer:
            return None
        return Question(
            task=self.name,
            id=str(row["id"]),
            text=text,
            images=images,
            answer=answer,
            answer_type="labels",
            categories={
                "skill": list(row["skill"]),
                "capability": [part for capability in row["broad_capability"] for part in capability.split(" and ")],
            },
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or the first-party comparison where the response is nothing but labels."""
        if not question.answer:
            return Verdict(None, None, False, "no gold answer")
        if mode == "robust":
            return grade_labels(question, response, question.answer.split(", "))
        if not response.strip():
            return Verdict(None, None, False, "empty response")
        extraction = _extract_by_rule(response)
        if extraction is None:
            return Verdict(None, None, False, "needs a judge")
        verdict = self.grade_extraction(question, extraction)
        return Verdict(verdict.extracted, verdict.answer_class, verdict.correct, f"{verdict.reason} (rule-only)")

    def judge(self, question: Question, response: str, extraction: str | None) -> Dialogue | None:
        """The judge extracts the labels of a response that is more than labels."""
        if extraction is not None or not response.strip() or _extract_by_rule(response) is not None:
            return None
        return self._extracted(question, response)

    def _extracted(self, question: Question, response: str) -> Dialogue:
        form = "the labels of the chosen options, joined by commas if there are several, such as B, D"
        extraction = read_extraction((yield extraction_prompt(question.text, response, form)))
        return None if extraction is None else self.grade_extraction(question, extraction or NO_LABEL)

    def grade_extraction(self, question: Question, extraction: str | None) -> Verdict:
        """The first-party comparison of extracted labels, which are joined by commas."""
        if extraction is None:
            return Verdict(None, None, False, "no answer")
        if len(extraction) > MAX_EXTRACTION_CHARACTERS:
            return Verdict(None, None, False, "too long")
        labels = sorted(label.strip(" '\"").lower() for label in extraction.strip("[] ").split(","))
        name = None if labels in ([NO_LABEL], [""]) else ", ".join(labels)
        correct = labels == sorted(question.answer.lower().split(", "))
        reason = "no answer" if name is None else "match" if correct else "different"
        return Verdict(extraction, name, correct, reason)

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A row with one to three labels."""
        return {
            "id": f"v1_{number}",
            "question": drawn.text,
            "answer": drawn.answer,
            "reasoning": "",
            "skill": ["numerical"],
            "broad_capability": ["ocr"],
            "specific_capability": ["comparison"],
        }


def toolkit_match(answer: str, judge_output: str) -> tuple[bool, bool]:
    """Whether the toolkit accepts what its judge replied (letters only, all capitals), and whether it is right."""
    accepted = judge_output.isalpha() and judge_output.isupper()
    gold = sorted(letter for letter in answer if letter not in ", ")
    return accepted, accepted and sorted(judge_output) == gold


def _extract_by_rule(response: str) -> str | None:
    """What the first-party extraction surely gives: no label for a lone sign that is neither a digit nor A to E.

    None for what it would ask its model about, unless the response is nothing but labels.
    """
    text = response.rpartition("ASSISTANT:")[2].strip()
    if len(text) == 1 and not (text in "ABCDEabcde" or text.isdigit()):
        return NO_LABEL
    if len(text) == 1:
        return text
    labels = label_set(text, "ABCDEFGHI")
    return ", ".join(sorted(labels)) if labels else None
