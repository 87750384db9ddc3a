import numpy as np
import pytest
import torch
from reference import crf_paths

from baselines import crf

RNG = np.random.default_rng(0)


def corpus(lengths, n_labels, seed, scale=1.0):
    """Emissions, offsets, transitions and tags of made-up sentences."""
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    return (rng.normal(scale=scale, size=(n, n_labels)), crf.offsets_of(lengths),
            rng.normal(scale=scale, size=(n_labels + 2, n_labels)), rng.integers(n_labels, size=n))  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_likelihood_and_gradients_equal_enumeration(seed, scale):
    lengths = [4, 1, 3, 0, 2]
    emissions, offsets, transitions, tags = corpus(lengths, 3, seed, scale)
    found = crf.negative_log_likelihood(emissions, offsets, transitions, tags)
    loss, by_emissions, by_transitions = 0.0, np.zeros_like(emissions), np.zeros_like(transitions)
    for first, last in zip(offsets[:-1], offsets[1:], strict=True):
        if first == last:
            continue
        scores = crf_paths(emissions[first:last], transitions)
        log_z = np.logaddexp.reduce(list(scores.values()))
        gold = tuple(int(tag) for tag in tags[first:last])
        loss += log_z - scores[gold]
        for path, weight in [(p, np.exp(s - log_z)) for p, s in scores.items()] + [(gold, -1.0)]:
            by_emissions[np.arange(first, last), path] += weight
            by_transitions[3, path[0]] += weight
            by_transitions[4, path[-1]] += weight
            for a, b in zip(path[:-1], path[1:], strict=True):
                by_transitions[a, b] += weight
    assert found.loss == pytest.approx(loss, rel=1e-9, abs=1e-9)
    assert np.allclose(found.by_emissions, by_emissions, atol=1e-9)
    assert np.allclose(found.by_transitions, by_transitions, atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_viterbi_equals_enumeration(seed):
    emissions, offsets, transitions, _ = corpus([5, 1, 0, 3], 4, seed)
    path = crf.viterbi(emissions, offsets, transitions)
    for first, last in zip(offsets[:-1], offsets[1:], strict=True):
        if first < last:
            scores = crf_paths(emissions[first:last], transitions)
            assert tuple(path[first:last]) == max(scores, key=scores.get)


def test_ties_go_to_lower_tags():
    assert list(crf.viterbi(np.zeros((3, 2)), crf.offsets_of([2, 1]), np.zeros((4, 2)))) == [0, 0, 0]


def test_many_sentences_equal_one_at_a_time():
    """More sentences than a block holds, so that threads share the work."""
    lengths = RNG.integers(0, 6, size=3 * crf._BLOCK + 7)
    emissions, offsets, transitions, tags = corpus(lengths, 3, 1)
    whole = crf.negative_log_likelihood(emissions, offsets, transitions, tags)
    path, total = crf.viterbi(emissions, offsets, transitions), 0.0
    for first, last in zip(offsets[:-1], offsets[1:], strict=True):
        one = crf.offsets_of([last - first])
        alone = crf.negative_log_likelihood(emissions[first:last], one, transitions, tags[first:last])
        assert np.array_equal(alone.by_emissions, whole.by_emissions[first:last])
        assert np.array_equal(path[first:last], crf.viterbi(emissions[first:last], one, transitions))
        total += alone.loss
    assert whole.loss == pytest.approx(total)


def test_great_scores_do_not_overflow():
    emissions, offsets, transitions, tags = corpus([30], 3, 0, scale=2000.0)
    found = crf.negative_log_likelihood(emissions, offsets, transitions, tags)
    assert np.isfinite(found.loss) and np.isfinite(found.by_emissions).all()


def test_no_sentences():
    nothing = crf.negative_log_likelihood(np.zeros((0, 2)), crf.offsets_of([]), np.zeros((4, 2)), np.zeros(0, int))
    assert nothing.loss == 0 and nothing.by_emissions.shape == (0, 2)
    assert len(crf.viterbi(np.zeros((0, 2)), crf.offsets_of([]), np.zeros((4, 2)))) == 0


def test_torch_gradients_equal_differences():
    emissions, offsets, transitions, tags = corpus([3, 2], 3, 2)
    parts = [torch.tensor(part, requires_grad=True) for part in (emissions, transitions)]
    assert torch.autograd.gradcheck(lambda e, t: crf.NegativeLogLikelihood.apply(e, t, offsets, tags), parts)


def test_decoding_never_gives_invalid_iob2():
    labels = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]
    emissions, offsets, transitions, _ = corpus([7] * 50, 5, 0, scale=5.0)
    path = [labels[i] for i in crf.viterbi(emissions, offsets, crf.constrained(transitions, labels))]
    for first, last in zip(offsets[:-1], offsets[1:], strict=True):
        for before, after in zip(["O", *path[first:last]], path[first:last], strict=False):
            assert not after.startswith("I-") or before[2:] == after[2:]


def test_parts_of_speech_forbid_nothing():
    assert np.array_equal(crf.constrained(np.ones((4, 2)), ["NOUN", "VERB"]), np.ones((4, 2)))
