"""Checkpoint folders: finding them, broken ones, their fingerprint and their system message."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scoring_tiny import write_original

from vpbench.errors import CriticError
from vpbench.models import checkpoint
from vpbench.models.system_message import TEMPLATE_SYSTEM_MESSAGE, system_message
from vpbench.scoring import checkpoint_fingerprint, checkpoint_folder, load_step_scorer


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pristine")
    write_original(folder, "qwen2", parts=2)
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    for path in pristine.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def part(folder: Path) -> Path:
    return min(folder.glob("model-*.safetensors"))


def edit_index(folder: Path, name: str, file: str) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"][name] = file
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: [path.unlink() for path in f.glob("*.safetensors*")], "no weights"),
        (lambda f: part(f).unlink(), "not in the folder; fetch the rest"),
        (lambda f: part(f).write_bytes(part(f).read_bytes()[:999]), "not a readable safetensors file"),
        (lambda f: part(f).write_bytes(b"junk"), "not a readable safetensors file"),
        (lambda f: edit_index(f, "x", "../secret.safetensors"), "isn't a file name"),
        (lambda f: edit_index(f, "x.weight", part(f).name), r"differs from model.safetensors.index.json in x.weight"),
        (lambda f: (f / "model.safetensors.index.json").write_text("{}"), "no weight_map"),
        (lambda f: (f / "config.json").unlink(), "config.json: can't be read as JSON"),
        (lambda f: (f / "config.json").write_text("[1]"), "holds a list, not an object"),
        (lambda f: (f / "config.json").write_text("{"), "can't be read as JSON"),
        (lambda f: (f / "merges.txt").unlink(), "no tokenizer"),
        (lambda f: (f / "vocab.json").write_text("{"), "can't load the tokenizer"),
        (lambda f: (f / "tokenizer_config.json").write_text("{}"), "no special token"),
    ],
)
def test_broken_folders(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(CriticError) as caught:
        load_step_scorer(str(folder), dtype="float32", device="cpu")
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("model", ["/no/such/folder", "./nothing", "a/b/c"])
def test_a_missing_folder(model: str) -> None:
    with pytest.raises(CriticError, match="no such folder; give the folder of a checkpoint or a model id"):
        checkpoint_folder(model)


def test_an_unreachable_hub_id() -> None:
    with pytest.raises(CriticError, match=r"nobody/nothing: neither .* HF_HUB_OFFLINE"):
        checkpoint_folder("nobody/nothing", "0" * 40)


def test_a_hub_id_fetches_data_and_no_code_but_the_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = {}

    def snapshot_download(model: str, **settings: object) -> str:
        asked[model] = settings
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert checkpoint_folder("somebody/something", "abc") == tmp_path
    assert asked["somebody/something"]["revision"] == "abc"
    patterns = asked["somebody/something"]["allow_patterns"]
    assert [p for p in patterns if p.endswith((".py", ".bin", ".pt", "*"))] == ["conversation.py"]


def test_a_folder_has_no_revision(folder: Path) -> None:
    with pytest.raises(CriticError, match="leave the revision out"):
        checkpoint_folder(str(folder), "main")


def test_fingerprint_follows_contents(folder: Path, pristine: Path) -> None:
    assert checkpoint_fingerprint(folder) == checkpoint_fingerprint(pristine)
    (folder / "README.md").write_text("not part of the model")
    assert checkpoint_fingerprint(folder) == checkpoint_fingerprint(pristine)
    for name in ("config.json", "vocab.json", part(folder).name):
        before, path = checkpoint_fingerprint(folder), folder / name
        path.write_bytes(path.read_bytes()[:-1] + b"\x01")
        assert checkpoint_fingerprint(folder) != before, name


def test_fingerprint_of_large_files_samples_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "WHOLE_HASH_BYTES", 0)
    monkeypatch.setattr(checkpoint, "SAMPLE_BYTES", 64)
    before, path = checkpoint_fingerprint(folder), part(folder)
    data = bytearray(path.read_bytes())
    for place in (0, len(data) - 1):
        data[place] ^= 1
        path.write_bytes(data)
        after = checkpoint_fingerprint(folder)
        assert after != before
        before = after


def template(**changes: str) -> str:
    fields = {
        "name": "'internvl2_5'",
        "system_template": r"'<|im_start|>system\n{system_message}'",
        "system_message": "'From the file.'",
        "roles": r"('<|im_start|>user\n', '<|im_start|>assistant\n')",
        "sep_style": "SeparatorStyle.MPT",
        "sep": r"'<|im_end|>\n'",
    } | changes
    return "register(Conversation(" + ", ".join(f"{key}={value}" for key, value in fields.items()) + "))\n"


def test_default_system_message_is_the_templates() -> None:
    digest = hashlib.sha256(TEMPLATE_SYSTEM_MESSAGE.encode()).hexdigest()
    assert len(TEMPLATE_SYSTEM_MESSAGE) == 58
    assert digest == "bdb4d179c4c458dd9bd365588d3fd15aba0f2b755b4b192383416f610ad3396e"


def test_system_message_prefers_the_template_file_and_runs_nothing(tmp_path: Path) -> None:
    assert system_message(tmp_path, {}) == TEMPLATE_SYSTEM_MESSAGE
    assert system_message(tmp_path, {"system_message": "From config."}) == "From config."
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit\n"
    (tmp_path / "conversation.py").write_text(trap + template(name="'other'", system_message="'No.'") + template())
    assert system_message(tmp_path, {"system_message": "From config."}) == "From the file."
    assert not (tmp_path / "ran").exists()
    (tmp_path / "conversation.py").write_text(template(name="'other'"))
    assert system_message(tmp_path, {"template": "internvl2_5"}) == TEMPLATE_SYSTEM_MESSAGE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", "can't be read as a template file"),
        ("(" * 100_000, "can't be read as a template file"),
        ("#" * 1_000_001, "too long"),
        (template(system_message="open('x').read()"), "isn't a plain text"),
        (template(roles="('a', 'b')"), "has roles ('a', 'b')"),
        (template(sep="'</s>'"), "has sep '</s>'"),
    ],
)
def test_template_files_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "conversation.py").write_text(text)
    with pytest.raises(CriticError) as caught:
        system_message(tmp_path, {})
    assert message in str(caught.value)


def test_importing_the_room_is_light() -> None:
    heavy = "{'torch', 'transformers', 'PIL', 'numpy', 'huggingface_hub', 'sentencepiece', 'safetensors'}"
    code = f"import sys, vpbench.scoring; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
