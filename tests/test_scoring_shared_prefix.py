"""The shared-prefix engine against full forwards: same numbers, less work, bounded memory, and a way back."""

from __future__ import annotations

import random
import warnings
import weakref
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLTextConfig,
    Qwen3Config,
    Qwen3NextConfig,
)

from vpbench.models.decoder import why_not_by_hand
from vpbench.models.vision import ImageFeatures
from vpbench.scoring import shared_prefix
from vpbench.scoring.head import LabelRows
from vpbench.scoring.label_logits import StepPrompt, label_logits, plain_engine
from vpbench.scoring.shared_prefix import SharedPrefixEngine, engine_for, shared_length

IMAGE, LABELS = 99, (97, 98)
TOKENS_PER_TILE, SIDE = 4, 56
CONFIGS = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig}

pytestmark = pytest.mark.filterwarnings("error:the shared-prefix engine")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def text_config(kind: str, layers: int = 3, **settings: Any) -> Any:
    return CONFIGS[kind](
        vocab_size=100,
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        initializer_range=0.15,
        **settings,
    )


def make_model(kind: str = "qwen2", attention: str = "sdpa", layers: int = 3) -> Any:
    torch.manual_seed(1)
    vision = InternVLVisionConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=(SIDE, SIDE),
        patch_size=(14, 14),
        attention_bias=True,
        use_mean_pooling=True,
    )
    config = InternVLConfig(
        vision_config=vision,
        text_config=text_config(kind, layers),
        image_token_id=IMAGE,
        image_seq_length=TOKENS_PER_TILE,
        tie_word_embeddings=False,
        attn_implementation=attention,
    )
    model = InternVLForConditionalGeneration(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(parameter.bfloat16())
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return make_model()


def tokens(rng: random.Random, count: int) -> list[int]:
    return [rng.randrange(97) for _ in range(count)]


def prompt(prefix: Sequence[int], steps: Sequence[Sequence[int]]) -> StepPrompt:
    """The steps' tokens behind the prefix, each read at its last token and followed by a label and an end."""
    ids, readouts = list(prefix), []
    for step in steps:
        ids += step
        readouts.append(len(ids) - 1)
        ids += [LABELS[0], 0]
    return StepPrompt(("",) * len(steps), "", tuple(ids), tuple(readouts))


def many(count: int, tiles: int = 2, before: int = 12, seed: int = 0) -> list[StepPrompt]:
    """Prompts of 1 to 4 steps of 1 to 14 tokens that share an image and some text."""
    rng = random.Random(seed)
    prefix = tokens(rng, before // 2) + [IMAGE] * (tiles * TOKENS_PER_TILE) + tokens(rng, before - before // 2)
    return [prompt(prefix, [tokens(rng, rng.randint(1, 14)) for _ in range(rng.randint(1, 4))]) for _ in range(count)]


def pixels(tiles: int) -> Any:
    return torch.randn(tiles, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3)) if tiles else None


def image_features(model: Any, tiles: int) -> Any:
    if not tiles:
        return None
    with torch.inference_mode():
        return ImageFeatures(model.get_image_features(pixels(tiles).to(model.dtype), return_dict=True).pooler_output)


def run(engine: Any, model: Any, prompts: Sequence[StepPrompt], tiles: int = 2) -> list[Any]:
    return label_logits(engine, model, prompts, image_features(model, tiles), IMAGE, LabelRows.of(model, LABELS))


def scores(logits: Sequence[Any]) -> Any:
    return torch.cat(list(logits)).softmax(-1)[:, 0]


def reference(model: Any, prompts: Sequence[StepPrompt], tiles: int = 2) -> Any:
    """Step scores by the model alone: image and prompt every time, logits everywhere."""
    found = []
    for each in prompts:
        with torch.inference_mode():
            pixel_values = None if not tiles else pixels(tiles).to(model.dtype)
            logits = model(input_ids=torch.tensor([each.ids]), pixel_values=pixel_values).logits[0]
        found.append(logits[list(each.readouts)][:, list(LABELS)].float())
    return scores(found)


@pytest.mark.parametrize("tiles", [0, 2])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", list(CONFIGS))
def test_scores_are_those_of_full_forwards(kind: str, attention: str, tiles: int) -> None:
    model, prompts = make_model(kind, attention), many(9, tiles)
    wanted = reference(model, prompts, tiles)
    assert wanted.max() - wanted.min() > 0.1
    torch.testing.assert_close(scores(run(plain_engine, model, prompts, tiles)), wanted, atol=1e-5, rtol=0)
    for micro_batch in (1, 40, 2048):
        found = scores(run(SharedPrefixEngine(micro_batch), model, prompts, tiles))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


RNG = random.Random(5)
FRONT = tokens(RNG, 9)
SHAPES = {
    "one prompt": [prompt(FRONT, [[1, 2, 3], [4]])],
    "one prompt, one token to run": [prompt(FRONT, [[1]])],
    "remainders of one token": [prompt(FRONT, [[1]]), prompt(FRONT, [[2]]), prompt(FRONT, [[3]])],
    "first steps are equal": [prompt(FRONT, [[1, 2], [3, 4]]), prompt(FRONT, [[1, 2], [5]]), prompt(FRONT, [[1, 2]])],
    "first step starts equally": [prompt(FRONT, [[1, 2, 3]]), prompt(FRONT, [[1, 2, 4], [6]])],
    "very different lengths": [prompt(FRONT, [[1]]), prompt(FRONT, [tokens(RNG, 150), [2]])],
    "nothing shared": [prompt([1, *FRONT], [[1, 2]]), prompt([2, *FRONT], [[1, 2]])],
    "only the first token shared": [prompt([1, 2], [[1, 2]]), prompt([1, 3], [[1, 2]])],
    "read at the first token": [prompt([], [[7], [8, 9]]), prompt([], [[7], [9]])],
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_of_questions(model: Any, name: str) -> None:
    prompts = SHAPES[name]
    wanted = reference(model, prompts, 0)
    for one in (model, make_model(layers=1)):
        wanted = reference(one, prompts, 0)
        torch.testing.assert_close(scores(run(SharedPrefixEngine(), one, prompts, 0)), wanted, atol=1e-5, rtol=0)


def test_image_tokens_behind_the_shared_part(model: Any) -> None:
    prompts = [prompt([5, start], [[IMAGE] * 8 + [start], [2]]) for start in (3, 4, 6)]
    wanted = reference(model, prompts)
    torch.testing.assert_close(scores(run(SharedPrefixEngine(), model, prompts)), wanted, atol=1e-5, rtol=0)


def test_a_language_model_without_vision_and_with_a_biased_head() -> None:
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(text_config("qwen2")).eval()
    model.lm_head.bias = torch.nn.Parameter(torch.linspace(-3, 3, 100))
    prompts = many(4, tiles=0)
    found = run(engine_for(model), model, prompts, 0)
    torch.testing.assert_close(scores(found), reference(model, prompts, 0), atol=1e-5, rtol=0)


def test_the_number_of_threads_changes_nothing_but_rounding() -> None:
    model, prompts = make_model(layers=1), many(2)
    wanted = reference(model, prompts)
    torch.set_num_threads(2)
    torch.testing.assert_close(scores(run(SharedPrefixEngine(), model, prompts)), wanted, atol=1e-5, rtol=0)


def last_layer(engine: Any, model: Any, questions: Sequence[Sequence[StepPrompt]]) -> Any:
    """The last layer [all read-outs, hidden size] in float32."""
    found = []
    for prompts in questions:
        states = dict(engine(model, prompts, image_features(model, 2), IMAGE))
        found += [states[index].float() for index in range(len(prompts))]
    return torch.cat(found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_no_farther_from_float32_than_the_plain_forward(dtype: Any) -> None:
    """Both distances are samples of rounding noise, hence a margin: their ratio differs by a few percent between
    draws of the questions."""
    rng = random.Random(0)
    questions = []
    for _ in range(12):  # of one shape, since every new shape costs the CPU library a compilation
        prefix = tokens(rng, 6) + [IMAGE] * (2 * TOKENS_PER_TILE) + tokens(rng, 6)
        questions.append([prompt(prefix, [tokens(rng, 7) for _ in range(3)]) for _ in range(2)])
    model = make_model()
    exact = last_layer(plain_engine, model, questions)
    decoder = model.to(dtype).get_decoder()
    decoder.rotary_emb = type(decoder.rotary_emb)(decoder.config)  # in float32, as when a checkpoint is loaded
    plain, shared = (last_layer(engine, model, questions) for engine in (plain_engine, SharedPrefixEngine()))
    distance = (plain - exact).norm() / exact.norm()
    assert distance > 1e-3
    assert (shared - exact).norm() / exact.norm() < 1.1 * distance


def test_nothing_runs_twice_and_nothing_behind_the_last_readout(model: Any) -> None:
    prompts, engine = many(7), SharedPrefixEngine()
    run(engine, model, prompts[:2])
    rows: dict[str, int] = {}
    layers = model.get_decoder().layers
    watched = {"first keys": layers[0].self_attn.k_proj, "last queries": layers[-1].self_attn.q_proj}
    hooks = [
        module.register_forward_hook(lambda _m, inputs, _o, n=name: rows.update({n: rows.get(n, 0) + len(inputs[0])}))
        for name, module in watched.items()
    ]
    run(engine, model, prompts)
    for hook in hooks:
        hook.remove()
    shared = shared_length(prompts)
    assert rows["first keys"] == shared + sum(each.readouts[-1] + 1 - shared for each in prompts)
    assert rows["last queries"] == sum(len(each.readouts) for each in prompts)


def test_shared_length_stops_before_the_first_readout() -> None:
    assert shared_length(many(5)) == 12 + 2 * TOKENS_PER_TILE
    assert shared_length(SHAPES["first steps are equal"]) == len(FRONT) + 1
    assert shared_length(SHAPES["first step starts equally"]) == len(FRONT) + 2
    assert shared_length(SHAPES["nothing shared"]) == 0


class PeakBytes(TorchDispatchMode):
    """Most bytes of tensors, made while it is on, that are alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[int, int] = {}
        self.alive = self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._watch(tensor)
        return result

    def _watch(self, tensor: Any) -> None:
        storage = tensor.untyped_storage()
        where, size = storage.data_ptr(), storage.nbytes()
        if not self.users.get(where):
            self.alive += size
            self.peak = max(self.peak, self.alive)
        self.users[where] = self.users.get(where, 0) + 1
        weakref.finalize(tensor, self._release, where, size)

    def _release(self, where: int, size: int) -> None:
        self.users[where] -= 1
        if not self.users[where]:
            self.alive -= size


def test_memory_grows_with_the_micro_batch_and_not_with_the_solutions(model: Any) -> None:
    def peak(count: int, micro_batch: int) -> int:
        engine, features = SharedPrefixEngine(micro_batch), image_features(model, 2)
        label_logits(engine, model, many(2), features, IMAGE, LabelRows.of(model, LABELS))
        prompts = [prompt(many(1)[0].ids[:20], [[number % 97], *([[1] * 20] * 2)]) for number in range(count)]
        with PeakBytes() as watch:
            label_logits(engine, model, prompts, features, IMAGE, LabelRows.of(model, LABELS))
        return watch.peak

    few, many_more, wide = peak(8, 200), peak(64, 200), peak(64, 1600)
    assert many_more < 1.1 * few
    assert wide > 3 * many_more


def test_running_out_of_memory_halves_the_micro_batch(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, real, sizes = many(12), shared_prefix.run_suffixes, []

    def limited(decoder: Any, embeddings: Any, *rest: Any) -> Any:
        sizes.append(len(embeddings))
        if len(embeddings) > 60:
            raise torch.OutOfMemoryError("out of memory")
        return real(decoder, embeddings, *rest)

    engine = SharedPrefixEngine(4000)
    monkeypatch.setattr(shared_prefix, "run_suffixes", limited)
    found = scores(run(engine, model, prompts))
    torch.testing.assert_close(found, reference(model, prompts), atol=1e-5, rtol=0)
    assert max(sizes) > 60 >= sizes[-1]
    failures = sum(size > 60 for size in sizes)
    run(engine, model, prompts)
    assert sum(size > 60 for size in sizes) == failures
    with pytest.raises(torch.OutOfMemoryError):
        run(engine, model, [prompt([1], [[2], [2] * 61])], 0)


@pytest.mark.parametrize("factor", [1.01, float("nan")])
def test_a_difference_at_first_use_is_named_and_the_plain_way_taken(
    model: Any, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    real = shared_prefix.run_suffixes
    monkeypatch.setattr(shared_prefix, "run_suffixes", lambda *given: real(*given) * factor)
    prompts, engine = many(5), SharedPrefixEngine()
    named = "nan" if factor != factor else r"0\.01"
    with pytest.warns(RuntimeWarning, match=rf"differs from the model's own forward by {named} .* torch\.float32"):
        found = scores(run(engine, model, prompts))
    wanted = reference(model, prompts)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(scores(run(engine, model, prompts)), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("error", [NotImplementedError("no kernel"), AttributeError("q_proj")])
def test_what_cannot_run_at_first_use_is_named_and_the_plain_way_taken(
    model: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(shared_prefix, "run_prefix", broken)
    prompts = many(3)
    with pytest.warns(RuntimeWarning, match=f"can't run this model here .*{error}"):
        found = scores(run(SharedPrefixEngine(), model, prompts))
    torch.testing.assert_close(found, reference(model, prompts), atol=1e-5, rtol=0)
    broken_memory = torch.OutOfMemoryError("full")
    monkeypatch.setattr(shared_prefix, "run_prefix", lambda *given: (_ for _ in ()).throw(broken_memory))
    with pytest.raises(torch.OutOfMemoryError):
        run(SharedPrefixEngine(), model, prompts)


def test_only_the_first_question_is_checked(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def counting(model: Any, prompts: Sequence[StepPrompt], *rest: Any) -> Iterator[tuple[int, Any]]:
        checked.append(len(prompts))
        return plain_engine(model, prompts, *rest)

    monkeypatch.setattr(shared_prefix, "plain_engine", counting)
    engine = SharedPrefixEngine()
    for _ in range(3):
        run(engine, model, many(5))
    assert run(engine, model, []) == []
    assert checked == [2]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (text_config("qwen2"), None),
        (text_config("qwen3"), None),
        (text_config("llama"), None),
        (text_config("llama", rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}), None),
        (text_config("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1), "sliding_attention"),
        (text_config("llama", rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}), "dynamic"),
        (MistralConfig(), "model_type 'mistral'"),
        (Qwen3NextConfig(), "model_type 'qwen3_next'"),
        (Qwen2VLTextConfig(), "model_type 'qwen2_vl_text'"),
    ],
)
def test_which_language_models_are_run_by_hand(config: Any, reason: str | None) -> None:
    found = why_not_by_hand(config)
    assert found is None if reason is None else reason in str(found)
    model = SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: config))
    assert (engine_for(model) is plain_engine) is (reason is not None)
