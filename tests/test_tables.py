"""Tables in every format: the same cells come back, and no name breaks a document or does anything in it."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from vpbench.report.tables import Figure, PValue, Table, render

HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-1+cmd",
    "@SUM(A1)",
    "＝1",
    "\t=1",
    "a|b",
    "a\nb",
    "a\r\nb\u2028c",
    "a\\|b",
    "<script>alert(1)</script>",
    "![x](http://x.test)",
    "`code`",
    "**bold**",
    'a"b,c;d',
    "\\input{x}",
    "100% & $x_1^2$ #~{}",
    "[1]",
    "*",
    "\x1b[31mred\x07\x9b",
    "\u202ereversed",
    "模型",
    "",
]
GAIN = Figure(-0.0123, -0.05, 0.025, points=True)
SHOWN = Table(
    "accuracy by N",
    ("N", "ours %", "over vote", "p (Holm)", "scored"),
    (
        (1, Figure(0.5, 0.25, 0.75, apart=True), Figure(0.0, 0.0, 0.0, points=True), None, True),
        (8, Figure(2 / 3, 0.5, 0.875, mark="*", apart=True), GAIN, 0.00321, False),
        (16, Figure(None, apart=True), Figure(None, points=True), float("nan"), None),
    ),
    ("30 units: few",),
    keys=("n", "critic", "over_vote", "p_holm", "scored"),
)


def named(name: str) -> Table:
    return Table(name, ("critic", name), ((name, name), ("b", Figure(0.5, 0.4, 0.6, mark=name))), (name,))


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_text_is_for_readers() -> None:
    assert render([SHOWN], "text").split("\n") == [
        "accuracy by N",
        "",
        "N    ours %    95% interval    over vote            p (Holm)    scored",
        "---  --------  --------------  -------------------  ----------  --------",
        "1    50.0      25.0 .. 75.0    +0.0 (+0.0 .. +0.0)  -           yes",
        "8    66.7*     50.0 .. 87.5    -1.2 (-5.0 .. +2.5)  0.0032      no",
        "16   n/a       n/a             n/a                  -           -",
        "",
        "note: 30 units: few",
    ]


def test_a_small_p_is_never_shown_as_0_and_stays_a_number_for_programs() -> None:
    table = Table("", ("n", "p"), ((1, PValue(0.000099)), (2, PValue(0.0001)), (3, PValue(0.05678)), (4, PValue(0.0))))
    assert [line.split() for line in render([table], "text").splitlines()[2:]] == [
        ["1", "<0.0001"],
        ["2", "0.0001"],
        ["3", "0.0568"],
        ["4", "<0.0001"],
    ]
    assert "| 1 | &lt;0.0001 |" in render([table], "markdown")
    assert r"1 & \textless{}0.0001 \\" in render([table], "latex")
    (shown,) = json.loads(render([table], "json"))["tables"]
    assert [row["p"] for row in shown["rows"]] == [0.000099, 0.0001, 0.05678, 0.0]
    assert [float(row["value"]) for row in csv_rows(render([table], "csv"))] == [0.000099, 0.0001, 0.05678, 0.0]


def test_json_has_numbers_under_keys_that_no_critic_changes() -> None:
    (shown,) = json.loads(render([SHOWN], "json"))["tables"]
    assert shown["title"] == "accuracy by N" and shown["notes"] == ["30 units: few"]
    assert shown["columns"] == list(SHOWN.keys)
    first, second, third = shown["rows"]
    assert first["critic"] == {"value": 0.5, "low": 0.25, "high": 0.75, "mark": ""}
    assert (first["n"], first["p_holm"], first["scored"]) == (1, None, True)
    assert second["critic"] == {"value": 2 / 3, "low": 0.5, "high": 0.875, "mark": "*"}
    assert second["over_vote"] == {"value": -0.0123, "low": -0.05, "high": 0.025, "mark": ""}
    assert third["critic"] == {"value": None, "low": None, "high": None, "mark": ""}
    assert third["p_holm"] is None


def test_csv_has_a_line_per_cell_whose_numbers_stay_numbers() -> None:
    rows = csv_rows(render([SHOWN], "csv"))
    assert len(rows) == 3 * 4
    by_cell = {(row["row"], row["column"]): row for row in rows}
    cell = by_cell["2", "over_vote"]
    assert [float(cell[key]) for key in ("value", "low", "high")] == [-0.0123, -0.05, 0.025]
    assert (cell["table"], cell["name"]) == ("accuracy by N", "8")
    assert float(by_cell["2", "critic"]["value"]) == 2 / 3
    assert by_cell["1", "scored"]["value"] == "true"
    assert by_cell["3", "critic"]["value"] == by_cell["3", "p_holm"]["value"] == ""


def test_latex_is_a_tabular_with_booktabs() -> None:
    lines = render([SHOWN], "latex").split("\n")
    assert lines[:4] == ["% accuracy by N", "% 30 units: few", r"\begin{tabular}{rrrrrr}", r"\toprule"]
    assert r"8 & 66.7{*} & 50.0 .. 87.5 & $-$1.2 ($-$5.0 .. +2.5) & 0.0032 & no \\" in lines
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]


def test_markdown_is_a_table_between_title_and_notes() -> None:
    lines = render([SHOWN], "markdown").split("\n")
    assert lines[0] == "**accuracy by N**" and lines[-1] == "- 30 units: few"
    assert lines[2] == "| N | ours % | 95% interval | over vote | p (Holm) | scored |"
    assert lines[5] == r"| 8 | 66.7\* | 50.0 .. 87.5 | -1.2 (-5.0 .. +2.5) | 0.0032 | no |"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_spreadsheet_s_formula(name: str) -> None:
    text = render([named(name)], "csv")
    for row in csv.reader(io.StringIO(text)):
        assert len(row) == 8
        for cell in row:
            assert not cell.startswith(tuple("=+-@＝＋－＠\t\r\n"))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_json(name: str) -> None:
    (shown,) = json.loads(render([named(name)], "json"))["tables"]
    assert [list(row) for row in shown["rows"]] == [shown["columns"]] * 2
    assert len(set(shown["columns"])) == 2
    kept = shown["rows"][0]["critic"]
    assert kept == name or not name.isprintable() or "/" in name


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_markdown(name: str) -> None:
    title, _, *table, _, note = render([named(name)], "markdown").split("\n") if name else named_markdown()
    assert len(table) == 4
    for line in table:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    for line in (title, note, *table):
        assert "<" not in line
        assert not re.search(r"(?<!\\)(?:\\\\)*[`\[]", line)


def named_markdown() -> list[str]:
    """The document of a table without title and note, with lines in their places."""
    return ["", "", *render([Table("", ("critic", ""), (("", ""), ("b", "")))], "markdown").split("\n"), "", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_command_of_latex(name: str) -> None:
    comments, _, body = render([named(name)], "latex").partition(r"\begin{tabular}{ll}" + "\n")
    assert all(line.startswith("% ") for line in comments.splitlines())
    rows = [line for line in body.split("\n") if not re.fullmatch(r"\\(top|mid|bottom)rule|\\end\{tabular\}", line)]
    assert len(rows) == 3
    allowed = r"\\(?:[&%$#_{}]|text(?:backslash|asciitilde|asciicircum|less|greater|bar|quotedbl)\{\})|\{[\[*]\}|\$-\$"
    for row in rows:
        assert row.endswith(r" \\")
        plain = re.sub(allowed, "", row.removesuffix(r" \\"))
        assert plain.count("&") == 1
        assert not re.search(r"[\\%$#_{}~^]", plain)
        assert not row.startswith(("[", "*"))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("style", ["text", "json", "markdown", "csv", "latex"])
def test_no_name_steers_what_shows_it(name: str, style: Any) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", render([named(name)], style))


@pytest.mark.parametrize("style", ["json", "markdown", "csv", "latex"])
def test_no_folder_of_this_machine_leaves_it(style: Any) -> None:
    path = "/home/someone/secret/checkpoint-2000"
    text = render([Table(path, ("", path), ((path, path),), (path,))], style)
    assert "checkpoint-2000" in text
    assert "someone" not in text and "secret" not in text


def test_columns_of_one_name_are_told_apart() -> None:
    shown = Table("", ("N", "p", "p", ""), ((1, 0.1, 0.2, "x"),))
    (record,) = json.loads(render([shown], "json"))["tables"]
    assert record["rows"] == [{"N": 1, "p": 0.1, "p (2)": 0.2, "name": "x"}]


@pytest.mark.parametrize("parts", [((("a", 1), ("b",)), ()), ((("a", 1),), ("x",))])
def test_rows_and_keys_are_as_long_as_the_headers(parts: Any) -> None:
    rows, keys = parts
    with pytest.raises(ValueError, match="differ in length"):
        Table("t", ("a", "b"), rows, keys=keys)
