"""The encoders that are known by a short name, with what one asks of them before choosing.

Figures are of the checkpoint on the hub; parameters are counted from its sizes (`tests/test_registry.py` builds each
architecture without memory and counts), the language model's head left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from xlembed.snapshots import split_revision


@dataclass(frozen=True)
class EncoderFacts:
    """What is known of a published encoder."""

    name: str
    hub_name: str
    architecture: str  # transformers' model_type
    sizes: dict[str, Any]  # of its config.json, those that parameters depend on
    n_parameters: int
    n_embeddings: int  # of these, in the table of subwords
    languages: int
    vocabulary: int
    cased: bool
    pretraining: str
    licence: str
    post_training: str = ""  # what it was trained on after pre-training: it bears on what a score says
    told_language: str = ""  # what it has to be told of each text
    note: str = ""
    aliases: tuple[str, ...] = field(default=())
    revision: str = ""  # the commit on the hub that is taken; "" where none is known here: the newest is


def _bert(vocabulary: int, layers: int = 12, hidden: int = 768, heads: int = 12, positions: int = 512,
          types: int = 2) -> dict[str, Any]:  # fmt: skip
    return {"vocab_size": vocabulary, "num_hidden_layers": layers, "hidden_size": hidden,
            "num_attention_heads": heads, "intermediate_size": 4 * hidden, "max_position_embeddings": positions,
            "type_vocab_size": types}  # fmt: skip


def _xlm(vocabulary: int, layers: int, hidden: int, heads: int, langs: int, told: bool) -> dict[str, Any]:
    return {"vocab_size": vocabulary, "n_layers": layers, "emb_dim": hidden, "n_heads": heads, "n_langs": langs,
            "use_lang_emb": told, "max_position_embeddings": 512}  # fmt: skip


_MLM = "masked words"
_WIKI = f"{_MLM} of Wikipedia"
_CC = f"{_MLM} of CC-100 (filtered CommonCrawl, 2.5 TB)"
_NLI = "contrastive pairs, NLI pairs among them"

KNOWN = (
    EncoderFacts(
        "mbert", "google-bert/bert-base-multilingual-cased", "bert", _bert(119_547), 177_853_440, 91_812_096, 104,
        119_547, True, _WIKI + " (104 languages), next sentence", "Apache-2.0", aliases=("mbert-cased",),
        revision="3f076fdb1ab68d5b2880cb87a0886f315b8146f8",
    ),
    EncoderFacts(
        "mbert-uncased", "google-bert/bert-base-multilingual-uncased", "bert", _bert(105_879), 167_356_416, 81_315_072,
        102, 105_879, False, _WIKI + " (102 languages), next sentence", "Apache-2.0",
        note="lower-cases and strips accents; its authors advise the cased one",
        revision="7cbf9a625e29989f6b9c6c2fa68234c304f7e38f",
    ),
    EncoderFacts(
        "xlm-15", "FacebookAI/xlm-mlm-tlm-xnli15-1024", "xlm", _xlm(95_000, 12, 1024, 8, 15, True), 248_976_384,
        97_280_000, 15, 95_000, False, _WIKI + " and translated pairs (TLM), the 15 languages of XNLI", "CC-BY-NC-4.0",
        told_language="an embedding a token", aliases=("xlm", "xlm-15-tlm"),
    ),
    EncoderFacts(
        "xlm-15-mlm", "FacebookAI/xlm-mlm-xnli15-1024", "xlm", _xlm(95_000, 12, 1024, 8, 15, True), 248_976_384,
        97_280_000, 15, 95_000, False, _WIKI + ", the 15 languages of XNLI", "CC-BY-NC-4.0",
        told_language="an embedding a token",
    ),
    EncoderFacts(
        "xlm-100", "FacebookAI/xlm-mlm-100-1280", "xlm", _xlm(200_000, 16, 1280, 16, 100, False), 571_496_960,
        256_000_000, 100, 200_000, True, _WIKI + " (100 languages)", "CC-BY-NC-4.0",
    ),
    EncoderFacts(
        "xlm-r-base", "FacebookAI/xlm-roberta-base", "xlm-roberta", _bert(250_002, positions=514, types=1),
        278_043_648, 192_001_536, 100, 250_002, True, _CC + ", 100 languages", "MIT",
        revision="e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
    ),
    EncoderFacts(
        "xlm-r-large", "FacebookAI/xlm-roberta-large", "xlm-roberta", _bert(250_002, 24, 1024, 16, 514, 1),
        559_890_432, 256_002_048, 100, 250_002, True, _CC + ", 100 languages", "MIT",
        revision="c23d21b0620b635a76227c604d44e43a9f0ee389",
    ),
    EncoderFacts(
        "xmod-base", "facebook/xmod-base", "xmod", _bert(250_002, positions=514, types=1) | {"n_languages": 81},
        852_472_320, 192_001_536, 81, 250_002, True, _CC + ", 81 languages, a module for each", "MIT",
        told_language="a module a text",
    ),
    EncoderFacts(
        "mdeberta", "microsoft/mdeberta-v3-base", "deberta-v2",
        _bert(251_000, types=0) | {"relative_attention": True, "position_buckets": 256, "norm_rel_ebd": "layer_norm",
                                   "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
                                   "position_biased_input": False},
        278_218_752, 192_768_000, 100, 251_000, True, "replaced words (RTD) of CC-100", "MIT",
        revision="a0484667b22365f84929a935b5e50a51f71f159d",
    ),
    EncoderFacts(
        "multilingual-minilm", "microsoft/Multilingual-MiniLM-L12-H384", "bert", _bert(250_037, 12, 384), 117_653_760,
        96_014_208, 100, 250_037, True, "distilled from XLM-R Base", "MIT",
        revision="6e8c1ec6b4ec4e3fc6eb7d2cd834fcd582b61daf",
    ),
    EncoderFacts(
        "multilingual-e5-small", "intfloat/multilingual-e5-small", "bert", _bert(250_037, 12, 384), 117_653_760,
        96_014_208, 100, 250_037, True, "Multilingual-MiniLM-L12-H384, distilled from XLM-R Base", "MIT",
        post_training=_NLI, note="also from the packages of the extra e5, with 4-bit weights",
        revision="614241f622f53c4eeff9890bdc4f31cfecc418b3",
    ),
    EncoderFacts(
        "bert-en", "google-bert/bert-base-cased", "bert", _bert(28_996), 108_310_272, 22_268_928, 1, 28_996, True,
        f"{_MLM} of English Wikipedia and books, next sentence", "Apache-2.0", note="English alone, for translate-test",
        revision="cd5ef92a9fb2f889e972770a36d4ed042daf221e",
    ),
    EncoderFacts(
        "minilm-en", "sentence-transformers/all-MiniLM-L6-v2", "bert", _bert(30_522, 6, 384), 22_713_216, 11_720_448, 1,
        30_522, False, "distilled English BERT (MiniLM)", "Apache-2.0", post_training=_NLI,
        note="English alone, for translate-test; also from the package of the extra minilm",
        aliases=("all-minilm-l6-v2",),
        revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    ),
)  # fmt: skip
_BY_NAME = {name: facts for facts in KNOWN for name in (facts.name, facts.hub_name, *facts.aliases)}


def facts_of(name: str) -> EncoderFacts | None:
    """The facts of an encoder by short name, alias or hub name, with or without a revision; None for any other."""
    return _BY_NAME.get(split_revision(name)[0])
