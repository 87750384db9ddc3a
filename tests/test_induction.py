import numpy as np
import pytest
import reference

from xlembed.errors import InputError
from xlembed.induction import induce
from xlembed.normalize import unit
from xlembed.retrieval import ISF_BETA, key_bias, key_biases


@pytest.fixture
def spaces():
    rng = np.random.default_rng(0)
    return [unit((rng.normal(size=(n, 8)) + 0.2).astype(np.float32)) for n in (50, 70)]


@pytest.mark.parametrize("criterion", ["nn", "csls"])
def test_directions_against_the_whole_table(spaces, criterion):
    src, trg = spaces
    table = reference.csls(src, trg) if criterion == "csls" else src @ trg.T
    ahead = [(i, int(j)) for i, j in enumerate(table.argmax(axis=1))]
    back = [(int(i), j) for j, i in enumerate(table.argmax(axis=0))]
    found = {way: [tuple(pair) for pair in induce(src, trg, way, criterion).rows.tolist()]
             for way in ("forward", "backward", "mutual", "union")}  # fmt: skip
    assert found["forward"] == ahead
    assert found["backward"] == back
    assert found["mutual"] == [pair for pair in ahead if pair in back] and found["mutual"]
    assert found["union"] == ahead + back


def test_both_biases_are_those_of_one_direction(spaces):
    src, trg = spaces
    for criterion in ("csls", "isf"):
        src_bias, trg_bias = key_biases(criterion, src, trg)
        np.testing.assert_allclose(trg_bias, key_bias(criterion, src, trg), atol=1e-6)
        np.testing.assert_allclose(src_bias, key_bias(criterion, trg, src), atol=1e-6)
    assert key_biases("nn", src, trg) == (None, None)


def test_inverted_softmax_is_its_definition(spaces):
    src, trg = (m.astype(np.float64) for m in spaces)
    scores = np.exp(ISF_BETA * (src @ trg.T))
    scores /= scores.sum(axis=0)  # over source words
    ours = ISF_BETA * (src @ trg.T + key_bias("isf", *spaces))
    np.testing.assert_allclose(ours, np.log(scores), atol=2e-4)


def test_unknown_direction(spaces):
    with pytest.raises(InputError, match="unknown direction 'both': choose forward, backward, mutual, union"):
        induce(*spaces, "both")
