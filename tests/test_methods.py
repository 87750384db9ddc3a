import numpy as np
import pytest
from scipy.stats import ortho_group
from test_self_learning import hidden

from xlembed.alignment.methods import METHODS, fit_method, method_of, read_settings
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.normalize import unit
from xlembed.vectors import WordVectors


@pytest.fixture(scope="module")
def spaces():
    """A space with a spectrum like that of word vectors, and its turned copy."""
    rng = np.random.default_rng(0)
    hidden = (rng.normal(size=(1500, 20)) * np.linspace(2, 0.3, 20) + 0.2).astype(np.float32)
    turned = (hidden @ ortho_group.rvs(20, random_state=1)).astype(np.float32)
    return WordVectors([f"s{i}" for i in range(1500)], hidden), WordVectors([f"t{i}" for i in range(1500)], turned)


LEXICON = Lexicon([(f"s{i}", f"t{i}") for i in range(300)])
SUPERVISED = [name for name, method in METHODS.items() if method.lexicon != "none"]


@pytest.mark.parametrize("name", SUPERVISED)
def test_every_supervised_method_finds_a_hidden_rotation(spaces, name):
    mapping = fit_method(name, *spaces, LEXICON)
    src, trg = mapping.map_src(spaces[0]).matrix, mapping.map_trg(spaces[1]).matrix
    nearest = (src @ trg.T).argmax(axis=1)
    assert (nearest[300:] == np.arange(300, 1500)).mean() > 0.99
    assert src.dtype == trg.dtype == np.float32 and np.isfinite(src).all()
    assert mapping.about["method"] and not mapping.about.get("collapsed")


@pytest.mark.parametrize("name", SUPERVISED)
def test_every_supervised_method_refuses_alike(spaces, name):
    with pytest.raises(InputError, match="needs a lexicon"):
        fit_method(name, *spaces, None)
    with pytest.raises(InputError, match="none of its 1 pairs is in both vocabularies"):
        fit_method(name, *spaces, Lexicon([("x", "y")]))


QUICK = {
    "vecmap-unsupervised": {"interval": "4"},
    "self-taught-unsupervised": {},
    "muse": {"epochs": "2", "epoch_size": "2000", "hidden": "32", "restarts": "1", "refinement_rounds": "2"},
}


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.lexicon == "none"])
@pytest.mark.parametrize("is_related", [True, False])
def test_every_unsupervised_method_finds_words_or_says_that_it_failed(name, is_related):
    pair = hidden(400, 15, noise=0.05)
    trg = pair.trg if is_related else hidden(400, 15, seed=3).trg
    mapping = fit_method(name, pair.src, trg, None, QUICK[name])
    src, turned = mapping.map_src(pair.src).matrix, mapping.map_trg(trg).matrix
    assert src.dtype == turned.dtype == np.float32 and np.isfinite(src).all()
    found = (unit(src) @ unit(turned).T).argmax(axis=1) == pair.order
    assert mapping.about["collapsed"] or (is_related and found.mean() > 0.9)
    if name != "muse":  # two short epochs are not enough for it
        assert mapping.about["collapsed"] != is_related
    again = fit_method(name, pair.src, trg, None, QUICK[name])
    np.testing.assert_allclose(again.src_weight, mapping.src_weight, atol=1e-4)


def few_words(n, dim, n_zero=0, same=False):
    rng = np.random.default_rng(n)
    matrices = [rng.normal(size=(n, dim)).astype(np.float32) for _ in range(2)]
    for matrix in matrices:
        matrix[:n_zero] = 0
        if same:
            matrix[:] = matrix[0]
    return [WordVectors([f"{side}{i}" for i in range(n)], matrix) for side, matrix in zip("st", matrices, strict=True)]


EDGES = {
    "fewer words than a neighbourhood": few_words(6, 3),
    "one word": few_words(1, 3),
    "one dimension": few_words(40, 1),
    "zero vectors": few_words(40, 4, n_zero=5),
    "all vectors zero": few_words(12, 3, n_zero=12),
    "all vectors alike": few_words(12, 3, same=True),
    "fewer pairs than dimensions": few_words(40, 30),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", METHODS)
def test_at_the_edges_every_method_maps_or_refuses_in_one_line(name, edge):
    src, trg = EDGES[edge]
    lexicon = Lexicon([(f"s{i}", f"t{i}") for i in range(min(5, len(src)))])
    needs = METHODS[name].lexicon != "none"
    try:
        mapping = fit_method(name, src, trg, lexicon if needs else None, QUICK.get(name))
    except InputError as err:
        assert 10 < len(str(err)) < 300 and "\n" not in str(err)
        assert edge != "zero vectors" or name == "cca"  # five pairs, four of them zero
        return
    for mapped in (mapping.map_src(src), mapping.map_trg(trg)):
        assert np.isfinite(mapped.matrix).all()
    assert needs or "collapsed" in mapping.about


@pytest.mark.parametrize("name", METHODS)
def test_settings_from_text(name):
    method, (_, settings) = METHODS[name], METHODS[name].load()
    made = read_settings(name, settings, {"steps": "unit,center"})
    assert made.steps == ("unit", "center")
    for key, value in method.preset:
        assert getattr(made, key) == value
    with pytest.raises(InputError, match=f"method {name} has no setting 'depth': it has"):
        read_settings(name, settings, {"depth": "3"})


def test_unknown_method():
    with pytest.raises(InputError, match="unknown method 'magic': choose procrustes, refine"):
        method_of("magic")
