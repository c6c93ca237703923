"""The world of misconceptions: pictures show what is right, readings are even, gates can fail, figures are data."""

import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vpbench.ablate import gates, misconceptions, misled
from vpbench.ablate.gates import NS, Pooled
from vpbench.ablate.measuring import JudgedSteps
from vpbench.ablate.misconceptions import pooled, report, slip
from vpbench.ablate.misled import BLANKED, OUTCOME, PROBABILITY, PROCESS, Labels, Seed, truth
from vpbench.data.miniature import nano_model
from vpbench.nano.conversations import Conversations, as_question, nano_tasks
from vpbench.nano.language import Words, read_ids
from vpbench.nano.misconceptions import KINDS, draw_read, draw_right, read_by_id, twin
from vpbench.nano.misled import Amounts
from vpbench.nano.pictures import CELLS, COLOURS, CONTENTS
from vpbench.nano.readings import CODE, DIGITS, Combinations
from vpbench.records import CORRECT, INCORRECT, Drawn
from vpbench.stats import QuestionPool


def read(kind: str, count: int = 40) -> list[Combinations]:
    rng = random.Random(kind)
    return [member for _ in range(count) for member in KINDS[kind](rng)][:count]


def seen(drawn: Drawn) -> dict[str, str]:
    """What the picture shows, by colour."""
    cells = zip(drawn.picture.key, drawn.picture.content, strict=True)
    return {list(COLOURS)[key - 1]: CONTENTS[content] for key, content in cells if key}


@pytest.mark.parametrize("kind", ["options", "decimal", "ratio", "variants", "groups"])
def test_the_right_solution_reads_what_is_drawn(kind: str) -> None:
    for right_one, *others in read(kind):
        for name, value in (step.split() for step in right_one.steps if re.fullmatch("[a-z]+ [0-9]", step)):
            drawn = seen(right_one)
            if name == "circles":
                (colour,) = [colour for colour, content in drawn.items() if content == "circle"]
                assert CODE[colour] == int(value)
            else:
                assert drawn[name] == value
        assert others and all(wrong.answer != right_one.answer for wrong in others)


def test_terms_and_columns_are_read_as_drawn() -> None:
    for right_one, *_ in read("shown"):
        assert "".join(CONTENTS[content] for content in right_one.picture.content if content) == right_one.steps[0]
    for right_one, *_ in read("labels"):
        content = [CONTENTS[number] for number in right_one.picture.content]
        columns = ["".join(sign for sign in content[column::CELLS] if sign != "nothing") for column in range(CELLS)]
        assert [step[2] + step[4] for step in right_one.steps] == columns


def test_both_readings_are_as_frequent_and_independent() -> None:
    """Digits of a ring are read right and wrong alike often, whatever the other number of the question was read as."""
    counts: Counter[tuple[bool, ...]] = Counter()
    for drawn in draw_read(random.Random(3), 6000, {"decimal": 1}):
        shown = seen(drawn)
        pairs = [(shown[step.split()[0]], step.split()[1]) for step in drawn.steps[:2]]
        if all(int(digit) in DIGITS for digit, _ in pairs):
            counts[tuple(digit == read_as for digit, read_as in pairs)] += 1
    assert len(counts) == 4 and counts.total() > 1000
    assert all(abs(count / counts.total() - 0.25) < 0.03 for count in counts.values())


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_benchmark_grades_the_right_reading_right_and_the_others_wrong(kind: str) -> None:
    task = nano_tasks()[kind]
    words = Words(read_ids(nano_model("policy")))
    for combinations in read(kind, 10):
        question = as_question(task, combinations[0])
        for number, drawn in enumerate(combinations):
            assert task.grade(question, "\n\n".join(drawn.solution), "robust").correct == (number == 0)
            assert as_question(task, drawn).text == question.text
            said = [Conversations(words, nano_tasks()).text(drawn), *drawn.solution, *drawn.facts]
            assert not any(words.ids["<unk>"] in words.encode(text) for text in said)


def test_no_twin_of_a_labelled_question_is_measured_on() -> None:
    labelled = {twin(combinations[0]) for combinations in read_by_id(1, 60).values()}
    assert any(twin(combinations[0]) in labelled for combinations in read_by_id(2, 60).values())
    unmet = read_by_id(2, 60, labelled)
    assert not any(twin(combinations[0]) in labelled for combinations in unmet.values())
    (number, drawn), *_ = draw_right("shown", 2, 60, labelled)
    assert number == 1 and drawn.steps == unmet[nano_tasks()["shown"].name, "1"][0].steps


def test_what_follows_a_wrong_reading_is_wrong() -> None:
    right_one, *others = next(combinations for combinations in read("decimal") if len(combinations) == 4)
    assert truth(right_one, right_one.solution) == [True] * 4
    wrong = next(drawn for drawn in others if drawn.steps[0] != right_one.steps[0])
    assert truth(right_one, (wrong.steps[0], right_one.steps[1])) == [False, False]


def test_a_slip_is_named_by_the_step_where_it_happens() -> None:
    (combinations,) = KINDS["decimal"](random.Random(2))
    read_solutions = frozenset(drawn.solution for drawn in combinations)
    one, two, result, answer = combinations[-1].solution
    assert slip((one, two, result, answer), read_solutions) is None
    assert slip((one, two, result, "Answer: 0.3"), read_solutions) == "answer line"
    assert slip((one, two, "(1+1)/2=9.9", answer), read_solutions) == "reckoning"
    assert slip(("red", two, result, answer), read_solutions) == "reading"
    assert slip((one, two), read_solutions) == "reading"


def made(number: int, prm: Sequence[float], orm: Sequence[float]) -> Seed:
    """60 questions of 128 candidates, every second right; scores of right and wrong ones by both critics."""
    rng = np.random.default_rng(number)
    correct = np.arange(NS[-1]) % 2 == 0
    solutions = [("red 1", "Answer: 1"), ("red 7", "Answer: 7")]

    def pools(scores: Sequence[float]) -> list[QuestionPool]:
        values = [np.where(correct, *scores) + 1e-3 * rng.random(NS[-1]) for _ in range(60)]
        classes = tuple("1" if right_one else "7" for right_one in correct)
        return [QuestionPool(str(n), correct, classes, value) for n, value in enumerate(values)]

    by_critic = {PROCESS: pools(prm), OUTCOME: pools(orm), PROBABILITY: pools((0.5, 0.5)), BLANKED: pools((0.5, 0.5))}
    texts = [["\n\n".join(solutions[0 if right_one else 1]) for right_one in correct] for _ in range(60)]
    clusters = [f"{number} {n}" for n in range(60)]
    kept = Pooled(by_critic, texts, clusters)
    labels = [[CORRECT if n % 2 else INCORRECT] * 2 for n in range(60)]
    judged = JudgedSteps(labels, [[prm[0 if row[0] == CORRECT else 1]] * 2 for row in labels])
    quality = Labels(100, 0.4, 0.99, 0.01, 0.02)
    return Seed(
        number, quality, kept, [frozenset(solutions)] * 60, judged, [solutions[n % 2] for n in range(60)], clusters
    )


def test_the_page_says_what_the_data_say() -> None:
    page = report([made(0, (0.9, 0.1), (0.5, 0.5))], Amounts())
    assert "| random | 50.0 | 50.0 |" in page and "| PRM | 50.0 | 75.2 |" in page
    assert "60 questions; different answers per question: 2 in the median" in page
    assert "100 solutions, 40.0% with the right answer; mc > 0 agrees with the truth on 99.0%" in page
    assert re.search(r"PRM over outcome reward model \| .* \| reached \|", page)
    assert "| PRM | 1.000 | 0." in page
    assert "pooled" not in page.split("## Seed 0")[1]


@pytest.mark.parametrize("scores", [(0.5, 0.5), (0.1, 0.9)])
def test_every_gate_can_fail(scores: tuple[float, float]) -> None:
    page = report([made(0, scores, (0.5, 0.5))], Amounts())
    gates = [line for line in page.splitlines() if line.startswith("| PRM over") or line.endswith("reached |")]
    assert len(gates) >= 6 and all(line.endswith("not reached |") for line in gates)


def test_seeds_are_pooled_by_question() -> None:
    seeds = [made(0, (0.9, 0.1), (0.5, 0.5)), made(1, (0.1, 0.9), (0.5, 0.5))]
    both = pooled(seeds)
    assert len(both.read) == len(set(both.pooled.clusters)) == 120
    page = report(seeds, Amounts()).split("## All seeds")[1]
    assert "120 questions" in page and "| PRM | 50.0 | 50.0 |" in page


@pytest.mark.slow
@pytest.mark.skipif("VPBENCH_SLOW" not in os.environ, reason="a minute of training; set VPBENCH_SLOW=1 to run it")
def test_a_seed_goes_from_its_policy_to_the_page_and_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (gates, misled, misconceptions):
        monkeypatch.setattr(module, "NS", (1, 2, 4, 8, 16))
    shutil.copytree(nano_model("policy"), tmp_path / "seed-7" / "policy")
    amounts = Amounts(labelled=2, process=(1e-3, 1), outcome=(1e-3, 1), questions=1)
    said: list[str] = []
    page = misconceptions.misconceptions(tmp_path, [7], said.append, amounts)
    first = page.read_text()
    assert "## Seed 7" in first and first.count("reached |") >= 8
    assert misconceptions.misconceptions(tmp_path, [7], said.append, amounts).read_text() == first
