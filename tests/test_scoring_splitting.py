"""The tolerant splitting rule, case by case; the released one is tested with the conversation it belongs to."""

from __future__ import annotations

import pytest

from vpbench.errors import ConfigError, CriticError
from vpbench.scoring.splitting import split_steps, split_tolerant, splitter


@pytest.mark.parametrize(
    ("response", "steps"),
    [
        # blank lines, however written
        ("a\n\nb", ("a", "b")),
        ("a\n \t\nb", ("a", "b")),
        ("a\r\n\r\nb\r\n", ("a", "b")),
        ("a\r\rb", ("a", "b")),
        ("a\n\n\n\n  b  \n\n", ("a", "b")),
        ("one line\nof a paragraph\n\nb", ("one line\nof a paragraph", "b")),
        # headings
        ("Step 1: a\nStep 2: b", ("Step 1: a", "Step 2: b")),
        ("### Step 1\n\nx\n\ny\n\n### Step 2\nz", ("### Step 1\n\nx\n\ny", "### Step 2\nz")),
        ("**Step 1:** a\n**Step 2:** b", ("**Step 1:** a", "**Step 2:** b")),
        ("Look.\nstep 1. a\nstep 2) b", ("Look.", "step 1. a", "step 2) b")),
        ("Step 1: a\nStep 2: b\nFinal answer: 5", ("Step 1: a", "Step 2: b", "Final answer: 5")),
        ("Step 1: a\nas Step 3: said\nStep 2: b", ("Step 1: a\nas Step 3: said", "Step 2: b")),
        ("Step 1 of the proof is hard\n\nb", ("Step 1 of the proof is hard", "b")),
        # numbered lists
        ("1. a\n2. b\n3. c", ("1. a", "2. b", "3. c")),
        ("We have:\n(1) a\n(2) b", ("We have:", "(1) a", "(2) b")),
        ("1) a\n   1) a1\n   2) a2\n2) b", ("1) a\n   1) a1\n   2) a2", "2) b")),
        ("  1. a\n  2. b", ("1. a", "2. b")),
        ("Intro\n\n1. a\n2. b\n\nSo 5", ("Intro", "1. a", "2. b", "So 5")),
        ("**1. a**\n**2. b**", ("**1. a**", "**2. b**")),
        ("3.5 apples\n4.5 pears", ("3.5 apples", "4.5 pears")),
        # sentences, as the last resort
        ("It is 3.14 long. Then x = 5. So B.", ("It is 3.14 long.", "Then x = 5.", "So B.")),
        ("See Fig. 2, i.e. A. Then B.", ("See Fig. 2, i.e. A.", "Then B.")),
        ("So $a. B$ holds. Done!", ("So $a. B$ holds.", "Done!")),
        ("面积是 5。所以选 A。", ("面积是 5。", "所以选 A。")),
        ("Is it? (Yes.) It is.", ("Is it?", "(Yes.)", "It is.")),
        ("1. First. 2. Second.", ("1. First.", "2. Second.")),
        # what isn't cut
        ("one thought", ("one thought",)),
        ("\\[\na\n\n= b\n\\]", ("\\[\na\n\n= b\n\\]",)),
        ("```\nx. Y\n\n1. z\n2. z\n```\n\nb", ("```\nx. Y\n\n1. z\n2. z\n```", "b")),
        ("", ()),
        (" \n\n ", ()),
    ],
)
def test_tolerant(response: str, steps: tuple[str, ...]) -> None:
    assert split_tolerant(response) == steps


def test_merging_is_even_and_keeps_what_is_between() -> None:
    text = "\n \n".join(f"part {i}" for i in range(13))
    steps = split_tolerant(text, 12)
    assert len(steps) == 7
    assert steps[0] == "part 0\n \npart 1"
    assert steps[-1] == "part 12"
    assert split_tolerant("", 12) == ()
    with pytest.raises(CriticError, match="at least 1"):
        split_tolerant("a", 0)


HOSTILE = ("\n", " ", " \n", "a. ", "1. a\n", "$", "\\[", "\\(", "```\n", "Step 1:\n", "# ", "\t*", "(", ".", ". (")


@pytest.mark.parametrize("unit", HOSTILE)
def test_long_input_takes_no_time(unit: str) -> None:
    """Rules of quadratic cost would take minutes on these."""
    assert len(split_tolerant("x\n" + unit * 100_000 + "\nx", 12)) <= 12


def test_by_name() -> None:
    assert splitter("released") is split_steps
    assert splitter("tolerant") is split_tolerant
    with pytest.raises(ConfigError, match="released, tolerant"):
        splitter("other")
