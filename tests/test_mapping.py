from __future__ import annotations

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from xlembed.alignment.base import LinearMapping, load_mapping, save_mapping
from xlembed.errors import InputError
from xlembed.normalize import unit
from xlembed.vectors import WordVectors


@pytest.fixture
def mapping() -> LinearMapping:
    rng = np.random.default_rng(0)
    src_weight, trg_weight = (rng.normal(size=(dim, 4)).astype(np.float32) for dim in (5, 6))
    return LinearMapping(src_weight, trg_weight, ("center", "unit"), {"method": "test", "lexicon": "ä.txt"})


def test_save_and_load_is_identity(tmp_path, mapping):
    save_mapping(tmp_path / "new" / "folder", mapping)
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == ["mapping.json", "weights.safetensors"]
    again = load_mapping(str(tmp_path / "new" / "folder"))
    np.testing.assert_array_equal(again.src_weight, mapping.src_weight)
    np.testing.assert_array_equal(again.trg_weight, mapping.trg_weight)
    assert again.src_weight.dtype == again.trg_weight.dtype == np.float32
    assert (again.steps, again.about) == (mapping.steps, mapping.about)


def test_weights_that_are_views_are_saved_as_they_look(tmp_path, mapping):
    turned = LinearMapping(mapping.src_weight.T, mapping.trg_weight.astype(np.float64)[::-1])
    save_mapping(tmp_path, turned)
    np.testing.assert_array_equal(load_mapping(tmp_path).src_weight, mapping.src_weight.T)
    np.testing.assert_array_equal(load_mapping(tmp_path).trg_weight, mapping.trg_weight[::-1])


def test_saving_again_replaces(tmp_path, mapping):
    save_mapping(tmp_path, mapping)
    save_mapping(tmp_path, LinearMapping(np.eye(2), np.eye(2), (), {}))
    again = load_mapping(tmp_path)
    np.testing.assert_array_equal(again.src_weight, np.eye(2))
    assert (again.steps, again.about) == ((), {})


def test_map_normalises_then_multiplies(mapping):
    rng = np.random.default_rng(1)
    words = list("abc")
    for side, dim, weight in (("src", 5, mapping.src_weight), ("trg", 6, mapping.trg_weight)):
        vectors = WordVectors(words, rng.normal(size=(3, dim)).astype(np.float32))
        expected = unit(vectors.matrix - vectors.matrix.mean(axis=0)) @ weight
        mapped = getattr(mapping, f"map_{side}")(vectors)
        assert (mapped.words, mapped.matrix.dtype) == (words, np.float32)
        np.testing.assert_allclose(mapped.matrix, expected, atol=1e-6)


def test_composed_words_are_mapped_too(mapping):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(3, 5)).astype(np.float32)
    mapped = mapping.map_src(WordVectors(list("abc"), matrix, lambda word: matrix[2]))
    np.testing.assert_allclose(mapped.vector("unknown"), mapped.matrix[2], atol=1e-6)


def test_other_dims(mapping):
    vectors = WordVectors(["a"], np.zeros((1, 6), dtype=np.float32))
    with pytest.raises(InputError, match="the source vectors have dim 6, the mapping was fitted for 5"):
        mapping.map_src(vectors)
    with pytest.raises(InputError, match="the target vectors have dim 5, the mapping was fitted for 6"):
        mapping.map_trg(WordVectors(["a"], np.zeros((1, 5), dtype=np.float32)))


# ---- damaged folders


def test_folder_of_something_else(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match="holds no mapping.json: give a folder that"):
            load_mapping(folder)


@pytest.mark.parametrize("text", ["", "{", "{'steps': []}"])
def test_settings_that_are_not_json(tmp_path, mapping, text):
    save_mapping(tmp_path, mapping)
    (tmp_path / "mapping.json").write_text(text)
    with pytest.raises(InputError, match=r"mapping\.json: is not valid JSON"):
        load_mapping(tmp_path)


@pytest.mark.parametrize("value", [{}, [], ["steps"], "steps", None, {"steps": None}, {"steps": 3}])
def test_settings_without_steps(tmp_path, mapping, value):
    save_mapping(tmp_path, mapping)
    (tmp_path / "mapping.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match="holds a damaged mapping"):
        load_mapping(tmp_path)


def test_weights_missing_truncated_or_others(tmp_path, mapping):
    save_mapping(tmp_path, mapping)
    weights = tmp_path / "weights.safetensors"
    content = weights.read_bytes()
    for stop in (0, 7, 50, len(content) - 1):
        weights.write_bytes(content[:stop])
        with pytest.raises(InputError, match="holds a damaged mapping"):
            load_mapping(tmp_path)
    save_file({"src_weight": np.eye(2)}, weights)
    with pytest.raises(InputError, match="holds a damaged mapping .*trg_weight"):
        load_mapping(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match="holds a damaged mapping"):
        load_mapping(tmp_path)
