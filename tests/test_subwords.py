import numpy as np
import pytest
from tiny_encoders import ARCHITECTURES, save_tiny
from transformers import AutoTokenizer

from comparisons.subwords import WordEncoder, cut_into_windows, special_tokens, windows_of


def naive_fits(pieces, ranges, room):
    return all(sum(min(len(p), room) for p in pieces[start:end]) <= room for start, end in ranges)


@pytest.mark.parametrize("seed", range(20))
def test_every_word_is_read_off_exactly_one_window_that_fits(seed):
    rng = np.random.default_rng(seed)
    pieces = [[7] * int(rng.integers(1, 9)) for _ in range(int(rng.integers(1, 80)))]
    windows = windows_of(5, pieces, [0], [2], max_length=18)
    assert sorted(word for window in windows for word in window.words) == list(range(len(pieces)))
    for window in windows:
        assert window.sentence == 5
        assert len(window.input_ids) <= 18
        assert window.input_ids[0] == 0 and window.input_ids[-1] == 2
        assert len(window.words) == len(window.positions)


def test_positions_point_at_first_subwords():
    pieces = [[10, 11], [20], [30, 31, 32], [40]]
    (window,) = windows_of(0, pieces, [0], [2], max_length=32)
    assert window.input_ids == [0, 10, 11, 20, 30, 31, 32, 40, 2]
    assert [window.input_ids[p] for p in window.positions] == [10, 20, 30, 40]
    for long_window in windows_of(0, pieces * 9, [0], [2], max_length=12):
        firsts = [(pieces * 9)[word][0] for word in long_window.words]
        assert [long_window.input_ids[p] for p in long_window.positions] == firsts


def test_words_are_read_away_from_the_edges():
    windows = windows_of(0, [[1]] * 20, [], [], max_length=12)  # overlap of 3
    assert [(w.words[0], w.words[-1]) for w in windows] == [(0, 10), (11, 19)]


@pytest.mark.parametrize("room", [1, 2, 5])
def test_a_word_longer_than_the_window_is_cut_not_dropped(room):
    pieces = [[1], [2] * 50, [3]]
    ranges = cut_into_windows(pieces, room, overlap=room // 4)
    assert naive_fits(pieces, ranges, room)
    windows = windows_of(0, pieces, [], [], max_length=room)
    assert sorted(word for window in windows for word in window.words) == [0, 1, 2]


def test_an_exact_fit_is_one_window():
    assert cut_into_windows([[1, 1], [1, 1]], room=4, overlap=1) == [(0, 2)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_special_tokens_and_unknown_words_of_every_tokenizer(architecture, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(save_tiny(architecture, tmp_path))
    prefix, suffix = special_tokens(tokenizer)
    assert prefix + tokenizer("Rome", add_special_tokens=False)["input_ids"] + suffix == tokenizer("Rome")["input_ids"]
    assert len(prefix) == len(suffix) == 1
    words = WordEncoder(tokenizer)
    encoded = words(["Rome", "\u00a0", "\u200b", "", "日本", "Rome"])
    assert all(encoded), "every word has a subword"
    assert encoded[0] == encoded[-1]
    assert tokenizer.unk_token_id in encoded[4]
