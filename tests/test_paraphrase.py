"""Equal verdicts for equal meaning: answers said in ways drawn from a grammar, kind by kind.

Every test draws what is meant (a number, a time, an option) and how it is said (lead-in, wrapper, thoughts before it,
a copied list of options), and asks that what is meant is read: the right answer is credited and lands in the class of
its plainest form, another one isn't, and what is no answer gives none. `make fuzz` draws twenty times as many.
"""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from vpbench import Question, Verdict
from vpbench.grade import grade_answer, grade_labels

EXAMPLES = 1_500 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 75
kind = settings(max_examples=EXAMPLES, deadline=None)

LEAD_INS = st.sampled_from(
    [
        *("{}", "The answer is {}.", "Answer: {}", "**Answer:** {}", "So the answer is {}.", "Final answer: {}"),
        *(
            "$\\boxed{{{}}}$",
            "Let me see.\n\nThe final answer is {}.",
            "<answer>{}</answer>",
            "Therefore, the answer is {}.",
        ),
        *("I looked at the picture for a while.\nThe correct answer is **{}**.", "It is {}."),
    ]
)
PROSE = st.sampled_from(
    [
        "{}",
        "The answer is {}.",
        "Answer: {}",
        "So the answer is {}.",
        "It is {}.",
        "**Final answer:** {}",
        "Hence the answer is {}.",
    ]
)
THOUGHTS = st.sampled_from(
    [
        *("<think>{}</think>\n", "<thinking>{}</thinking>", "◁think▷{}◁/think▷", "[THINK]{}[/THINK]\n", "{}</think>\n"),
        *("<reasoning>{}</reasoning>\n", "<|begin_of_thought|>{}<|end_of_thought|>\n", "<seed:think>{}</seed:think>"),
        *(
            "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
            "<thought>{}</thought>\n",
        ),
        *("<SUMMARY>I look.</SUMMARY>\n<REASONING>{}</REASONING>\n", "<|thinking|>{}<|/thinking|>\n"),
    ]
)
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
COLOURS = ("red", "green", "blue", "dark blue", "yellow")
LABELS = "ABCDE"
COLOUR = Question("test", "1", "Which colour has the car?", choices=COLOURS, answer="C", answer_type="choice")


def in_words(number: int, joint: str) -> str:
    """English words of a number below a million; `joint` between tens and ones."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (joint + ONES[number % 10] if number % 10 else "")
    size, name = (1_000, "thousand") if number >= 1_000 else (100, "hundred")
    rest = number % size
    between = " and " if rest and size == 100 and joint == "-" else " "
    return f"{in_words(number // size, joint)} {name}" + (between + in_words(rest, joint) if rest else "")


def question(answer: str, type: str = "integer", text: str = "What is asked for?", **more: Any) -> Question:
    return Question("test", "1", text, answer=answer, answer_type=type, **more)


def graded(asked: Question, response: str) -> Verdict:
    if asked.answer_type == "labels":
        return grade_labels(asked, response, asked.answer.split(", "))
    gold = LABELS.index(asked.answer) if asked.choices else None
    return grade_answer(asked, response, gold_choice=gold)


def check(asked: Question, said: str, plain: str, correct: bool) -> None:
    """`said` has the verdict `correct` and the class of `plain`."""
    verdict = graded(asked, said)
    assert verdict.correct is correct, (said, verdict)
    assert verdict.answer_class == graded(asked, plain).answer_class, (said, verdict)


@kind
@given(st.integers(2, 999_999), st.sampled_from(["words", "hyphen", "comma", "space", "latex", "apostrophe"]), PROSE)
def test_numbers(number: int, style: str, lead_in: str) -> None:
    grouped = f"{number:,}"
    said = {
        "words": in_words(number, " "),
        "hyphen": in_words(number, "-"),
        "comma": grouped,
        "space": grouped.replace(",", " "),
        "latex": "$" + grouped.replace(",", "\\,") + "$",
        "apostrophe": grouped.replace(",", "'"),
    }[style]
    check(question(str(number)), lead_in.format(said), str(number), True)
    check(question(str(number + 1)), lead_in.format(said), str(number), False)


@kind
@given(st.integers(1, 99), st.sampled_from(["negative {}", "minus {}", "-{}", "$-{}$"]), st.booleans(), PROSE)
def test_signs(number: int, sign: str, words: bool, lead_in: str) -> None:
    said = lead_in.format(sign.format(in_words(number, "-") if words and sign[-3] == " " else number))
    check(question(f"-{number}"), said, f"-{number}", True)
    check(question(str(number), "open"), said, f"-{number}", False)


PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth"}


@kind
@given(st.sampled_from(sorted(PARTS)), st.integers(1, 9), st.integers(0, 9), LEAD_INS)
def test_fractions(below: int, above: int, whole: int, lead_in: str) -> None:
    above = above % below or 1
    part = ("halves" if below == 2 else PARTS[below] + "s") if above > 1 else PARTS[below]
    said = f"{ONES[above]} {part}"
    if whole:
        said = f"{ONES[whole]} and {said if above > 1 else 'a ' + part}"
    value = whole + Fraction(above, below)
    asked = question(f"\\frac{{{value.numerator}}}{{{value.denominator}}}", "open")
    check(asked, lead_in.format(said), f"{value.numerator}/{value.denominator}", True)
    check(question(str(whole or above), "open"), lead_in.format(said), f"{value.numerator}/{value.denominator}", False)


@kind
@given(
    st.integers(1, 12),
    st.integers(0, 59),
    st.sampled_from(["digits", "am", "words", "24"]),
    LEAD_INS,
    st.integers(0, 59),
)
def test_times(hour: int, minute: int, style: str, lead_in: str, other: int) -> None:
    asked = question(f"{hour}:{minute:02d}", "text", "What time does the clock show?")
    said = f"{hour}:{minute:02d}"
    if style == "am":
        said += " a.m."
    elif style == "24":
        said = f"{hour % 12 + 12}:{minute:02d}"
    elif style == "words":
        following = ONES[hour % 12 + 1]
        said = {
            0: f"{ONES[hour]} o'clock",
            15: f"quarter past {ONES[hour]}",
            30: f"half past {ONES[hour]}",
            45: f"a quarter to {following}",
        }.get(minute, f"{minute} minutes past {hour}" if minute < 30 else f"{60 - minute} to {following}")
    check(asked, lead_in.format(said), f"{hour}:{minute:02d}", True)
    if other != minute:
        assert not graded(question(f"{hour}:{other:02d}", "text", asked.text), lead_in.format(said)).correct


MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DATES = st.sampled_from(
    ["{m} {d}, {y}", "{m} {d}th, {y}", "{d} {m} {y}", "the {d}th of {m} {y}", "{y}-{n:02d}-{d:02d}", "{s} {d}, {y}"]
)


@kind
@given(st.integers(1, 12), st.integers(1, 28), st.integers(1900, 2099), DATES, LEAD_INS)
def test_dates(month: int, day: int, year: int, style: str, lead_in: str) -> None:
    said = style.format(m=MONTHS[month - 1], s=MONTHS[month - 1][:3], d=day, y=year, n=month)
    asked = question(f"{MONTHS[month - 1]} {day}, {year}", "text", "On which date?")
    check(asked, lead_in.format(said), f"{year}-{month:02d}-{day:02d}", True)
    other = question(f"{year}-{month:02d}-{day % 28 + 1:02d}", "text", "On which date?")
    assert not graded(other, lead_in.format(said)).correct


UNITS = (
    ("cm", "centimeters", "\\text{ cm}"),
    ("m", "metres", "\\mathrm{~m}"),
    ("kg", "kilograms", "\\text{ kg}"),
    ("g", "grams", "\\,\\text{g}"),
)
AREAS = (("cm^2", "square centimetres", "\\text{ cm}^2"), ("m^2", "square meters", "\\mathrm{~m}^{2}"))


@kind
@given(st.integers(2, 500), st.sampled_from(UNITS + AREAS), st.sampled_from(UNITS + AREAS), st.integers(0, 2), LEAD_INS)
def test_units(size: int, unit: tuple[str, ...], other: tuple[str, ...], style: int, lead_in: str) -> None:
    said = f"{size}{'' if style == 2 else ' '}{unit[style]}"
    said = f"${said}$" if style == 2 and "boxed" not in lead_in else said
    check(question(f"{size} {unit[0]}", "open"), lead_in.format(said), f"{size} {unit[0]}", True)
    assert graded(question(f"{size} {other[0]}", "open"), lead_in.format(said)).correct is (unit == other)
    assert graded(question(str(size), "open"), lead_in.format(said)).correct


@kind
@given(st.permutations("ABCDE"), st.integers(2, 5), st.sampled_from(["", ", ", " → "]), LEAD_INS)
def test_orders_of_letters(letters: list[str], count: int, joint: str, lead_in: str) -> None:
    order = letters[:count]
    asked = question(", ".join(order), "open", "In which order do they come?")
    check(asked, lead_in.format(joint.join(order)), "".join(order), True)
    assert not graded(asked, lead_in.format(joint.join([order[1], order[0], *order[2:]]))).correct


@kind
@given(st.integers(-20, 20), st.integers(1, 20), st.booleans(), st.booleans(), st.sampled_from(range(4)), LEAD_INS)
def test_sets_of_numbers(low: int, length: int, low_in: bool, high_in: bool, style: int, lead_in: str) -> None:
    high = low + length
    first, last = ("\\le" if low_in else "<"), ("\\le" if high_in else "<")
    begins, other = ("\\ge", "<") if low_in else (">", "\\le")
    interval = f"{'[' if low_in else '('}{low}, {high}{']' if high_in else ')'}"
    said = (
        f"${low} {first} x {last} {high}$",
        f"$x \\in {interval}$",
        f"$\\{{x : {low} {first} x {last} {high}\\}}$",
        f"$x {begins} {low} \\text{{ and }} x {last} {high}$",
    )[style]
    said = said.strip("$") if "boxed" in lead_in else said
    asked = question(f"{low} {first} x {last} {high}", "open", "For which x?")
    check(asked, lead_in.format(said), interval, True)
    closed = question(f"{low} {other} x {last} {high}", "open", "For which x?")
    assert not graded(closed, lead_in.format(said)).correct


@kind
@given(st.integers(1, 99), st.sampled_from(["\\pm {0}", "{0}, -{0}", "-{0}, {0}", "{0} \\text{{ and }} -{0}"]))
def test_both_signs(number: int, style: str) -> None:
    check(
        question(f"\\pm {number}", "open"), f"$\\boxed{{{style.format(number)}}}$", f"$\\boxed{{\\pm {number}}}$", True
    )
    check(
        question(f"\\pm {number + 1}", "open"),
        f"$\\boxed{{{style.format(number)}}}$",
        f"$\\boxed{{\\pm {number}}}$",
        False,
    )


CHOSEN = st.sampled_from(
    [
        "{l}",
        "({l})",
        "{l}.",
        "**{l}**",
        "option {l}",
        "{l}. {t}",
        "({l}) {t}",
        "{t}",
        "{l}: {t}",
        "{l}. A {t} one",
        "({l}) A {t} car",
    ]
)


@kind
@given(st.integers(0, 4), st.integers(0, 4), CHOSEN, PROSE)
def test_options(chosen: int, gold: int, style: str, lead_in: str) -> None:
    asked = Question("test", "1", COLOUR.text, choices=COLOURS, answer=LABELS[gold], answer_type="choice")
    check(asked, lead_in.format(style.format(l=LABELS[chosen], t=COLOURS[chosen])), LABELS[chosen], chosen == gold)


@kind
@given(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["({}) {}", "{}. {}", "{}: {}", "**{}. {}**"]), PROSE)
def test_a_label_beside_another_text(label: int, text: int, style: str, lead_in: str) -> None:
    verdict = graded(COLOUR, lead_in.format(style.format(LABELS[label], COLOURS[text])))
    assert verdict.answer_class == (f"choice:{LABELS[label]}" if label == text else None), verdict


@kind
@given(THOUGHTS, st.integers(0, 4), st.integers(0, 4), st.integers(1, 99), st.booleans())
def test_thoughts(marks: str, thought: int, chosen: int, number: int, option: bool) -> None:
    if option:
        said = marks.format(f"Perhaps red? The answer is {LABELS[thought]}.") + LABELS[chosen]
        check(COLOUR, said, LABELS[chosen], chosen == 2)
    else:
        said = marks.format(f"Maybe. The answer is {number + 1}.") + str(number)
        check(question(str(number)), said, str(number), True)
        check(question(str(number + 1)), said, str(number), False)


LISTS = st.sampled_from(["{l}. {t}", "{l}) {t}", "({l}) {t}", "{l}: {t}", "- {l}. {t}", "**{l}.** {t}", "* ({l}) {t}"])
CONCLUSIONS = st.sampled_from(
    [
        "Looking at the car, **{l}**",
        "The car is {t}, so {l}.",
        "So I choose option {l}.",
        "The answer is {l}.",
        "Hence {l}.",
        "The car is {t}.",
        "{l}",
    ]
)


@kind
@given(
    LISTS,
    st.sampled_from(["Options:\n", "", "**Options:**\n", "Choices:\n\n"]),
    st.booleans(),
    CONCLUSIONS,
    st.integers(0, 4),
)
def test_copied_options(style: str, heading: str, blank: bool, conclusion: str, chosen: int) -> None:
    items = [style.format(l=label, t=text) for label, text in zip(LABELS, COLOURS, strict=True)]
    copied = heading + ("\n\n" if blank else "\n").join(items)
    said = conclusion.format(l=LABELS[chosen], t=COLOURS[chosen])
    check(COLOUR, f"{copied}\n\n{said}", LABELS[chosen], chosen == 2)
    assert graded(COLOUR, copied).answer_class is None


@kind
@given(
    LISTS,
    st.permutations(
        ["It is bright.", "Many cars have it.", "One sees it often.", "It is a dark one.", "It is like the sun."]
    ),
)
def test_a_walk_through_all_options(style: str, remarks: list[str]) -> None:
    items = [
        f"{style.format(l=label, t=text)} - {remark}"
        for label, text, remark in zip(LABELS, COLOURS, remarks, strict=True)
    ]
    assert graded(COLOUR, "\n\n".join(items)).answer_class is None
    check(COLOUR, "\n\n".join([*items, "So the answer is C."]), "C", True)


@kind
@given(
    st.permutations("ABCDE"),
    st.sampled_from(
        [
            "Not {0}, not {1}, not {2}, not {3}, so {4}.",
            "We can rule out {0}, {1}, {2} and {3}, leaving {4}.",
            "Neither {0} nor {1}; {2} and {3} are too dark. Hence {4}.",
            "{0}, {1}, {2} and {3} are wrong, so the answer is {4}.",
        ]
    ),
)
def test_exclusion(letters: list[str], style: str) -> None:
    check(COLOUR, style.format(*letters), letters[4], letters[4] == "C")


@kind
@given(
    st.integers(0, 99),
    st.sampled_from(
        [
            "There are more than {}.",
            "It can't be {}.",
            "It is not {}.",
            "There are fewer than {}.",
            "The answer isn't {}.",
        ]
    ),
)
def test_bounds_and_denials(number: int, style: str) -> None:
    assert graded(question(str(number)), style.format(number)).correct is False


@kind
@given(
    st.integers(0, 99),
    st.sampled_from(
        ["There are {}!", "The answer is {}!", "**Answer: {}!**", "So it's {}! Let me know if you have questions."]
    ),
)
def test_an_exclamation_mark(number: int, style: str) -> None:
    check(question(str(number)), style.format(number), str(number), True)
