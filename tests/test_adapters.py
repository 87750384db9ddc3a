"""Adapters and LoRA against what their equations say, in every architecture."""

import pytest
import torch
from tiny_encoders import ARCHITECTURES, save_tiny
from transformers import AutoModel, AutoModelForTokenClassification

from baselines.corpora import TaggedSentence
from comparisons.adapters import add_lora, choose_trained, load_stack, save_stack, with_adapters
from comparisons.encoders import find_encoder
from comparisons.finetune import finetune, load_finetuned
from comparisons.finetune_settings import FinetuneSettings
from comparisons.inputs import Inputs
from comparisons.layers import layers_of
from comparisons.loading import load_tokenizer
from xlembed.errors import InputError

SENTENCES = [
    TaggedSentence(("Anna", "sings", "in", "Rome"), ("B-PER", "O", "O", "B-LOC"), "en"),
    TaggedSentence(("in", "Oslo"), ("O", "B-LOC"), "en"),
    TaggedSentence(("sings", "Bob"), ("O", "B-PER"), "en"),
] * 4
SETTINGS = FinetuneSettings(epochs=2, lr=1e-2, batch_size=4, method="adapter", reduction=2, precision="float32")


@pytest.fixture(params=ARCHITECTURES)
def encoder(request, tmp_path):
    return find_encoder(str(save_tiny(request.param, tmp_path / "tiny")))


def hidden_states(model, encoder):
    inputs = Inputs(load_tokenizer(encoder), model.config, 40)
    batch = inputs.batch(inputs.windows(SENTENCES[:2])[1])
    with torch.no_grad():
        return model.eval()(**batch, output_hidden_states=True).hidden_states, batch["attention_mask"].bool()


def test_new_adapters_change_nothing_and_trained_ones_are_added_after_the_layer(encoder):
    plain, mask = hidden_states(AutoModel.from_pretrained(encoder.folder), encoder)
    model = AutoModel.from_pretrained(encoder.folder)
    adapters = with_adapters(model)
    stack = adapters.add("x", 5)
    assert with_adapters(model) is adapters and len(stack) == len(layers_of(model)) == 2
    adapters.active = ["x"]
    for ours, theirs in zip(hidden_states(model, encoder)[0], plain, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)
    torch.manual_seed(0)
    with torch.no_grad():
        stack[0].up.weight.normal_()
    after = plain[1] + torch.relu(plain[1] @ stack[0].down.weight.T + stack[0].down.bias) @ stack[0].up.weight.T
    changed = hidden_states(model, encoder)[0]
    assert torch.allclose(changed[1][mask], after[mask], atol=1e-4)
    assert not torch.allclose(changed[2][mask], plain[2][mask], atol=1e-3)  # the next layer reads what it wrote
    adapters.active = []
    assert torch.allclose(hidden_states(model, encoder)[0][2], plain[2], atol=1e-6)


def test_adapters_of_two_names_are_applied_in_their_order(encoder):
    model = AutoModel.from_pretrained(encoder.folder)
    adapters = with_adapters(model)
    for i, name in enumerate(("a", "b")):
        torch.manual_seed(i)
        with torch.no_grad():
            adapters.add(name, 4)[1].up.weight.normal_()
    adapters.active = ["a", "b"]
    one = hidden_states(model, encoder)[0][2]
    adapters.active = ["b", "a"]
    assert not torch.allclose(one, hidden_states(model, encoder)[0][2], atol=1e-3)


def test_lora_adds_twice_b_times_a_to_queries_and_values(encoder):
    model = AutoModel.from_pretrained(encoder.folder)
    add_lora(model, 3)
    changed = [module for module in model.modules() if hasattr(module, "lora_A")]
    assert len(changed) == 4  # two in each of two layers
    torch.manual_seed(0)
    for module in changed:
        a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
        assert a.shape[0] == b.shape[1] == 3 and not b.any()
        with torch.no_grad():
            b.normal_()
        x = torch.randn(7, a.shape[1])
        expected = x @ (module.base_layer.weight + 2 * b @ a).T + module.base_layer.bias
        assert torch.allclose(module.eval()(x), expected, atol=1e-4)


def test_what_trains_is_the_head_and_what_the_method_adds(encoder):
    for method in ("lora", "adapter"):
        model = AutoModelForTokenClassification.from_pretrained(encoder.folder, num_labels=3)
        choose_trained(model, method, "embeddings", 0, 2, 8)
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
        assert any(("lora_" if method == "lora" else "adapters_of_layers") in name for name in trained)
        assert all("lora_" in name or "adapters_of_layers" in name or name.startswith(("classifier", "dropout"))
                   for name in trained), trained  # fmt: skip
        assert any(name.startswith("classifier") for name in trained)


# ---- stacks of languages, MAD-X


def write_stack(encoder, path, seed):
    model = AutoModel.from_pretrained(encoder.folder)
    torch.manual_seed(seed)
    for bottleneck in with_adapters(model).add("lang", 6):
        torch.nn.init.normal_(bottleneck.up.weight)
    save_stack(model, "lang", path, {"about": "{}"})
    return with_adapters(model).stacks["lang"].state_dict()


def test_a_stack_is_read_as_it_was_written_and_stays_frozen(encoder, tmp_path):
    written = write_stack(encoder, tmp_path / "de.safetensors", 1)
    model = AutoModel.from_pretrained(encoder.folder)
    load_stack(model, "lang_de", tmp_path / "de.safetensors")
    stack = with_adapters(model).stacks["lang_de"]
    assert all(torch.equal(value, written[name]) for name, value in stack.state_dict().items())
    assert not any(p.requires_grad for p in stack.parameters())


def test_the_language_adapter_is_the_languages_and_is_not_trained(encoder, tmp_path):
    files = {lang: tmp_path / f"{lang}.safetensors" for lang in ("en", "de")}
    written = {lang: write_stack(encoder, path, seed) for seed, (lang, path) in enumerate(files.items())}
    tuned = finetune(encoder, "ner", SENTENCES, SENTENCES[:3], SETTINGS, language_adapters=files)
    english = with_adapters(tuned.model).stacks["lang_en"].state_dict()
    assert all(torch.equal(value, written["en"][name]) for name, value in english.items())
    assert with_adapters(tuned.model).active == ["lang_en", "task"]
    in_english = tuned.predict(SENTENCES[:3])
    tuned.predict([TaggedSentence(s.words, None, "de") for s in SENTENCES[:3]])
    assert with_adapters(tuned.model).active == ["lang_de", "task"]
    tuned.save(tmp_path / "m")
    loaded = load_finetuned(tmp_path / "m")
    assert loaded.predict(SENTENCES[:3]) == in_english == tuned.predict(SENTENCES[:3])
    with pytest.raises(InputError, match="language adapters are for items of one language of en, de, here are fr"):
        loaded.predict([TaggedSentence(("a",), None, "fr")])
    with pytest.raises(InputError, match="language adapters go with method = 'adapter'"):
        finetune(encoder, "ner", SENTENCES, SENTENCES[:3], FinetuneSettings(epochs=1), language_adapters=files)


def test_adapters_that_do_not_fit_or_are_none(encoder, tmp_path):
    model = AutoModel.from_pretrained(encoder.folder)
    (tmp_path / "x.safetensors").write_bytes(b"no adapter")
    with pytest.raises(InputError, match="no adapter for this encoder"):
        load_stack(model, "lang_x", tmp_path / "x.safetensors")
    from safetensors.torch import load_file, save_file

    save_file({"0.down.weight": torch.zeros(3, 99)}, tmp_path / "y.safetensors")
    with pytest.raises(InputError, match="no adapter for this encoder"):
        load_stack(model, "lang_y", tmp_path / "y.safetensors")
    write_stack(encoder, tmp_path / "z.safetensors", 1)
    tensors = load_file(tmp_path / "z.safetensors")
    tensors["1.up.bias"][0] = float("nan")
    save_file(tensors, tmp_path / "z.safetensors")
    with pytest.raises(InputError, match="no adapter for this encoder .its weights are not finite"):
        load_stack(model, "lang_z", tmp_path / "z.safetensors")
    assert not with_adapters(model).stacks, "what is refused leaves nothing behind"
