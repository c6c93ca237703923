"""The tiny models: the training code computes what transformers computes, and is trained on what a run asks."""

import random

import pytest
import torch

from vpbench.generate import Message, Prompt, Sampling, load_generator
from vpbench.models.chat import load_chat
from vpbench.models.conversation import mark_images
from vpbench.nano.architecture import CRITIC_LAYERS, POLICY_LAYERS, empty_model, save
from vpbench.nano.conversations import Conversations, nano_tasks
from vpbench.nano.families import draw_mixed
from vpbench.nano.language import Words, read_ids, vocabulary, world_texts, write_tokenizer
from vpbench.nano.lean import LanguageModel
from vpbench.nano.optimiser import FlatAdamW
from vpbench.nano.solutions import MAX_TOKENS, sample
from vpbench.nano.truth import expected, slip, step_labels
from vpbench.nano.tuning import padded
from vpbench.nano.verification import judged, with_judging_layers
from vpbench.nano.vision import features
from vpbench.records import ImageRef
from vpbench.scoring import load_step_scorer


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A random checkpoint with the world's tokenizer: (folder, native model, conversations)."""
    folder = tmp_path_factory.mktemp("nano")
    tasks = nano_tasks()
    bare = [
        task.question(task.nano_row(question, 0), ()).text
        for kind, task in tasks.items()
        for question in draw_mixed(random.Random(1), 30, {kind: 1})
    ]
    write_tokenizer(folder, vocabulary(world_texts(bare)))
    ids = read_ids(folder)
    native = empty_model(POLICY_LAYERS, ids, seed=2).eval()
    for parameter in native.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    save(folder, native.state_dict(), POLICY_LAYERS, ids)
    return folder, native.to(torch.bfloat16), Conversations(Words(ids), tasks)


def test_nothing_the_world_says_is_unknown_to_the_tokenizer_and_nothing_is_lost(world):
    folder, _, talk = world
    general = load_step_scorer(str(folder)).tokenizer
    for drawn in draw_mixed(random.Random(8), 140):
        for text in (talk.text(drawn), "\n\n".join(drawn.solution)):
            ids = talk.words.encode(text)
            assert general.encode(text, with_special=False) == ids
            assert talk.words.ids["<unk>"] not in ids
            assert general.inner.decode(ids) == text


@pytest.mark.parametrize("whole", [False, True])
def test_critics_are_trained_on_the_prompts_that_scoring_writes(world, whole):
    folder, _, talk = world
    scorer = load_step_scorer(str(folder))
    rng = random.Random(3)
    for drawn in draw_mixed(rng, 35):
        steps = slip(drawn, rng)
        labels = [True] if whole else step_labels(drawn, steps)
        sequence = judged(talk, drawn, 0, steps, labels, whole=whole)
        turns = ("\n\n".join(steps),) if whole else steps
        prompt = scorer.prompt(mark_images(talk.text(drawn), 1), turns, [1])
        assert list(prompt.ids) == sequence.ids
        at_readouts = [label for label in sequence.labels if label[0] in prompt.readouts]
        assert [(position, int(label)) for position, label in zip(prompt.readouts, labels, strict=True)] == at_readouts
        assert (at_readouts == sequence.labels) == whole


def test_the_policy_is_trained_on_the_prompts_that_sampling_writes(world):
    folder, _, talk = world
    chat = load_chat(str(folder), None, "auto", "cpu", None)
    for drawn in draw_mixed(random.Random(3), 20):
        message = Message("user", talk.text(drawn), (ImageRef("picture", load=drawn.picture.png),))
        text = chat.text((message,), images=True).replace("<image>", "<img>" + "<IMG_CONTEXT>" * 16 + "</img>", 1)
        assert chat.checkpoint.tokenizer.encode(text, with_special=False) == talk.asked(drawn)


def test_dense_labels_and_next_tokens_follow_the_reference(world):
    *_, talk = world
    (drawn,) = draw_mixed(random.Random(1), 1, {"decimal": 1})
    steps = (drawn.steps[0], drawn.steps[1].replace(" ", " 9"), *drawn.steps[2:], drawn.solution[-1])
    sequence = judged(talk, drawn, 0, steps, step_labels(drawn, steps), whole=False)
    texts = {id: token for token, id in talk.words.ids.items()}
    labelled = [(texts[sequence.ids[position]], label) for position, label in sequence.labels]
    written = talk.words.encode(steps[1])
    assert len(written) == 3
    start = next(at for at in range(len(sequence.ids)) if sequence.ids[at : at + 3] == written)
    by_place, follow = dict(sequence.labels), dict(sequence.following)
    assert start not in by_place
    assert (by_place[start + 1], by_place[start + 2]) == (0, 0)
    assert [follow[start - 1], follow[start]] == talk.words.encode(expected(drawn, steps)[1])
    assert start + 1 not in follow
    assert [label for text, label in labelled if text == "<|im_start|>assistant\n"] == [1, 0, 1, 1]


def test_the_lean_language_model_is_transformers_own(world):
    _, native, talk = world
    lean = LanguageModel(POLICY_LAYERS, native.config.text_config.vocab_size).to(torch.bfloat16)
    lean.load(native.state_dict())
    drawn = draw_mixed(random.Random(6), 4)
    visual = features(native, [question.picture.pixels for question in drawn])
    asked = [talk.asked(question) + talk.answered(question.solution) for question in drawn]
    hidden, middle = lean(lean.embed(padded(asked, 0), visual, talk.words.ids["<IMG_CONTEXT>"]), 2)
    assert middle is not None
    for row, (ids, features_of_row) in enumerate(zip(asked, visual, strict=True)):
        embedded = native.get_input_embeddings()(torch.tensor([ids]))
        embedded[torch.tensor([ids]) == talk.words.ids["<IMG_CONTEXT>"]] = features_of_row
        with torch.no_grad():
            expected_logits = native(inputs_embeds=embedded).logits[0].float()
            double = native.float()(inputs_embeds=embedded.float()).logits[0]
            native.to(torch.bfloat16)
        logits = lean.head(hidden[row, : len(ids)]).float()
        own_error = (expected_logits - double).abs().max()
        assert (logits - double).abs().max() < 2 * own_error
    stored = lean.native()
    assert all(torch.equal(stored[name], native.state_dict()[name]) for name in stored)


def test_added_judging_layers_change_nothing_at_first(world):
    _, native, talk = world
    base = LanguageModel(POLICY_LAYERS, native.config.text_config.vocab_size).to(torch.bfloat16)
    base.load(native.state_dict())
    critic = with_judging_layers(base, seed=1)
    embedded = base.embedding(torch.tensor([talk.words.encode("red 5\n\nAnswer: 5")]))
    assert len(critic.layers) == CRITIC_LAYERS
    assert torch.equal(critic(embedded)[0], base(embedded)[0])


def test_sampled_solutions_belong_to_their_questions_and_are_kept_once(world):
    folder, _, talk = world
    drawn = sample(folder, talk, draw_mixed(random.Random(5), 12), 5, 4, 1e-4)
    assert sorted({number for number, _ in drawn.steps}) == list(range(12))
    assert len(set(drawn.steps)) == len(drawn.steps) < 48
    sampling = Sampling(temperature=0, max_tokens=MAX_TOKENS)
    messages = [
        Message("user", talk.text(question), (ImageRef("picture", load=question.picture.png),))
        for question in drawn.drawn
    ]
    alone = load_generator(str(folder), {}).generate([Prompt((message,), sampling) for message in messages])
    greedy = {(number, tuple(generation.text.split("\n\n"))) for number, generation in alone}
    assert len(greedy & set(drawn.steps)) >= 9


def test_the_flat_optimiser_is_adamw():
    torch.manual_seed(0)
    ours = [
        torch.nn.Parameter(torch.randn(5, 3).to(torch.bfloat16)),
        torch.nn.Parameter(torch.randn(4).to(torch.bfloat16)),
    ]
    theirs = [torch.nn.Parameter(parameter.detach().float()) for parameter in ours]
    flat = FlatAdamW(ours, weight_decay=0.1, clip=1e9)
    adamw = torch.optim.AdamW(theirs, lr=1e-2, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.1)
    for _ in range(20):
        for parameter, other in zip(ours, theirs, strict=True):
            gradient = torch.randn(parameter.shape).to(torch.bfloat16)
            parameter.grad.copy_(gradient)
            other.grad = gradient.float()
        flat.step(1e-2)
        adamw.step()
    for parameter, other in zip(ours, theirs, strict=True):
        assert torch.allclose(parameter.float(), other, atol=1e-2)
