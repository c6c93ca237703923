"""The vLLM backend as far as it goes without vLLM: what it refuses before anything is started."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from scoring_tiny import write_original

from vpbench.errors import ConfigError
from vpbench.generate.generator import load_generator


def test_code_of_a_checkpoint_is_refused_unless_trusted(tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2")
    with pytest.raises(ConfigError, match="trust_remote_code=true"):
        load_generator(f"vllm:{tmp_path}", {}).prepare()
    assert load_generator(f"vllm:{tmp_path}", {"trust_remote_code": "true"}).identity()["trust_remote_code"] is True


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_missing_extra_says_what_to_install(tmp_path: Path) -> None:
    write_original(tmp_path, "qwen2")
    with pytest.raises(ConfigError, match=r"pip install 'vpbench\[vllm\]'"):
        load_generator(f"vllm:{tmp_path}", {"trust_remote_code": "true"}).prepare()


def test_a_model_that_is_not_there() -> None:
    generator = load_generator("vllm:/no/such/folder", {})
    for call in (generator.prepare, generator.revision):
        with pytest.raises(ConfigError, match="no such folder"):
            call()
