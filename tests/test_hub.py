import numpy as np
import pytest
from scipy.stats import ortho_group

from xlembed.alignment.hub import HubSettings, fit, load_hub, save_hub
from xlembed.alignment.procrustes import fit as procrustes
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.vectors import WordVectors


def turned(n=400, dim=12, noise=0.0, languages=("en", "de", "fr"), seed=0):
    """One hidden space, turned differently for each language, the words named by language."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, dim)) * np.linspace(2, 0.5, dim)
    spaces = {}
    for i, lang in enumerate(languages):
        seen = hidden @ ortho_group.rvs(dim, random_state=i) + noise * rng.normal(size=(n, dim))
        spaces[lang] = WordVectors([f"{lang}{k}" for k in range(n)], seen.astype(np.float32))
    return spaces


def lexicon(lang, rows):
    return Lexicon([(f"en{k}", f"{lang}{k}") for k in rows])


def nearest(hub, spaces, src, trg):
    mapping = hub.between(src, trg)
    one, other = mapping.map_src(spaces[src]).matrix, mapping.map_trg(spaces[trg]).matrix
    return (one @ other.T).argmax(axis=1)


@pytest.mark.parametrize("method", ["pivot", "gpa"])
def test_hidden_rotations_are_found_between_any_two(method):
    spaces = turned()
    lexicons = {"de": lexicon("de", range(0, 60)), "fr": lexicon("fr", range(30, 90))}
    hub = fit(spaces, lexicons, "en", HubSettings(method))
    for src, trg in (("en", "de"), ("de", "en"), ("de", "fr"), ("fr", "en")):
        np.testing.assert_array_equal(nearest(hub, spaces, src, trg), np.arange(400))
    for weight in hub.weights.values():
        np.testing.assert_allclose(weight @ weight.T, np.eye(12), atol=1e-5)
    np.testing.assert_allclose(hub.weights["en"], np.eye(12), atol=1e-5)
    assert hub.about["loss"][-1] < 1e-4


def test_pivot_is_procrustes_of_each_pair():
    spaces = turned(noise=0.3)
    one = lexicon("de", range(80))
    hub = fit({lang: spaces[lang] for lang in ("en", "de")}, {"de": one}, "en", HubSettings("pivot"))
    pair = procrustes(spaces["de"], spaces["en"], one.reversed())
    np.testing.assert_allclose(hub.weights["de"], pair.src_weight, atol=1e-5)


def test_gpa_lowers_the_loss_and_brings_the_outer_languages_nearer():
    spaces = turned(noise=0.8, languages=("en", "de", "fr", "es", "it"))
    spaces["en"] = WordVectors(spaces["en"].words, spaces["en"].matrix + np.random.default_rng(9).normal(
        scale=1.5, size=spaces["en"].matrix.shape).astype(np.float32))  # fmt: skip
    lexicons = {lang: lexicon(lang, range(100)) for lang in spaces if lang != "en"}
    right = {}
    for method in ("pivot", "gpa"):
        hub = fit(spaces, lexicons, "en", HubSettings(method))
        assert hub.about["loss"][-1] <= hub.about["loss"][0]
        right[method] = sum((nearest(hub, spaces, a, b) == np.arange(400)).sum()
                            for a in lexicons for b in lexicons if a != b)  # fmt: skip
    assert right["gpa"] > right["pivot"], "a noisy pivot must not limit the pairs that leave it out"


def test_gpa_against_a_plain_loop():
    """The same alternation, written word by word, on one round."""
    spaces = turned(n=60, dim=4, noise=0.2)
    lexicons = {"de": lexicon("de", range(40)), "fr": lexicon("fr", range(20, 60))}
    hub = fit(spaces, lexicons, "en", HubSettings("gpa", steps=(), max_rounds=1))
    weights = {"en": np.eye(4)}
    for lang, rows in (("de", range(40)), ("fr", range(20, 60))):
        x, y = spaces[lang].matrix[list(rows)], spaces["en"].matrix[list(rows)]
        u, _, vt = np.linalg.svd(x.T.astype(float) @ y)
        weights[lang] = u @ vt
    has = {"en": set(range(60)), "de": set(range(40)), "fr": set(range(20, 60))}
    consensus = np.array([np.mean([spaces[lang].matrix[k] @ weights[lang] for lang in has if k in has[lang]], axis=0)
                          for k in range(60)])  # fmt: skip
    for lang in weights:
        rows = sorted(has[lang])
        u, _, vt = np.linalg.svd(spaces[lang].matrix[rows].T.astype(float) @ consensus[rows])
        weights[lang] = u @ vt
    for lang in weights:
        np.testing.assert_allclose(hub.weights[lang], weights[lang] @ weights["en"].T, atol=1e-4)


def test_several_translations_of_a_word_count_with_their_mean():
    spaces = turned()
    pairs = [*lexicon("de", range(60)).pairs, ("en0", "de1"), ("en0", "de2")]
    hub = fit({k: spaces[k] for k in ("en", "de")}, {"de": Lexicon(pairs)}, "en")
    assert hub.about["concepts"] == 60 and hub.about["covered"] == {"de": 62}


def test_save_and_load(tmp_path):
    hub = fit(turned(), {"de": lexicon("de", range(60)), "fr": lexicon("fr", range(60))}, "en")
    save_hub(tmp_path / "hub", hub)
    again = load_hub(tmp_path / "hub")
    assert again.steps == hub.steps and again.about == hub.about and list(again.weights) == list(hub.weights)
    np.testing.assert_array_equal(again.weights["fr"], hub.weights["fr"])
    (tmp_path / "hub" / "weights.safetensors").write_bytes(b"cut")
    with pytest.raises(InputError, match="holds a damaged hub"):
        load_hub(tmp_path / "hub")
    with pytest.raises(InputError, match="holds no hub.json"):
        load_hub(tmp_path)


def test_refusals():
    spaces = turned()
    lexicons = {"de": lexicon("de", range(60)), "fr": lexicon("fr", range(60))}
    with pytest.raises(InputError, match="the pivot 'ru' is none of"):
        fit(spaces, lexicons, "ru")
    with pytest.raises(InputError, match="one lexicon for each language but the pivot"):
        fit(spaces, {"de": lexicons["de"]}, "en")
    with pytest.raises(InputError, match="none of its 1 pairs is in both vocabularies"):
        fit(spaces, {**lexicons, "de": Lexicon([("x", "y")])}, "en")
    with pytest.raises(InputError, match="one dim is needed"):
        fit({**spaces, "de": WordVectors(["de0"], np.ones((1, 3), np.float32))}, lexicons, "en")
    with pytest.raises(InputError, match="unknown hub method 'mean'"):
        HubSettings("mean")
    with pytest.raises(InputError, match="the hub has no language 'it'"):
        fit(spaces, lexicons, "en").between("en", "it")
