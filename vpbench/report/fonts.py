"""Fonts for names in any script: the default one, then those of this machine that have more letters.

What none of them can draw is written as its escape, which can be read, where an empty box can't.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Drawn = TypeVar("Drawn", bound=Callable[..., Any])

_DEFAULT = "sans-serif"
_MORE = (
    *(f"{maker} {script}" for maker in ("Noto Sans CJK", "Source Han Sans") for script in ("SC", "JP", "KR", "TC")),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "NanumGothic"),
    *("IPAexGothic", "Unifont", "Arial Unicode MS"),
)
"""Families with Chinese, Japanese and Korean letters that systems come with."""


def with_fonts(draw: Drawn) -> Drawn:
    """A function that draws, in the `families` of this machine."""

    @functools.wraps(draw)
    def drawn(*arguments: Any) -> Any:
        import matplotlib

        with matplotlib.rc_context({"font.family": list(families())}):
            return draw(*arguments)

    return drawn  # type: ignore[return-value]  # wraps keeps the signature


@functools.cache
def families() -> tuple[str, ...]:
    """The default family, and those of `_MORE` that are installed."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return (_DEFAULT, *(family for family in _MORE if family in installed))


def drawable(text: str) -> str:
    """The text, with the escape of every character that no font here has: "模" as "\\u6a21"."""
    if text.isascii():
        return text
    return "".join(sign if ord(sign) in _drawable() else ascii(sign)[1:-1] for sign in text)


@functools.cache
def _drawable() -> frozenset[int]:
    """The code points that one of the `families` has."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    return frozenset(
        code for family in families() for code in FT2Font(findfont(FontProperties(family=[family]))).get_charmap()
    )
