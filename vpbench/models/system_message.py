"""Which system message a checkpoint was scored with.

The words are read from the checkpoint folder: from its `conversation.py`, which is parsed and never run, else from
`system_message` in `config.json`. The released scorer takes the message of the chat template and ignores the
configuration, hence this order. A folder that holds neither gets the template's default, the one text this project
keeps: it is what names the model in every conversation of the `internvl2_5` template.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.conversation import ASSISTANT_ROLE, SEPARATOR, SYSTEM_ROLE, TEMPLATE, USER_ROLE

TEMPLATE_SYSTEM_MESSAGE = (
    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
)
"""Default of the template `internvl2_5`: 58 characters, SHA-256 of the UTF-8 bytes
bdb4d179c4c458dd9bd365588d3fd15aba0f2b755b4b192383416f610ad3396e."""

CONVERSATION_FILE = "conversation.py"
MAX_BYTES = 1_000_000


def system_message(folder: Path, config: Mapping[str, Any]) -> str:
    """The system message of a checkpoint; `config` is its parsed `config.json`.

    Raises `CriticError` for a `conversation.py` that can't be parsed or defines the template in another way.
    """
    path = folder / CONVERSATION_FILE
    if path.is_file():
        template = _template_arguments(path, str(config.get("template", TEMPLATE)))
        if template is not None:
            _check_roles(path, template)
            return str(template.get("system_message", ""))
    configured = config.get("system_message")
    if isinstance(configured, str) and configured:
        return configured
    return TEMPLATE_SYSTEM_MESSAGE


def _template_arguments(path: Path, name: str) -> dict[str, Any] | None:
    """The literal keyword arguments of the `Conversation(...)` call with this `name`; None if there is no such call."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise CriticError(f"{path}: {len(data)} bytes is too long for a template file; give system_message")
        tree = ast.parse(data.decode("utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CriticError(f"{path}: can't be read as a template file ({error}); give system_message") from error
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id == "Conversation":
            arguments = {word.arg: _literal(word.value) for word in call.keywords if word.arg}
            if arguments.get("name") == name:
                return arguments
    return None


def _literal(node: ast.expr) -> Any:
    """The value of a literal; None for anything that would have to be run."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _check_roles(path: Path, template: Mapping[str, Any]) -> None:
    """Compare what surrounds the turns with what `conversation.py` of this project writes."""
    expected = {
        "system_template": SYSTEM_ROLE + "{system_message}",
        "roles": (USER_ROLE, ASSISTANT_ROLE),
        "sep": SEPARATOR,
    }
    for key, value in expected.items():
        stated = template.get(key, value)
        if stated != value:
            raise CriticError(f"{path}: template {TEMPLATE} has {key} {stated!r}, only {value!r} is supported")
    if not isinstance(template.get("system_message", ""), str):
        raise CriticError(f"{path}: the template's system_message isn't a plain text; give system_message")
