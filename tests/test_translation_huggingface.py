import json
import shutil

import pytest
import torch
from tiny_translators import ARCHITECTURES, POSITIONS, TEXTS, save_tiny_translator
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from baselines.translation import huggingface
from baselines.translation.base import Translator, make_translator
from baselines.translation.huggingface import HuggingFaceSettings, find_model, make
from xlembed.errors import InputError


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("translators")
    return {name: save_tiny_translator(name, root / name) for name in ARCHITECTURES}


def translator(folder, src="en", trg="de", **settings):
    return make(src, trg, HuggingFaceSettings(str(folder), **{"max_length": 12, "beams": 2} | settings))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_translation_a_text_in_order(name, folders):
    made = translator(folders[name], batch_size=2)
    assert isinstance(made, Translator)
    texts = [TEXTS[0], "", TEXTS[1], TEXTS[0], " \n", *TEXTS]
    found = made.translate(texts)
    assert len(found) == len(texts)
    assert found[1] == found[4] == "" and found[0] == found[3] == found[5]
    assert len(set(found[5:])) > 1, "an untrained model still tells texts apart"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_batches_change_nothing(name, folders):
    one, many = (translator(folders[name], batch_size=size).translate(TEXTS) for size in (1, 4))
    assert one == many


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_it_says_what_transformers_says(name, folders):
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    model = AutoModelForSeq2SeqLM.from_pretrained(folders[name]).eval()
    codes = {"m2m100": ("en", "__de__"), "nllb": ("eng_Latn", "deu_Latn")}.get(name)
    forced = {}
    if codes:
        tokenizer.src_lang = codes[0]
        forced = {"forced_bos_token_id": tokenizer.convert_tokens_to_ids(codes[1])}
    with torch.inference_mode():
        made = model.generate(**tokenizer(TEXTS[0], return_tensors="pt"), num_beams=2, max_new_tokens=12, **forced)
    wanted = " ".join(tokenizer.decode(made[0], skip_special_tokens=True).split())
    assert translator(folders[name]).translate([TEXTS[0]]) == [wanted]


@pytest.mark.parametrize("name", ["m2m100", "nllb"])
def test_languages_are_set(name, folders):
    made = translator(folders[name], src="sw", trg="en")
    made.translate(TEXTS[:1])
    ids = made._loaded.tokenizer(TEXTS[0])["input_ids"]
    source, target = {"m2m100": ("__sw__", "__en__"), "nllb": ("swh_Latn", "eng_Latn")}[name]
    assert made._loaded.tokenizer.convert_ids_to_tokens(ids[0]) == source
    assert made._loaded.tokenizer.convert_ids_to_tokens(made._loaded.forced) == target
    to_german, to_hausa = (translator(folders[name], trg=trg).translate(TEXTS) for trg in ("de", "hau"))
    assert to_german != to_hausa


def test_languages_that_are_not_known(folders):
    with pytest.raises(InputError, match="no translation codes are known for 'xx'"):
        translator(folders["nllb"], trg="xx").translate(["a"])
    with pytest.raises(InputError, match="does not know the language qu"):
        translator(folders["m2m100"], trg="qu").translate(["a"])


def test_marian_of_several_targets(tmp_path):
    folder = save_tiny_translator("marian", tmp_path / "many", targets=(">>deu<<", ">>nld<<"))
    made = translator(folder)
    made.translate(TEXTS[:1])
    assert made._loaded.prefix == ">>deu<< "
    with pytest.raises(InputError, match=">>deu<< >>nld<<, not into es"):
        translator(folder, trg="es").translate(["a"])


def test_what_is_cut_is_told(folders, capsys):
    translator(folders["marian"], max_length=3).translate(["cat " * 3 * POSITIONS, "cat"])
    told = capsys.readouterr().err
    assert f"1 of 2 texts were cut at the {POSITIONS} subwords" in told
    assert "of 2 texts have a translation cut at max_length" in told


def test_identity_changes_with_the_weights_and_the_search(folders, tmp_path):
    folder = shutil.copytree(folders["marian"], tmp_path / "copy")
    first = translator(folders["marian"]).identity()
    assert json.loads(json.dumps(first)) == first
    moved = translator(folder).identity()
    assert moved == first, "the files count, not where they lie"
    assert translator(folder, beams=1).identity() != moved
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert translator(folder).identity()["files"] != moved["files"]


def test_folders_that_hold_no_model(folders, tmp_path):
    with pytest.raises(InputError, match="holds no config.json"):
        translator(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match="type 'bert': marian and m2m_100"):
        translator(tmp_path)
    pickled = shutil.copytree(folders["marian"], tmp_path / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match="no .safetensors weights, and pickled ones are not read: convert"):
        translator(pickled)
    damaged = shutil.copytree(folders["marian"], tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="holds a damaged model"):
        translator(damaged).translate(["a"])
    with pytest.raises(InputError, match="no such folder"):
        find_model("./nowhere")


def test_a_hub_that_cannot_be_reached(monkeypatch):
    def fail(name, **options):
        assert not any("bin" in pattern for pattern in options["allow_patterns"]), "no pickles"
        raise ConnectionError("the network is\nswitched off")

    monkeypatch.setattr(huggingface.require("huggingface_hub", "contextual"), "snapshot_download", fail)
    with pytest.raises(InputError, match="neither a folder nor to be had from the hub .the network is switched off"):
        make_translator("huggingface", "en", "de", {"model": "some/model"})


def test_a_model_without_a_commit_is_told_of(tmp_path, monkeypatch, capsys):
    asked, commit = [], "c3" * 20

    def answer(name, revision, **options):
        asked.append((name, revision))
        return tmp_path / commit

    monkeypatch.setattr(huggingface.require("huggingface_hub", "contextual"), "snapshot_download", answer)
    assert find_model("some/model", commit) == find_model(f"some/model@{commit}") == tmp_path / commit
    assert capsys.readouterr().err == ""
    find_model("some/model")
    assert asked == [("some/model", commit)] * 2 + [("some/model", None)]
    assert f"write some/model@{commit} to fix it" in capsys.readouterr().err


def test_options(folders):
    with pytest.raises(InputError, match="must be at least 1"):
        make_translator("huggingface", "en", "de", {"model": str(folders["nllb"]), "beams": 0})
    with pytest.raises(InputError, match="route huggingface: missing 1 required positional argument: 'model'"):
        make_translator("huggingface", "en", "de")
    assert translator(folders["nllb"]).translate([]) == []
