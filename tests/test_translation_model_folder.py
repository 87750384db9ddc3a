import json
import pickle
from pathlib import Path

import pytest
import torch
from fuzz.model_folders import encoder_files, lay_out, sharded_files

from baselines.translation.model_folder import check_model_folder, check_sizes, unusable
from xlembed.errors import InputError

INDEX = "model.safetensors.index.json"


class Runs:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def changed(folder: Path, **keys: object) -> Path:
    """An encoder's folder with other keys in its config.json."""
    lay_out(folder, encoder_files())
    config = json.loads(encoder_files()["config.json"]) | keys
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_folders_as_they_are_saved_are_taken(tmp_path):
    lay_out(tmp_path / "a", encoder_files())
    lay_out(tmp_path / "b", sharded_files())
    check_model_folder(tmp_path / "a")
    check_model_folder(tmp_path / "b")
    check_model_folder(changed(tmp_path / "c", transformers_weights="model.safetensors", attn_implementation="sdpa"))


@pytest.mark.parametrize("keys, message", [
    ({"num_hidden_layers": 10**9}, "num_hidden_layers = 1000000000, 1000 at most"),
    ({"text_config": [{"encoder_layers": 1e9}]}, "encoder_layers = 1000000000.0, 1000 at most"),
    ({"attn_implementation": "someone/kernel"}, "is code from the hub, which is not run"),
    ({"sub": {"_attn_implementation": {"": "someone/kernel:attention"}}}, "is code from the hub"),
    ({"transformers_weights": "adapter_model.bin"}, "a .safetensors file of the folder is needed"),
    ({"transformers_weights": "../other/model.safetensors"}, "a .safetensors file of the folder is needed"),
    ({"transformers_weights": 5}, "a .safetensors file of the folder is needed"),
])  # fmt: skip
def test_what_a_configuration_may_not_ask_for(tmp_path, keys, message):
    with pytest.raises(InputError, match=message):
        check_model_folder(changed(tmp_path / "a", **keys))


@pytest.mark.parametrize("part", ["a.bin", "../a.safetensors", "none.safetensors", "x" * 5000 + ".safetensors", 5])
def test_parts_that_are_pickled_elsewhere_or_nowhere(tmp_path, part):
    lay_out(tmp_path / "a", sharded_files())
    index = json.loads(sharded_files()[INDEX])
    index["weight_map"]["pooler.dense.bias"] = part
    (tmp_path / "a" / INDEX).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(InputError, match=r"index\.json: names .* only .safetensors files that lie beside it are read"):
        check_model_folder(tmp_path / "a")


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}'])
def test_an_index_of_nothing(tmp_path, text):
    lay_out(tmp_path / "a", sharded_files(), INDEX, text.encode())
    with pytest.raises(InputError, match="names no weights"):
        check_model_folder(tmp_path / "a")


def test_a_pickle_that_a_folder_leads_to_is_not_run(tmp_path):
    """By an index of parts, by a key of config.json, and as a peft adapter."""
    from transformers import AutoModel

    from comparisons.encoders import find_encoder
    from comparisons.loading import load_model

    pickled = pickle.dumps(Runs(tmp_path / "marker"))
    lay_out(tmp_path / "index", sharded_files())
    index = json.loads(sharded_files()[INDEX])
    index["weight_map"] = dict.fromkeys(index["weight_map"], "a.bin")
    (tmp_path / "index" / INDEX).write_text(json.dumps(index), encoding="utf-8")
    (tmp_path / "index" / "a.bin").write_bytes(pickled)
    (changed(tmp_path / "key", transformers_weights="adapter_model.bin") / "adapter_model.bin").write_bytes(pickled)
    adapter = changed(tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "target_modules": ["query"], "r": 1}')
    (adapter / "adapter_model.bin").write_bytes(pickled)
    for name in ("index", "key", "adapter"):
        with pytest.raises(InputError, match=str(tmp_path / name)):
            load_model(find_encoder(str(tmp_path / name)), AutoModel)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("key, size", [("vocab_size", 10**12), ("intermediate_size", 10**12), ("hidden_size", 10**8)])
def test_sizes_are_held_against_the_weights_before_memory_is_taken(tmp_path, key, size):
    from transformers import AutoModel

    state = torch.get_rng_state()
    check_sizes(changed(tmp_path / "a"), AutoModel)
    with pytest.raises(InputError, match="config.json asks for .* numbers, the weights have .*: they are of different"):
        check_sizes(changed(tmp_path / "b", **{key: size}), AutoModel)  # terabytes: allocation would fail
    assert torch.equal(state, torch.get_rng_state())


def test_a_panic_is_told_and_an_interrupt_goes_through(tmp_path):
    panic = type("PanicException", (BaseException,), {})
    assert "cannot be loaded (index out of bounds)" in str(unusable(tmp_path, "cannot be loaded",
                                                                    panic("index\nout of bounds")))  # fmt: skip
    assert str(unusable(tmp_path, "x", KeyError())) == f"{tmp_path}: x (KeyError)"
    with pytest.raises(KeyboardInterrupt):
        unusable(tmp_path, "cannot be loaded", KeyboardInterrupt())
