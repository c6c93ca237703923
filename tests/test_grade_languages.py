"""Replies in other languages: lead-ins, choices, rejections, refusals, numbers in words, yes and no.

The answers are put together from each language's forms, wrappers and values, so that a form holds for all of them.
"""

from __future__ import annotations

import itertools

import pytest

from vpbench import Question
from vpbench.grade import grade_answer
from vpbench.grade.reading.languages import in_english, language_of

COLOURS = ("red", "green", "dark blue", "yellow")
CHOOSING = {
    "Chinese": (
        "答案是{}。|答案：{}|因此，答案为{}。|所以选择{}。|故选：{}|综上所述，正确选项是{}。|应选{}。|"
        "【答案】{}|最终答案：{}|选项{}正确。|{}是正确答案。"
    ),
    "Japanese": (
        "答えは{}です。|答え：{}|正解は{}です。|したがって、答えは{}である。|{}が正解です。|"
        "最終的な答えは{}です。|【解答】{}|{}を選びます。"
    ),
    "Korean": "정답은 {}입니다.|답: {}|따라서 정답은 {}이다.|최종 답은 {}입니다.|{}가 정답입니다.|{}를 선택합니다.",
    "German": (
        "Die Antwort ist {}.|Die richtige Antwort lautet: {}|Antwort: {}|Daher ist die Antwort {}.|"
        "{} ist die richtige Antwort.|Ich wähle {}.|Richtig ist {}."
    ),
    "French": (
        "La réponse est {}.|La bonne réponse est donc la {}.|Réponse : {}|"
        "Donc la réponse correcte est l'option {}.|{} est la bonne réponse.|Je choisis {}."
    ),
    "Spanish": (
        "La respuesta es {}.|La respuesta correcta es la opción {}.|Respuesta: {}|"
        "Por lo tanto, la respuesta es {}.|{} es la respuesta correcta.|Elijo {}."
    ),
}
WRAPPERS = ("{}", "({})", "**{}**", "**({})**", "\\boxed{{{}}}")
NUMBERS = {
    "42": (
        "答案是四十二。|一共有42个。|答えは四十二です。|答えは42個です。|정답은 사십이입니다.|"
        "답은 42개입니다.|Die Antwort ist zweiundvierzig.|Das Ergebnis beträgt 42.|"
        "La réponse est quarante-deux.|La respuesta es cuarenta y dos.|Hay 42 manzanas en total.|"
        "答案是４２。"
    ),
    "-3": (
        "答案是负三。|答案是负3。|答えはマイナス3です。|답은 마이너스 3입니다.|Die Antwort ist minus drei.|"
        "La réponse est moins trois.|La respuesta es menos tres."
    ),
    "200": (
        "答案是两百。|答えは二百です。|답은 이백입니다.|Die Antwort ist zweihundert.|"
        "La réponse est deux cents.|La respuesta es doscientos."
    ),
    "2/3": (
        "答案是三分之二。|答えは三分の二です。|답은 삼분의 이입니다.|Die Antwort ist zwei Drittel.|"
        "La réponse est deux tiers.|La respuesta es dos tercios."
    ),
    "3.5": "答案是三点五。|Die Antwort ist 3,5.|La réponse est 3,5.|La respuesta es 3,5.|Antwort: 3,5 cm",
}
YES = "是的。|答案：是|はい、そうです。|네.|Ja.|Ja, der rote Balken ist höher.|Oui.|Sí.|正确答案是：对"
NO = "不是。|答案：否|いいえ。|아니요.|Nein.|Non.|La respuesta es no.|Die Antwort ist nein.|La réponse est non."
NONE = (
    "无法确定。|信息不足，无法确定答案。|判断できません。|알 수 없습니다.|"
    "Das kann nicht bestimmt werden.|Keine der Optionen ist richtig.|"
    "Il est impossible de déterminer la réponse.|"
    "No se puede determinar.|选项C错误。|不选C。|Cは誤りです。|C는 틀립니다.|C ist falsch.|"
    "Die Antwort ist nicht C.|C est incorrecte.|C es incorrecta.|答案不是C。|答案是A或C。|"
    "Die Antwort ist A oder C.|La réponse est A ou C.|La respuesta es A o C.|答えはAまたはCです。|"
    "정답은 A 또는 C입니다."
)


def choice(answer: str, choices: tuple[str, ...] = COLOURS) -> Question:
    return Question("t", "1", "Which one?", choices=choices, answer=answer, answer_type="choice")


@pytest.mark.parametrize("language", CHOOSING)
def test_every_form_with_every_wrapper_and_letter(language: str) -> None:
    wrong = []
    for form, wrapper, index in itertools.product(CHOOSING[language].split("|"), WRAPPERS, range(4)):
        # after bold or a box an ending like "ist die richtige Antwort" is another form
        if form.startswith("{}") and wrapper != "{}" and wrapper != "({})":
            continue
        reply = form.format(wrapper.format("ABCD"[index]))
        verdict = grade_answer(choice("ABCD"[index]), reply, gold_choice=index)
        if not verdict.correct:
            wrong.append((reply, verdict.answer_class, verdict.reason))
    assert not wrong


@pytest.mark.parametrize(("gold", "reply"), [(gold, reply) for gold in NUMBERS for reply in NUMBERS[gold].split("|")])
def test_numbers(gold: str, reply: str) -> None:
    kind = "open" if "/" in gold else "float" if "." in gold else "integer"
    question = Question("t", "1", "How many?", answer=gold, answer_type=kind, precision=1)
    verdict = grade_answer(question, reply)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("index", "reply"), [(index, reply) for index in (0, 1) for reply in (YES, NO)[index].split("|")]
)
def test_yes_and_no(index: int, reply: str) -> None:
    verdict = grade_answer(choice("AB"[index], ("yes", "no")), reply, gold_choice=index)
    assert verdict.correct, verdict


@pytest.mark.parametrize("reply", NONE.split("|"))
def test_a_refused_a_rejected_and_a_double_answer_are_none(reply: str) -> None:
    verdict = grade_answer(choice("C"), reply, gold_choice=2)
    assert (verdict.answer_class, verdict.correct) == (None, False)


@pytest.mark.parametrize(
    "text",
    [
        "Also, we see that the answer is 5.",
        "On die size: 6 cm.",
        "Once.",
        "Cent",
        "I say so: \\pi ≈ 3.14",
        "The elf has the la la song.",
    ],
)
def test_english_stays_as_it_is(text: str) -> None:
    assert language_of(text) is None
    assert in_english(text) == text
