"""MMMU: rows become questions, and the rules of both gradings (cases by hand from the rules)."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_text import HOSTILE, processor_seconds
from PIL import Image

from vpbench import DataError, Question, Source
from vpbench.data import load_questions
from vpbench.data.hub import read_hub
from vpbench.plugins import builtin_folder, load_file

PAINTERS = ("Monet", "Manet", "Degas", "E. Hopper")


@pytest.fixture(scope="module")
def mmmu() -> ModuleType:
    return load_file(builtin_folder("tasks") / "mmmu.py")


def png(level: int) -> dict[str, Any]:
    buffer = BytesIO()
    Image.new("L", (3, 2), level).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def mmmu_row(**changes: Any) -> dict[str, Any]:
    values = {
        "id": "validation_Art_Theory_7",
        "question": "Who painted <image 1>?",
        "options": str(list(PAINTERS)),
        "explanation": "",
        "answer": "B",
        "question_type": "multiple-choice",
        "subfield": "Painting",
        "topic_difficulty": "Easy",
        "img_type": "['Paintings', 'Photographs']",
        **dict.fromkeys(f"image_{number}" for number in range(1, 8)),
    }
    return values | changes


def painter(answer: str = "B") -> Question:
    return Question("mmmu", "validation_Art_1", "Who?", choices=PAINTERS, answer=answer)


def open_question(answer: str) -> Question:
    return Question("mmmu", "validation_Math_1", "How much?", answer=answer, answer_type="open")


def test_an_mmmu_row(mmmu: ModuleType) -> None:
    question = mmmu.MMMU().question(mmmu_row(), ())
    assert question.text == "Who painted <image 1>?\n(A) Monet\n(B) Manet\n(C) Degas\n(D) E. Hopper"
    assert (question.id, question.answer, question.answer_type) == ("validation_Art_Theory_7", "B", "choice")
    assert question.categories == {
        "subject": "Art_Theory",
        "discipline": "Art and Design",
        "subfield": "Painting",
        "topic_difficulty": "Easy",
        "question_type": "multiple-choice",
        "img_type": ["Paintings", "Photographs"],
    }


def test_every_mark_has_an_image(mmmu: ModuleType) -> None:
    options = str(["<image 2>", "<image 1>"])
    first, second = mmmu.MMMU().question(mmmu_row(options=options), ()).images
    with pytest.raises(DataError, match="missing image: .*Art_Theory_7, <image 1>.*--data DIR"):
        first.open()
    with pytest.raises(DataError, match="<image 2>"):
        second.open()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": "__import__('os').system('true')"}, "Art_Theory_7: options: not a Python list"),
        ({"options": "[" * 5_000}, "options: not a Python list"),
        ({"options": "['a'" + ", 'a'" * 9_000 + "]"}, "longer than"),
        ({"options": "[['a', 'b']]"}, "flat list"),
        ({"options": None}, "options: not a Python list"),
        ({"answer": "E"}, "answer 'E' isn't a letter of its options ABCD"),
        ({"id": "validation_Astrology_1"}, "no subject"),
    ],
)
def test_bad_mmmu_rows_are_named(mmmu: ModuleType, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        mmmu.MMMU().question(mmmu_row(**changes), ())


def write_subject(folder: Path, subject: str, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    names = [(name, image if name.startswith("image_") else pa.string()) for name in mmmu_row()]
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(names)), folder / "validation-00000-of-00001.parquet")


def test_mmmu_folders_one_per_subject(tmp_path: Path, mmmu: ModuleType) -> None:
    write_subject(tmp_path / "Music", "Music", [mmmu_row(id="validation_Music_1", image_1=png(7), image_3=png(9))])
    write_subject(tmp_path / "Art", "Art", [mmmu_row(id="validation_Art_1", image_1=png(5), options="[]", answer="x")])
    questions = load_questions(mmmu.MMMU(), tmp_path).questions
    assert list(questions) == ["validation_Art_1", "validation_Music_1"]
    shades = [[image.open().getpixel((0, 0)) for image in question.images] for question in questions.values()]
    assert shades == [[5], [7, 9]]
    assert questions["validation_Art_1"].choices is None


def test_the_hub_reader_joins_configurations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    lines = ["---", "configs:"]
    import datasets

    for number, name in enumerate(("Art", "Music")):
        (folder / name).mkdir(parents=True)
        features = datasets.Features(
            {"id": datasets.Value("string"), "image_1": datasets.Image(), "image_2": datasets.Image()}
        )
        rows = [{"id": name, "image_1": png(number), "image_2": None}]
        datasets.Dataset.from_list(rows, features).to_parquet(folder / name / "validation-00000-of-00001.parquet")
        lines += [f"- config_name: {name}", "  data_files:", f"  - {{split: validation, path: {name}/validation-*}}"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    source = Source(str(folder), "validation", 2, "MIT", ("id",), "Art+Music", None, ("image_1", "image_2"))
    table = read_hub(source)
    assert [row.values["id"] for row in table.rows] == ["Art", "Music"]
    assert [[image.open().getpixel((0, 0)) for image in row.images] for row in table.rows] == [[0], [1]]
    assert read_hub(source).fingerprint == table.fingerprint


@pytest.mark.parametrize(
    ("response", "validation", "pro"),
    [
        ("B", "B", "B"),
        ("B.", "B", "B"),
        ("(A) is wrong, so (C)", "C", "C"),
        ("It is B I think", "B", "B"),
        ("A painting by C or D maybe", "D", "D"),
        ("**B**", None, None),
        ("\\boxed{B}", None, None),
        ("b", None, None),
        ("Degas", None, None),
        ("I would say that this is by manet or degas", "C", "C"),
        ("Answer: B. Manet", None, "B"),
        ("Answer: There was an error", None, None),
        ("Answer: An error", None, "A"),
        ("Answer: B. Dada", None, "B"),
        ("Answer: **B**", None, "B"),
        ("Answer: A or B (C)", "C", "C"),
        ("FAB. xx", None, "B"),
        ("", None, None),
    ],
)
def test_the_two_official_letter_parsers(
    mmmu: ModuleType, response: str, validation: str | None, pro: str | None
) -> None:
    assert mmmu.option_letter(response, PAINTERS) == validation
    assert mmmu.option_letter_pro(response, PAINTERS) == pro


def test_the_drawn_letter(mmmu: ModuleType) -> None:
    task = mmmu.MMMU()
    verdict = task.grade(painter(), "**B**", "official")
    assert (verdict.reason, verdict.extracted) == ("random letter", None)
    assert verdict.answer_class in set("ABCD")
    assert verdict == task.grade(painter(), "**B**", "official")
    assert verdict.correct == (verdict.answer_class == "B")
    drawn = [mmmu.drawn_letter(f"validation_Art_{number}", "?", 4) for number in range(4_000)]
    assert all(900 < drawn.count(letter) < 1_100 for letter in "ABCD")
    strict = type("Strict", (mmmu.MMMU,), {"random_letters": False})()
    silent = strict.grade(painter(), "**B**", "official")
    assert (silent.answer_class, silent.correct, silent.reason) == (None, False, "no answer")


@pytest.mark.parametrize(
    ("response", "predictions"),
    [
        ("24 Ohm.", {24.0, "24 ohm"}),
        ("So x is 3.\nTherefore it is 4.567 V", {3.0, 4.57, "4.567 v"}),
        ("x = 2\ny = 3", {3.0}),
        ("1,200,000 or -3e2", {1_200_000.0, -300.0, 0.0, 2.0, "1,200,000 or -3e2"}),
        ("C", {" c", "c "}),
        ("1/64", {1.0, 64.0, "1/64"}),
        ("the result is :", {"the result is :"}),
    ],
)
def test_predictions_of_open_questions(mmmu: ModuleType, response: str, predictions: set[float | str]) -> None:
    assert mmmu.open_predictions(response) == predictions


@pytest.mark.parametrize(
    ("answer", "response", "correct"),
    [
        ("24", "the answer is 24.004", True),
        ("24", "the answer is 24.01", False),
        ("['24/7', '3.429']", "it is 24/7 m", True),
        ("['24/7', '3.429']", "it is 3.43", True),
        ("MgS", "The compound is called mgs, I think", True),
        ("C", "\\boxed{C}", False),
        ("C", "C", True),
        ("4", "3 of 4", True),
    ],
)
def test_official_grading_of_open_questions(mmmu: ModuleType, answer: str, response: str, correct: bool) -> None:
    verdict = mmmu.MMMU().grade(open_question(answer), response, "official")
    assert (verdict.correct, verdict.reason) == (correct, "match" if correct else "different")


def test_official_classes_of_open_answers_are_made_of_what_decides(mmmu: ModuleType) -> None:
    def name(answer: str, response: str) -> str:
        return str(mmmu.MMMU().grade(open_question(answer), response, "official").answer_class)

    assert name("24", "it is 24 ohm") == name("7", "it is 24 watts") == "24.0"
    assert name("MgS", "it is 24 ohm") == "24 ohm"


@pytest.mark.parametrize(
    ("answer", "response", "correct"),
    [
        ("6.33", "The answer is 6.333.", True),
        ("6.333", "The answer is 6.33.", False),
        ("20", "The answer is 20.4.", False),
        ("['24/7', '3.429']", "The answer is $\\frac{24}{7}$.", True),
        ("['Tampa', 'Florida']", "\\boxed{Florida}", True),
        ("['Tampa', 'Florida']", "\\boxed{Miami}", False),
        ("C", "The answer is **C**.", True),
        ("C", "\\boxed{B}", False),
    ],
)
def test_robust_grading_of_open_questions(mmmu: ModuleType, answer: str, response: str, correct: bool) -> None:
    assert mmmu.MMMU().grade(open_question(answer), response, "robust").correct == correct


def test_all_accepted_answers_share_a_class(mmmu: ModuleType) -> None:
    task, question = mmmu.MMMU(), open_question("['Tampa', 'Florida']")
    classes = {task.grade(question, f"\\boxed{{{answer}}}", "robust").answer_class for answer in ("Tampa", "Florida")}
    assert len(classes) == 1 and task.gold_response(question) == "Tampa"


def test_letters_as_options_are_read_as_labels(mmmu: ModuleType) -> None:
    question = Question("mmmu", "validation_Art_1", "Which point?", choices=("C", "A", "D", "B"), answer="A")
    for mode in ("robust", "official"):
        assert mmmu.MMMU().grade(question, "Point C it is.\n\nAnswer: A", mode).answer_class in {"choice:A", "A"}
    assert mmmu.MMMU().grade(question, "The answer is A.", "robust").correct


@pytest.mark.parametrize("response", HOSTILE)
@pytest.mark.parametrize("mode", ["robust", "official"])
def test_hostile_responses_get_a_verdict_in_time(mmmu: ModuleType, response: str, mode: str) -> None:
    for question in (painter(), open_question("24"), open_question("['24/7', '3.429']")):
        started = processor_seconds()
        assert mmmu.MMMU().grade(question, response, mode).reason
        assert processor_seconds() - started < 2, question.answer
