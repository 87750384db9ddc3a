"""NER on frozen mapped vectors: a window of words around each word, a hidden layer, IOB2 by Viterbi.

The window classifier of Collobert et al. (2011) over cross-lingual vectors, as in the direct-transfer
baselines of Ni et al. (2017) and Xie et al. (2018). The best tag sequence is found under the constraint that
I-X follows B-X or I-X, with transition scores counted on the training tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from baselines.corpora import TaggedSentence, need_gold
from baselines.features import WordFeatures
from baselines.settings import TrainSettings
from baselines.training import Curve, fit_network, two_layers
from xlembed.errors import InputError
from xlembed.types import Floats2d, Ints1d

RADIUS = 2  # words on either side
_IMPOSSIBLE = -1e4


@dataclass
class WindowTagger:
    """A trained tagger; it tags any language whose features live in the same space."""

    labels: list[str]
    transitions: Floats2d  # (n_labels + 1, n_labels) log-probabilities; the last row is the start
    priors: np.ndarray  # (n_labels,) log-probabilities of tags
    network: torch.nn.Sequential
    settings: TrainSettings
    n_features: int
    curve: Curve | None = None

    @property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())

    def predict(self, sentences: Sequence[TaggedSentence], features: WordFeatures) -> list[list[str]]:
        """A list of tags for each sentence."""
        if features.dim != self.n_features:
            raise InputError(f"features have dim {features.dim}, the tagger was trained on {self.n_features}")
        windows, table = _windows(sentences, features)
        emissions = self._emissions(windows, table)
        lengths = [len(sentence.words) for sentence in sentences]
        pieces = np.split(emissions, np.cumsum(lengths)[:-1])
        return [[self.labels[tag] for tag in viterbi(piece, self.transitions)] for piece in pieces]

    def _emissions(self, windows: np.ndarray, table: torch.Tensor, step: int = 8192) -> Floats2d:
        """Scaled likelihoods of the tags, (n_words, n_labels): posterior over prior, in logarithms."""
        self.network.eval()
        with torch.inference_mode():
            logits = [
                self.network(_gather(table, windows[i : i + step])).log_softmax(-1)
                for i in range(0, len(windows), step)
            ]
        return torch.cat(logits).numpy() - self.priors


def train_tagger(
    train: Sequence[TaggedSentence],
    dev: Sequence[TaggedSentence],
    features: WordFeatures,
    score: callable,
    settings: TrainSettings = TrainSettings(),
    seed: int = 1,
) -> WindowTagger:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    need_gold(train, "training data")
    need_gold(dev, "dev data")
    labels = sorted({tag for sentence in train for tag in sentence.tags})
    number = {label: i for i, label in enumerate(labels)}
    gold = np.array([number[tag] for sentence in train for tag in sentence.tags], dtype=np.int64)
    windows, table = _windows(train, features)
    n_inputs = (2 * RADIUS + 1) * features.dim
    network = two_layers(n_inputs, len(labels), settings, seed)
    counts = np.bincount(gold, minlength=len(labels))
    tagger = WindowTagger(
        labels,
        iob2_transitions(labels, [[number[tag] for tag in sentence.tags] for sentence in train]),
        np.log(counts / counts.sum()).astype(np.float32),
        network,
        settings,
        features.dim,
    )
    dev_gold = [sentence.gold for sentence in dev]
    tagger.curve = fit_network(
        network,
        lambda rows: _gather(table, windows[rows]),
        gold,
        lambda: score(dev_gold, tagger.predict(dev, features)),
        settings,
        seed,
        "tagger",
    )
    return tagger


def _windows(sentences: Sequence[TaggedSentence], features: WordFeatures) -> tuple[np.ndarray, torch.Tensor]:
    """(n_words, 2 * RADIUS + 1) rows of a table of word features; row 0 is what stands outside a sentence."""
    distinct = {word: i for i, word in enumerate(sorted({w for s in sentences for w in s.words}), start=1)}
    table = np.concatenate([np.zeros((1, features.dim), np.float32), features.table(list(distinct))])
    rows = []
    for sentence in sentences:
        padded = [0] * RADIUS + [distinct[word] for word in sentence.words] + [0] * RADIUS
        rows += [padded[i : i + 2 * RADIUS + 1] for i in range(len(sentence.words))]
    return np.array(rows, dtype=np.int64), torch.from_numpy(table)


def _gather(table: torch.Tensor, windows: np.ndarray) -> torch.Tensor:
    """(n, window) rows of the table -> (n, window * dim) inputs."""
    return table[torch.from_numpy(windows)].flatten(1)


def iob2_transitions(labels: Sequence[str], sequences: Sequence[Sequence[int]]) -> Floats2d:
    """Log-probabilities of tag after tag, counted with add-one smoothing; I-X only after B-X or I-X.

    Row n_labels is the start of a sentence.
    """
    n = len(labels)
    counts = np.ones((n + 1, n))
    for sequence in sequences:
        counts[n, sequence[0]] += 1
        np.add.at(counts, (sequence[:-1], sequence[1:]), 1)
    logs = np.log(counts / counts.sum(axis=1, keepdims=True))
    for i, before in enumerate([*labels, "O"]):
        for j, after in enumerate(labels):
            if after.startswith("I-") and before[2:] != after[2:]:
                logs[i, j] = _IMPOSSIBLE
    return logs.astype(np.float32)


def viterbi(emissions: Floats2d, transitions: Floats2d) -> Ints1d:
    """The best path: emissions (n_words, n_labels), transitions with the start in the last row."""
    best = emissions[0] + transitions[-1]
    back = np.zeros(emissions.shape, dtype=np.int64)
    for i in range(1, len(emissions)):
        paths = best[:, None] + transitions[:-1]  # (from, to)
        back[i] = paths.argmax(axis=0)
        best = paths.max(axis=0) + emissions[i]
    path = [int(best.argmax())]
    for i in range(len(emissions) - 1, 0, -1):
        path.append(int(back[i, path[-1]]))
    return np.array(path[::-1])


def tagger_state(tagger: WindowTagger) -> tuple[dict[str, torch.Tensor], dict]:
    """Tensors and description, for saving."""
    tensors = {f"network.{name}": value for name, value in tagger.network.state_dict().items()}
    tensors["transitions"] = torch.from_numpy(tagger.transitions)
    tensors["priors"] = torch.from_numpy(tagger.priors)
    return tensors, {
        "labels": tagger.labels,
        "settings": asdict(tagger.settings),
        "n_features": tagger.n_features,
        "curve": asdict(tagger.curve) if tagger.curve else None,
    }


def tagger_from_state(tensors: dict[str, torch.Tensor], about: dict) -> WindowTagger:
    """What `tagger_state` took apart."""
    settings = TrainSettings(**about["settings"])
    network = two_layers((2 * RADIUS + 1) * about["n_features"], len(about["labels"]), settings, seed=0)
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
    curve = Curve(**about["curve"]) if about["curve"] else None
    return WindowTagger(about["labels"], tensors["transitions"].numpy(), tensors["priors"].numpy(),
                        network, settings, about["n_features"], curve)  # fmt: skip
