"""Named figures beside the headline: an accuracy on a part of the questions, a worst case, a rate of groups.

Each is a weighted mean over the questions, or one such mean divided by another, so that one bootstrap serves them all
and a task only says which rows count for what.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from vpbench.records import Question

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """The mean of `values` [Q, K] by `weights` [Q]: a row per question, a column per value of N, fractions of 1.

    Rows are expectations over candidates drawn independently for each question, so a value has to be linear in the
    correctness of every question it rests on. The value of a group stands in the row of its first question, the
    group's other rows weigh nothing. With `by` the figure is this mean divided by that of `by` (a ratio of
    expectations), and 0 where that is 0. `category` and `label` name the part of the questions it is about.
    """

    name: str
    values: Array
    weights: Array
    category: str | None = None
    label: str | None = None
    by: Measure | None = None

    @classmethod
    def accuracy(cls, correctness: Array) -> Measure:
        """The mean correctness [Q, K] of all questions."""
        import numpy as np

        return cls("accuracy", correctness, np.ones(len(correctness)))

    @classmethod
    def of_groups(
        cls,
        name: str,
        questions: Sequence[Question],
        correctness: Array,
        value: Callable[[Sequence[Question], Array], Array],
    ) -> Measure:
        """The mean over groups of questions of `value(questions, correctness)`, which gives [K] for a group's rows."""
        import numpy as np

        groups: dict[str, list[int]] = {}
        for row, question in enumerate(questions):
            groups.setdefault(question.group or question.id, []).append(row)
        values, weights = np.zeros(correctness.shape), np.zeros(len(correctness))
        for rows in groups.values():
            values[rows[0]] = value([questions[row] for row in rows], correctness[rows])
            weights[rows[0]] = 1.0
        return cls(name, values, weights)

    def by_category(self, questions: Sequence[Question], category: str) -> list[Measure]:
        """This measure on the questions of each label of `category`; a question may have several labels, or none.

        Nothing where all questions have the same, as there is nothing to tell apart.
        """
        import numpy as np

        labels_of_rows = [_labels(question.categories.get(category)) for question in questions]
        if all(labels == labels_of_rows[0] for labels in labels_of_rows):
            return []
        # labels of one category may be numbers and texts; numbers come first
        names = sorted(
            {label for labels in labels_of_rows for label in labels}, key=lambda label: (isinstance(label, str), label)
        )
        parts = []
        for name in names:
            part = self._among(np.array([name in labels for labels in labels_of_rows]))
            if part.count:
                parts.append(dataclasses.replace(part, category=category, label=str(name)))
        return parts

    def _among(self, rows: NDArray[np.bool_]) -> Measure:
        by = None if self.by is None else self.by._among(rows)
        return dataclasses.replace(self, weights=self.weights * rows, by=by)

    @property
    def count(self) -> int:
        """How many questions, or groups, the mean is over."""
        return int((self.weights > 0).sum())

    def figure(self) -> Array:
        """The figure [K]; 0 where it is divided by 0, or nothing counts."""
        import numpy as np

        mean = self.weights @ self.values / (self.weights.sum() or 1.0)
        if self.by is None:
            return mean
        divisor = self.by.figure()
        return np.divide(mean, divisor, out=np.zeros_like(mean), where=divisor > 0)


def _labels(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
