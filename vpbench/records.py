"""The data that crosses rooms.

Five frozen records travel through a run: a `Question` is asked, a policy's `Candidate` answers it, grading gives the
candidate a `Verdict`, a critic gives it a `Score`, and statistics turn all of them into a result. A `Verdict` and a
`Score` hold values only; the row they belong to is named by a `RowKey`, the pair (question id, candidate index).
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vpbench.errors import DataError
from vpbench.images import MAX_BYTES, decode, decoded_size

if TYPE_CHECKING:
    from PIL.Image import Image

RowKey = tuple[str, int]
"""(question id, candidate index)"""

CORRECT, NEUTRAL, INCORRECT = 1, 0, -1
"""The labels of steps."""

LabelRule = Literal["value", "advantage"]
"""How raw Monte-Carlo estimates become labels: by their value, or by how they change."""

GradingMode = Literal["robust", "official"]
Selection = Literal["best", "vote", "weighted-vote"]


class Reason(str):
    """Why a row is as it is: a kind, by which rows are counted, and after a colon what varies by row.

    It is the string "kind: detail" itself: plugins write plain strings, stores keep them as they are.
    """

    __slots__ = ()

    @property
    def kind(self) -> str:
        """What comes before the first colon, such as "judge failed"."""
        return self.partition(":")[0]

    @property
    def detail(self) -> str:
        """What comes after it, empty where there is no colon."""
        return self.partition(":")[2].strip()


EMPTY_RESPONSE = Reason("empty response")
"""The reason of a score that isn't there because nothing is there to be scored; no failure of the critic."""

NO_ANSWER = Reason("no answer")
"""The reason of a verdict on a response in which no answer can be read."""

TIMEOUT, COMPARISON_FAILED = "timeout", "comparison failed"
"""The reasons of verdicts where two formulas weren't compared to the end; such rows are owed again."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of a question, read only when somebody opens it.

    Exactly one of `path` and `load` says where the encoded bytes are; `name` is what messages call it.
    """

    name: str
    path: Path | None = None
    load: Callable[[], bytes] | None = field(default=None, compare=False)

    def read(self) -> bytes:
        """The encoded image. Raises `DataError` if there is none."""
        if self.load is not None:
            return self.load()
        if self.path is None:
            raise DataError(f"missing image: {self.name} holds none; give data with images by --data DIR")
        try:
            status = self.path.stat()
            # Opening a pipe waits for a writer, a device may never end.
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"bad image path: {self.name}: {self.path} isn't a regular file")
            if status.st_size > MAX_BYTES:
                size = f"{status.st_size:,} bytes, at most {MAX_BYTES:,} are read"
                raise DataError(f"image too large: {self.name}: {self.path} has {size}; make it smaller")
            return self.path.read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"missing image: {self.name}: can't read {self.path} ({reason})") from error

    def open(self, released: bool = False) -> Image:
        """The decoded image, upright, in mode L or RGB; `released` as the released scorer decodes it.

        Raises `DataError` if it is missing, broken or too large.
        """
        return decode(self.read(), self.name, released)

    def size(self) -> tuple[int, int]:
        """Width and height in pixels of what `open` gives; most formats aren't decoded for it. Raises `DataError`."""
        return decoded_size(self.read(), self.name)


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a task.

    `text` is the question part of the prompt, options included and nothing about the form of the answer. `choices`
    are the option texts in order (None: no options, or only drawn in the image). `answer` is what the data set says:
    the text of an option, a letter, a number or an expression, as its task documents. `precision` counts decimals.
    `text_in_image` is the question as the image shows it, where `text` leaves that to the image; only graders read it.
    """

    task: str
    id: str
    text: str
    images: tuple[ImageRef, ...] = ()
    choices: tuple[str, ...] | None = None
    answer: str = ""
    answer_type: str = "text"
    precision: int | None = None
    unit: str | None = None
    group: str | None = None
    categories: Mapping[str, Any] = field(default_factory=dict)
    text_in_image: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One response to one question.

    `steps` are the response's where the data gives them (else a critic splits). `error` says why there is no response
    (it is empty then); the candidate can be drawn again. `withheld`: its pool gives a verdict on the response, but not
    the text.
    """

    question_id: str
    index: int
    response: str
    policy: str = ""
    finish_reason: str | None = None
    tokens: int | None = None
    steps: tuple[str, ...] | None = None
    error: str | None = None
    withheld: bool = False

    @property
    def key(self) -> RowKey:
        """The row this candidate is."""
        return (self.question_id, self.index)


Trace = tuple[tuple[str, str], ...]
"""How an answer was read: a layer of reading and what it found, in order."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What grading says of a response.

    `answer_class` names the answer so that equivalent answers share the name (None: no answer, doesn't vote).
    `reason` is a short word: "match", "different", "no answer", "two answers", "empty response", "timeout",
    "comparison failed", ...; `Reason` takes it apart. `trace` says how the answer was read, layer by layer, and
    isn't stored.
    """

    extracted: str | None
    answer_class: str | None
    correct: bool
    reason: str
    trace: Trace = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Score:
    """What a critic says of a response: `value` (higher is better), and one value per step for critics that have them.

    `value` is None where scoring failed; `reason` then says why, and `retry` whether another run may do better. Beside
    a value, `reason` is a remark on the row; a result counts them.
    """

    value: float | None
    steps: tuple[float, ...] | None = None
    reason: str | None = None
    retry: bool = False


@dataclass(frozen=True, slots=True)
class LabelledSolution:
    """One row of a step benchmark: a solution whose steps carry labels 1 correct, 0 neutral, -1 incorrect."""

    question: Question
    candidate: Candidate
    labels: tuple[int, ...]
    source: str


LETTERS = "ABCD"
"""The labels of a drawn question's options."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question before any benchmark's row format.

    `text` is the question without its options (of kind "shown" the picture asks it), `answer` the value, `options` the
    texts to choose from (`answer` among them). `facts` say what the picture holds, `steps` is the reference solution
    without its answer line. `part` is what the question is within its group: a variant's number, or a role like
    "2steps_1". `picture` is a `vpbench.nano.pictures.Picture`.
    """

    kind: str
    text: str
    picture: Any
    facts: tuple[str, ...]
    steps: tuple[str, ...]
    answer: str
    options: tuple[str, ...] | None = None
    part: str = ""

    @property
    def letter(self) -> str:
        """The letter of the right option."""
        return LETTERS[(self.options or ()).index(self.answer)]

    @property
    def solution(self) -> tuple[str, ...]:
        """All steps of the reference solution, the answer line last."""
        return (*self.steps, f"Answer: ({self.letter})" if self.options else f"Answer: {self.answer}")
