import numpy as np
import pytest
import torch
from toy_pairs import ENGLISH, english

from baselines.attention_classifier import Network
from baselines.corpora import SentencePair
from baselines.pair_network import SharedDropout, WordInput, attend, batch_of, buckets
from baselines.pair_words import pairs_of
from baselines.settings import AttentionSettings
from xlembed.errors import InputError

PAIRS = [*english(6), SentencePair("xyzzy film not", "Xyzzy"), SentencePair("film bad very not good", "not")]


def one_by_one(network, pairs):
    """Logits by the module's formulas, a pair at a time, without padding."""
    table, rows = pairs.texts.table, []
    for number in range(len(pairs.premise)):
        left, right = pairs.texts.words[pairs.premise[number]], pairs.texts.words[pairs.hypothesis[number]]
        a, b = (network.words(table, torch.from_numpy(ids)[None])[0] for ids in (left, right))
        cosine, same = np.zeros((len(left), len(right))), np.zeros((len(left), len(right)))
        for i, first in enumerate(left):
            for j, second in enumerate(right):
                same[i, j] = table.keys[first] == table.keys[second]
                cosine[i, j] = 1 if same[i, j] else max(0, table.vectors[first] @ table.vectors[second])
        cosine, same = torch.tensor(cosine).float(), torch.tensor(same).float()
        scores = network.attend(a[None])[0] @ network.attend(b[None])[0].T + network.cosine * cosine
        beta, alpha = scores.softmax(dim=1) @ b, scores.softmax(dim=0).T @ a
        v = []
        for words, partners, best, exact in ((a, beta, cosine.amax(1), same.amax(1)),
                                             (b, alpha, cosine.amax(0), same.amax(0))):  # fmt: skip
            extra = [best[:, None], exact[:, None]] if network.alignment else []
            v.append(pooled(network, network.compare(torch.cat([words, partners, *extra], dim=1)[None])[0]))
        rows.append(torch.cat([*v, pairs.figures[number]] if network.alignment else v))
    return network.judge(torch.stack(rows))


def pooled(network, compared):
    return torch.cat([compared.mean(dim=0), compared.amax(dim=0)])


@pytest.mark.parametrize("alignment", [True, False])
def test_padded_batch_is_the_formula_pair_by_pair(alignment):
    torch.manual_seed(0)
    network = Network(8, AttentionSettings(hidden=7, projection=5, alignment=alignment)).eval()
    torch.nn.init.normal_(network.words.unknown)
    pairs = pairs_of(PAIRS, ENGLISH)
    with torch.inference_mode():
        batch = network(batch_of(pairs, np.arange(len(PAIRS))))
        assert torch.allclose(batch, one_by_one(network, pairs), atol=1e-5)


def test_attention_without_words_is_zero():
    scores, values = torch.randn(1, 2, 3), torch.randn(1, 3, 4)
    mask = torch.tensor([[True, False, True]])
    expected = scores[0][:, [0, 2]].softmax(dim=1) @ values[0][[0, 2]]
    assert torch.allclose(attend(scores, mask, values)[0], expected)
    assert not attend(scores, torch.zeros(1, 3, dtype=torch.bool), values).any()


def test_dropout_is_one_mask_a_sentence():
    torch.manual_seed(0)
    dropout = SharedDropout(0.5)
    dropped = dropout(torch.ones(3, 4, 50))
    assert (dropped == dropped[:, :1]).all() and set(dropped.unique().tolist()) == {0.0, 2.0}
    assert not (dropped[0] == dropped[1]).all()
    assert (dropout.eval()(torch.ones(3, 4, 50)) == 1).all()


def test_the_unknown_vector_is_learnt_and_padding_is_zero():
    words, pairs = WordInput(8, AttentionSettings(projection=5)).eval(), pairs_of(PAIRS, ENGLISH)
    torch.nn.init.ones_(words.unknown)
    ids = pairs.texts.padded(pairs.premise)
    values = words(pairs.texts.table, ids)
    assert not values[ids == 0].any()
    is_unknown = (ids != 0) & ~pairs.texts.table.known[ids]
    assert is_unknown.any() and torch.allclose(values[is_unknown], words.project(torch.ones(8)), atol=1e-6)
    values.sum().backward()
    assert words.unknown.grad.any()


def test_buckets_hold_pairs_of_like_length():
    sizes = np.random.default_rng(0).integers(1, 40, size=(100, 2))
    groups = buckets(sizes, 10)
    assert np.bincount(groups).tolist() == [10] * 10
    assert (np.diff([sizes[groups == group].sum(axis=1).min() for group in range(10)]) >= 0).all()


@pytest.mark.parametrize("bad", [{"projection": 0}, {"word_dropout": 1.0}, {"word_dropout": -0.1}])
def test_settings_are_checked(bad):
    with pytest.raises(InputError, match="must be"):
        AttentionSettings(**bad)
