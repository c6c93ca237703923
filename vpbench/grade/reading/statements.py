"""Yes or no, where the reply is a statement.

To "Is the red bar taller than the blue bar?" a reply "The red bar isn't taller than the blue bar" says no without the
word. `polarity` reads "yes" and "no" where they stand, and otherwise compares a statement with the question: it must
repeat most of the question's words; a negation, the opposite word (smaller for larger) or exchanged sides of a "than"
turn it to no, two of these to yes again; "equal" or "the same" where the question asks for a difference is no as well.
Conditions (unless the question makes them), refusals and statements of a value ("the median is 20") say nothing.
"""

from __future__ import annotations

import re

from vpbench.grade.reading.languages import leading_yes_or_no
from vpbench.grade.reading.text import content_stems, words_of

_YES = re.compile(r"\b(?:yes|yeah|yep|correct|true)\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|nope|false|incorrect|untrue)\b", re.IGNORECASE)
_LEADING = re.compile(
    r"[\W_]{0,20}(?:(?:therefore|thus|hence|so)[, ]{1,2})?(yes|no|true|false)\b"
    r"(?! (?:information|bars?|objects?|answer|option|one|other|longer))",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|false|incorrect|untrue|fails?|unlike|rather than)\b|n't\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\?|\b(?:if\b|whether\b|unclear\b|may\b|might\b|depends?\b|assum|need to\b|would need\b"
    r"|(?:cannot|can't|can not|not possible to|unable to|impossible to|difficult to|hard to|not able to)\s+(?:be\s+)?"
    r"(?:\w+\s+)?(?:determin|answer|provid|find|solve|calculat|tell|say|see|know|compar|assist|conclu|ascertain|accurate"
    r"|confirm)"
    r"|(?:I|we) (?:do not|don't) (?:know|have)\b"
    r"|(?:not|don't|doesn't|didn't) have (?:\w+ ){0,3}(?:information|context|details|data|access)\b"
    r"|(?:can)?not (?:provide|given|enough|clear|specif)"
    r"|insufficient\b|mistake\b|contradict|inconsisten|please\b|sorry\b|need (?:more|additional|further)\b)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:is|are|was|were|be) not\b|(?:is|are|was|were|ca|could|wo|would)n't\b|\b(?:can|could|would) ?not be\b"
    r"|\b(?:not|never|neither) (?:at )?(?=\$?\d|(?:half|quarter)\b)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't|not possible to|unable to|impossible to|not able to)\s+"
    r"(?:be\s+)?(?:\w+\s+){0,3}?(?:determin|answer|provid|find|solve|calculat|tell|say|assist|conclu|ascertain|help)"
    r"|\b(?:is|are)(?: not|n't) applicable\b|\bnot applicable\b|\b(?:question|term|concept|statement)s?"
    r" (?:does|do)(?: not|n't) apply\b"
    r"|\b(?:cannot|can't|can not|could not) be (?:described|called|classified|considered|compared|said)\b"
    r"|\b(?:not enough|insufficient|no|need more|need additional|need further) (?:information|context|data|details)\b",
    re.IGNORECASE,
)
_NO_OPTION = re.compile(
    r"\bnone of the (?:\w+ )?(?:options|choices)\b|\bnot an option\b"
    r"|\bnot (?:one of|among|in|any of|available in|listed in) the (?:\w+ ){0,2}(?:options|choices)\b"
    r"|\b(?:option|answer) is not (?:provided|available|given|listed)\b",
    re.IGNORECASE,
)
_DENYING = ("not", "none", "n't", "unable", "impossible", "insufficient", "no ", "need ", "cannot", "can't")
_OPPOSITES = [
    (frozenset(terms.split()), frozenset(opposites.split()))
    for terms, opposites in (
        (
            "less fewer smaller lower shorter under below minority",
            "more greater larger bigger higher taller longer over above exceeds majority",
        ),
        (
            "minimum lowest smallest least fewest shortest low",
            "maximum highest largest greatest most biggest longest tallest high",
        ),
        ("left", "right"),
        ("before", "after"),
        ("increasing increase increases increased", "decreasing decrease decreases decreased declining"),
        ("odd", "even"),
        ("smooth smoothest", "rough roughest"),
        ("first", "last"),
        ("older oldest", "younger youngest"),
        ("positive", "negative"),
        ("front", "behind"),
    )
]
_TOO_LITTLE = re.compile(
    r"\b(?:not|n't|never) (?:\w+ ){0,3}enough\b|\bexceed(?:s|ing|ed)?\b|\binsufficient\b|\btoo (?:little|few"
    r"|expensive)\b"
    r"|\b(?:\$?\d[\d.,]* )?short\b|\bmore than (?:he|she|they|it|\w+) ha(?:s|ve|d)\b|\bless than (?:the"
    r" )?(?:total|cost|price)\b"
    r"|\b(?:cannot|can't|unable to) (?:afford|buy)\b",
    re.IGNORECASE,
)
_ENOUGH = re.compile(
    r"(?<!not )\b(?:ha(?:s|ve) (?:more than )?enough|is enough|can afford|left over|to spare)\b", re.IGNORECASE
)
_VALUE = re.compile(r"\b(?:is|are|was|were) \$?(\d[\d.,]*?)%?\W*$", re.IGNORECASE)
_EQUAL = {"equal", "same", "equals", "equally", "identical", "equivalent"}


def is_unsure(text: str) -> bool:
    """Whether `text` is a condition, a refusal or a question rather than an answer."""
    return bool(_UNSURE.search(text))


def is_denied(text: str) -> bool:
    """Whether `text` says of something that it isn't the answer ("it can't be 12", "not half past four")."""
    return bool(_DENIED.search(text))


def is_open(text: str) -> bool:
    """Whether `text` is unsure by more than a mere "may" or "might"."""
    return any(match.group().lower() not in {"may", "might"} for match in _UNSURE.finditer(text))


def is_refusal(text: str) -> bool:
    """Whether `text` says that the question can't be answered."""
    return _may_deny(text) and (bool(_REFUSAL.search(text)) or denies_options(text))


def denies_options(text: str) -> bool:
    """Whether `text` says that the answer isn't among the options."""
    return _may_deny(text) and bool(_NO_OPTION.search(text))


def _may_deny(text: str) -> bool:
    """Whether `text` holds one of the words, or parts of words, that refusals are made with."""
    lowered = text.lower()
    return any(part in lowered for part in _DENYING)


def leading_polarity(text: str) -> bool | None:
    """True for a text that begins with yes (true), False for no (false), None otherwise."""
    match = _LEADING.match(text)
    if match is None:
        return leading_yes_or_no(text)
    return match.group(1).lower() in {"yes", "true"}


def word_polarity(text: str) -> bool | None:
    """Yes or no by the words themselves, anywhere in `text`; None if there is none or both."""
    yes, no = bool(_YES.search(text)), bool(_NO.search(text))
    return yes if yes != no else leading_yes_or_no(text)


def polarity(text: str, question: str) -> bool | None:
    """Whether the statement `text` affirms (True) or denies (False) what `question` asks; None: says nothing of it."""
    outright = leading_polarity(text)
    if outright is not None:
        return outright
    if "enough" in question.lower() and (suffices := _sufficiency(text)) is not None:
        return suffices
    if any(doubt.group() == "?" or not _begins_a_word(doubt.group(), question) for doubt in _UNSURE.finditer(text)):
        return None
    question, text = (_in_words(part) for part in (question[-300:], text[:600]))
    question_words, statement_words = words_of(question), words_of(text)
    wanted = content_stems(question)
    if not wanted or ((value := _VALUE.search(text)) is not None and value[1] not in question):
        return None
    opposite = _opposite(question_words, statement_words)
    shared = len(wanted & content_stems(text)) + (1 if opposite else 0)
    if shared < 0.5 * len(wanted) or shared < min(2, len(wanted)):
        return None
    if _EQUAL & statement_words and not _EQUAL & question_words:
        return False if not _NEGATION.search(text) else None
    negated = bool(_NEGATION.search(text)) != bool(_NEGATION.search(question))
    return (negated + opposite + _swapped(text, question)) % 2 == 0


def _sufficiency(text: str) -> bool | None:
    """Whether `text` says that something suffices, without yes or no; None where it says nothing of it."""
    if _TOO_LITTLE.search(text):
        return False
    return True if _ENOUGH.search(text) else None


def _in_words(text: str) -> str:
    """`text` with "greater than" and "less than" for > and <."""
    return text.replace(">", " greater than ").replace("<", " less than ")


def _begins_a_word(start: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(start)}", text, re.IGNORECASE) is not None


def _swapped(text: str, question: str) -> bool:
    """Whether the statement says of B and A what the question asks of A and B ("more B than A")."""
    sides = [part.partition(" than ") for part in (question, text)]
    if not all(than for _, than, _ in sides):
        return False
    (first, second), (left, right) = ((content_stems(before), content_stems(after)) for before, _, after in sides)
    first, second = first - second, second - first
    if not first or not second:
        return False
    crossed = len(left & second) / len(second) + len(right & first) / len(first)
    return crossed > len(left & first) / len(first) + len(right & second) / len(second)


def _opposite(question_words: frozenset[str], statement_words: frozenset[str]) -> bool:
    """Whether the statement uses the opposite of a word of the question instead of that word."""
    for small, large in _OPPOSITES:
        for terms, opposites in ((small, large), (large, small)):
            if (
                question_words & terms
                and not question_words & opposites
                and statement_words & opposites
                and not statement_words & terms
            ):
                return True
    return False
