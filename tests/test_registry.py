"""What the registry says of encoders, against the architectures themselves."""

import json
import re

import pytest
import torch
from transformers import AutoConfig, AutoModel

from comparisons import encoder_cli, encoders
from comparisons.encoders import at_hand
from comparisons.registry import KNOWN, facts_of
from xlembed.errors import InputError

XLMR = ("FacebookAI/xlm-roberta-base", "e73636d4f797dec63c3081bb6ed5c7b0bb3f2089")


@pytest.mark.parametrize("facts", KNOWN, ids=lambda facts: facts.name)
def test_parameters_are_those_of_the_architecture(facts):
    sizes = dict(facts.sizes)
    if "n_languages" in sizes:
        sizes["languages"] = [f"l{i}" for i in range(sizes.pop("n_languages"))]
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.for_model(facts.architecture, **sizes))
    assert sum(p.numel() for p in model.parameters()) == facts.n_parameters
    assert model.get_input_embeddings().weight.numel() == facts.n_embeddings
    assert facts.vocabulary == model.config.vocab_size


def test_names_aliases_and_hub_names_are_all_different():
    names = [name for facts in KNOWN for name in (facts.name, facts.hub_name, *facts.aliases)]
    assert len(names) == len(set(names))
    assert facts_of("xlm") is facts_of("FacebookAI/xlm-mlm-tlm-xnli15-1024") is facts_of("xlm-15")
    assert facts_of("some/other") is None


def test_what_was_trained_on_nli_says_so():
    assert all("NLI" in facts_of(name).post_training for name in ("multilingual-e5-small", "minilm-en"))
    assert all(facts_of(name).told_language for name in ("xlm-15", "xlm-15-mlm", "xmod-base"))


def test_at_hand_is_the_cache_or_the_packages(monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda name, file, revision: None)
    monkeypatch.setattr(encoders.importlib.util, "find_spec", lambda name: None)
    assert at_hand("mbert") is None and at_hand("multilingual-e5-small") is None
    monkeypatch.setattr(encoders.importlib.util, "find_spec", lambda name: object())
    assert at_hand("mbert") is None
    assert at_hand("intfloat/multilingual-e5-small") == at_hand("minilm-en") == "packages"
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache",
                        lambda name, file, revision: "/x" if (name, revision) == XLMR else None)  # fmt: skip
    assert at_hand("xlm-r-base") == at_hand(f"{XLMR[0]}@{XLMR[1]}") == "hub cache"
    assert at_hand("xlm-r-base@main") is None


def test_revisions_are_commits():
    assert all(facts.revision == "" or re.fullmatch("[0-9a-f]{40}", facts.revision) for facts in KNOWN)
    assert sum(facts.revision != "" for facts in KNOWN) >= 9
    assert facts_of("mbert-uncased").revision


def test_the_command_lists_all_and_tells_one(capsys):
    encoder_cli.encoders()
    table = capsys.readouterr().out
    assert all(facts.name in table for facts in KNOWN)
    encoder_cli.encoders(as_json=True)
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == [facts.name for facts in KNOWN]
    encoder_cli.encoders("xlm")
    told = capsys.readouterr().out
    assert "FacebookAI/xlm-mlm-tlm-xnli15-1024" in told and "an embedding a token" in told
    with pytest.raises(InputError, match="no encoder 'x' is known"):
        encoder_cli.encoders("x")
