"""The VisualPRM critic as a plugin: settings, splitting, images, bad rows."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scoring_tiny import SIDE, write_original

from vpbench import Candidate, ConfigError, Critic, CriticError, DataError, ImageRef, Question

PLUGIN = Path(__file__).resolve().parents[1] / "critics" / "visualprm.py"


@pytest.fixture(scope="module")
def plugin() -> Any:
    spec = importlib.util.spec_from_file_location("plugin_visualprm", PLUGIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint")
    write_original(path, "qwen2")
    return path


@pytest.fixture(scope="module")
def critic(plugin: Any, folder: Path) -> Critic:
    result: Critic = plugin.VisualPRM(model=str(folder), dtype="float32", device="cpu", max_tiles=2)
    return result


def question(images: int = 1, text: str = "Q") -> Question:
    def png() -> bytes:
        buffer = io.BytesIO()
        Image.new("P", (SIDE, SIDE)).save(buffer, "PNG")
        return buffer.getvalue()

    return Question("t", "q", text, tuple(ImageRef(f"{i}", load=png) for i in range(images)))


def responses(*texts: str) -> list[Candidate]:
    return [Candidate("q", index, text) for index, text in enumerate(texts)]


def test_one_score_per_candidate_in_order(critic: Critic) -> None:
    texts = ["a\n\nb", " \n\n", "c<IMG_CONTEXT>", "", "a\n\nb", "\n\n".join("abcdefghijklm")]
    scores = critic.score(question(), responses(*texts))
    assert [None if score.steps is None else len(score.steps) for score in scores] == [2, None, 1, None, 2, 7]
    assert scores[0].steps is not None
    assert scores[0].value == pytest.approx(sum(scores[0].steps) / 2)
    assert scores[0].reason is None
    assert [scores[index].reason for index in (1, 3)] == ["empty response"] * 2
    assert scores[2].reason == "held special tokens, neutralised"
    assert scores[0] == scores[4] != scores[5]


def test_released_tokenization(critic: Critic) -> None:
    released = dataclasses.replace(critic, released_tokenization=True)  # type: ignore[type-var]
    (good, bad) = released.score(question(), responses("a", "c<IMG_CONTEXT>"))
    assert good == critic.score(question(), responses("a"))[0]
    assert bad.value is None
    assert str(bad.reason).startswith("image token in the text")
    with pytest.raises(CriticError, match="2 markers"):
        released.score(question(1, "<image> <image>"), responses("a"))


def test_splitters(critic: Critic, plugin: Any) -> None:
    tolerant = dataclasses.replace(critic, splitter="tolerant")  # type: ignore[type-var]
    texts = responses("a\r\n\r\nb", "1. a\n2. b\n3. c")
    assert [len(score.steps or ()) for score in critic.score(question(), texts)] == [1, 1]
    assert [len(score.steps or ()) for score in tolerant.score(question(), texts)] == [2, 3]
    given = [Candidate("q", 0, "1. a\n2. b", steps=("1. a\n2. b\n\nc",))]
    assert tolerant.score(question(), given) == critic.score(question(), given)
    with pytest.raises(ConfigError, match="released, tolerant"):
        plugin.VisualPRM(splitter="other")


def test_given_steps_are_used_as_they_are(critic: Critic) -> None:
    steps = tuple("abcdefghijklmn") + ("x\n\ny", "")
    (score,) = critic.score(question(0), [Candidate("q", 0, "ignored", steps=steps)])
    assert score.steps is not None
    assert len(score.steps) == len(steps)
    empty = critic.score(question(0), [Candidate("q", 0, "ignored", steps=()), Candidate("q", 1, "", steps=("", " "))])
    assert [score.reason for score in empty] == ["empty response"] * 2


def test_images_of_the_question(critic: Critic) -> None:
    values = [critic.score(question(n), responses("a"))[0].value for n in range(3)]
    assert len({round(value, 6) for value in values if value is not None}) == 3
    assert critic.score(question(1, "<image>\nQ"), responses("a")) == critic.score(question(1), responses("a"))
    (score,) = critic.score(question(1, "<image> <image>"), responses("a"))
    assert score.value is not None
    assert score.reason == "held special tokens, neutralised"
    with pytest.raises(DataError, match="lost"):
        critic.score(Question("t", "q", "Q", (ImageRef("lost"),)), responses("a"))


def test_a_model_has_to_be_named(plugin: Any) -> None:
    for call in (plugin.VisualPRM().revision, lambda: plugin.VisualPRM().score(question(0), responses("a"))):
        with pytest.raises(ConfigError, match="--critic-model"):
            call()


@pytest.mark.parametrize("setting", ["max_steps", "max_tiles"])
def test_limits_below_one(plugin: Any, setting: str) -> None:
    with pytest.raises(ConfigError, match=f"{setting} is 0"):
        plugin.VisualPRM(**{setting: 0})


def test_revision_is_the_fingerprint(plugin: Any, tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2")
    critic = plugin.VisualPRM(model=str(tmp_path))
    before = critic.revision()
    assert before == critic.revision()
    assert len(before) == 16
    path = tmp_path / "merges.txt"
    path.write_text(path.read_text() + "\n")
    assert critic.revision() != before
