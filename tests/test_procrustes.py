from __future__ import annotations

import numpy as np
import pytest
from conftest import make_pair
from scipy.linalg import orthogonal_procrustes

from xlembed.alignment.procrustes import fit, rotation
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.normalize import normalize
from xlembed.vectors import WordVectors


def test_hidden_rotation_is_recovered(rotated_pair):
    mapping = fit(rotated_pair.src, rotated_pair.trg, rotated_pair.lexicon)
    np.testing.assert_allclose(mapping.src_weight, rotated_pair.rotation, atol=1e-4)
    np.testing.assert_array_equal(mapping.trg_weight, np.eye(20))
    mapped, target = mapping.map_src(rotated_pair.src), mapping.map_trg(rotated_pair.trg)
    np.testing.assert_allclose(mapped.matrix, target.matrix, atol=1e-3)
    assert mapped.words == rotated_pair.src.words


def test_the_rest_of_the_vocabulary_follows_some_pairs(rotated_pair):
    seed = Lexicon(rotated_pair.lexicon.pairs[:40])
    mapping = fit(rotated_pair.src, rotated_pair.trg, seed)
    mapped, target = mapping.map_src(rotated_pair.src), mapping.map_trg(rotated_pair.trg)
    np.testing.assert_allclose(mapped.matrix[40:], target.matrix[40:], atol=2e-3)


@pytest.mark.parametrize("n_pairs", [3, 20, 100])
def test_equals_scipy(n_pairs):
    rng = np.random.default_rng(n_pairs)
    src, trg = rng.normal(size=(2, n_pairs, 20))
    if n_pairs < 20:  # scipy's rotation is one of many: compare what it does to the pairs
        theirs = orthogonal_procrustes(src, trg)[0]
        expected = np.linalg.norm(src @ theirs - trg)
        np.testing.assert_allclose(np.linalg.norm(src @ rotation(src, trg) - trg), expected, rtol=1e-6)
    else:
        np.testing.assert_allclose(rotation(src, trg), orthogonal_procrustes(src, trg)[0], atol=1e-6)


def test_fit_equals_scipy_on_normalised_covered_rows():
    pair = make_pair(noise=0.7, seed=3)
    pairs = [*pair.lexicon.pairs[50:150], ("s1", "nothing"), ("nothing", "t1"), ("s3", "t8"), ("s3", "t8")]
    mapping = fit(pair.src, pair.trg, Lexicon(pairs))
    src, trg = normalize(pair.src).matrix, normalize(pair.trg).matrix
    rows = [*range(50, 150), 3], [*range(50, 150), 8]
    expected, _ = orthogonal_procrustes(src[rows[0]].astype(np.float64), trg[rows[1]].astype(np.float64))
    np.testing.assert_allclose(mapping.src_weight, expected, atol=1e-5)


def test_no_other_rotation_is_nearer():
    rng = np.random.default_rng(0)
    src, trg = rng.normal(size=(2, 60, 5))
    best = np.linalg.norm(src @ rotation(src, trg) - trg)
    others = [np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(200)]
    assert best < min(np.linalg.norm(src @ other - trg) for other in others)


@pytest.mark.parametrize("n_pairs", [1, 7, 300])
def test_weight_is_orthogonal(n_pairs):
    """Also where the pairs are fewer than the dimensions, and the rest of the rotation is free."""
    pair = make_pair(noise=0.5)
    mapping = fit(pair.src, pair.trg, Lexicon(pair.lexicon.pairs[:n_pairs]))
    assert mapping.src_weight.dtype == np.float32
    np.testing.assert_allclose(mapping.src_weight @ mapping.src_weight.T, np.eye(20), atol=1e-5)
    lengths = np.linalg.norm(mapping.map_src(pair.src).matrix, axis=1)
    np.testing.assert_allclose(lengths, np.ones(300), atol=1e-5)


def test_fewer_pairs_than_dims_still_map_these_pairs(rotated_pair):
    seed = Lexicon(rotated_pair.lexicon.pairs[:5])
    mapping = fit(rotated_pair.src, rotated_pair.trg, seed)
    np.testing.assert_allclose(
        mapping.map_src(rotated_pair.src).matrix[:5], mapping.map_trg(rotated_pair.trg).matrix[:5], atol=1e-3
    )


def test_steps_and_facts_are_kept(rotated_pair):
    pairs = [*rotated_pair.lexicon.pairs[:30], ("nothing", "t0")]
    mapping = fit(rotated_pair.src, rotated_pair.trg, Lexicon(pairs, "seed.txt"), steps=("unit",))
    assert mapping.steps == ("unit",)
    assert mapping.about == {
        "method": "procrustes",
        "lexicon": "seed.txt",
        "pairs": 31,
        "covered": 30,
        "dim": 20,
    }


def test_other_dims(rotated_pair):
    narrow = WordVectors(rotated_pair.trg.words, rotated_pair.trg.matrix[:, :19])
    with pytest.raises(InputError, match="source vectors have dim 20, target vectors 19"):
        fit(rotated_pair.src, narrow, rotated_pair.lexicon)


def test_nothing_covered(rotated_pair):
    with pytest.raises(InputError, match="none of its 1 pairs is in both vocabularies"):
        fit(rotated_pair.src, rotated_pair.trg, Lexicon([("t0", "s0")]))


def test_unknown_step(rotated_pair):
    with pytest.raises(InputError, match="unknown normalisation step 'whiten'"):
        fit(rotated_pair.src, rotated_pair.trg, rotated_pair.lexicon, steps=("whiten",))
