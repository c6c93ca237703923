"""The reply without the thoughts before it, whatever marks them.

Reasoning models write down what they think before they answer, each family between marks of its own: tags in angle
brackets ("<think>", "<seed:think>", "<REASONING>"), in other brackets ("[THINK]", "◁think▷"), as tokens
("<|begin_of_thought|>"), as channels ("<|channel|>analysis<|message|>"). What stands in a part for thoughts is no
answer; what stands in a part for the answer is all of it. Marks are told by their names, so that a new dress of a
known name is read too. Thoughts that nothing follows, or that were cut off, are read as the reply, for want of another.
"""

from __future__ import annotations

import re

_THOUGHT = (
    r"(?:\w{1,12}:)?(?:think(?:ing)?|thoughts?|thought_process|reasoning|reasoning_process|reflection|analysis|scratchpad|"
    r"summary|caption|inner_monologue|cot|reason)"
)
_REPLY = r"(?:\w{1,12}:)?(?:conclusion|response|final|final_answer|final_response|output|solution|reply)"
_OPEN, _CLOSE = r"(?:<\|?|\[|◁|【)", r"(?:\|?>|\]|▷|】)"
_FAST = re.compile(r"[<\[◁【]")
_TOKEN_BEGIN = re.compile(rf"<\|(?:begin|start)_of_({_THOUGHT}|{_REPLY})\|>", re.IGNORECASE)
_TOKEN_END = re.compile(rf"<\|end_of_({_THOUGHT}|{_REPLY})\|>", re.IGNORECASE)
_END = re.compile(rf"{_OPEN}/({_THOUGHT}){_CLOSE}", re.IGNORECASE)
_MARK = re.compile(rf"{_OPEN}(/?)({_THOUGHT}){_CLOSE}", re.IGNORECASE)
_REPLY_BEGIN = re.compile(rf"{_OPEN}({_REPLY}){_CLOSE}", re.IGNORECASE)
_REPLY_END = re.compile(rf"{_OPEN}/(?:{_REPLY}){_CLOSE}", re.IGNORECASE)
_CHANNEL = re.compile(
    r"<\|channel\|?>\s*(\w+)[^<]{0,40}<\|message\|?>(.*?)(?=<\|(?:end|start|return|channel|call)\|?>|\Z)",
    re.IGNORECASE | re.DOTALL,
)


def without_thoughts(text: str) -> str:
    """`text` without parts for thoughts; the last part for the reply where one is marked and not empty."""
    if _FAST.search(text) is None:
        return text
    text = _TOKEN_END.sub(r"</\1>", _TOKEN_BEGIN.sub(r"<\1>", text))
    channels = _CHANNEL.findall(text) if "<|channel" in text else []
    finals = [content for name, content in channels if name.lower() == "final" and content.strip()]
    if finals:
        return str(finals[-1])
    rest = _without_closed_parts(text)
    # A thought whose beginning was part of the prompt has only an end.
    ends = list(_END.finditer(rest))
    if ends and rest[ends[-1].end() :].strip():
        rest = rest[ends[-1].end() :]
    elif ends:
        rest = rest[: ends[-1].start()]
    for begin in reversed(list(_REPLY_BEGIN.finditer(rest))):
        end = _REPLY_END.search(rest, begin.end())
        content = rest[begin.end() : end.start() if end else len(rest)]
        if content.strip():
            return content
    return rest if rest.strip() else text


def _without_closed_parts(text: str) -> str:
    """`text` without what stands between the beginning and the end of a part for thoughts."""
    kept: list[str] = []
    at, opened = 0, ""
    for mark in _MARK.finditer(text):
        name = mark[2].casefold()
        if not mark[1] and not opened:
            kept.append(text[at : mark.start()])
            at, opened = mark.start(), name
        elif mark[1] and opened == name:
            at, opened = mark.end(), ""
    return "\n".join([*kept, text[at:]])
