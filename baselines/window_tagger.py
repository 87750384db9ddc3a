"""Tagging with a window of words around each word and a hidden layer; tags by Viterbi.

The window classifier of Collobert et al. (2011) over cross-lingual vectors, as in the direct-transfer
baselines of Ni et al. (2017) and Xie et al. (2018). Its scores are the network's posteriors over the tags' priors, its
transitions are counted on the training tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from baselines import crf
from baselines.corpora import TaggedSentence, check_training
from baselines.features import WordFeatures, check_dim
from baselines.models import Score
from baselines.sequences import Corpus, corpus_of, labels_of, numbers_of, tags_of
from baselines.settings import WindowSettings
from baselines.training import Curve, OfNetwork, fit_network, two_layers
from xlembed.types import Floats1d, Floats2d


@dataclass
class WindowTagger(OfNetwork):
    """A trained tagger; it tags any language whose features live in the same space."""

    labels: list[str]
    transitions: Floats2d  # (n_labels + 2, n_labels) log-probabilities
    priors: Floats1d  # (n_labels,) log-probabilities of tags
    network: torch.nn.Sequential
    settings: WindowSettings
    n_features: int
    curve: Curve | None = None

    def predict(self, sentences: Sequence[TaggedSentence], features: WordFeatures) -> list[list[str]]:
        """A list of tags for each sentence."""
        check_dim(features, self.n_features, "tagger")
        corpus = corpus_of(sentences)
        return self._tags(corpus, _table(corpus, features))

    def _tags(self, corpus: Corpus, table: torch.Tensor) -> list[list[str]]:
        transitions = crf.constrained(self.transitions, self.labels)
        path = crf.viterbi(self._emissions(corpus, table), corpus.offsets, transitions)
        return tags_of(path, corpus.offsets, self.labels)

    def _emissions(self, corpus: Corpus, table: torch.Tensor, step: int = 8192) -> Floats2d:
        """Scaled likelihoods of the tags, (n_words, n_labels): posterior over prior, in logarithms."""
        windows = corpus.windows(self.settings.radius)
        self.network.eval()
        with torch.inference_mode():
            logits = [self.network(_gather(table, windows[i : i + step])).log_softmax(-1)
                      for i in range(0, len(windows), step)]  # fmt: skip
        return (torch.cat(logits) if logits else torch.zeros(0, len(self.labels))).numpy() - self.priors

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors and description, for saving."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors["transitions"] = torch.from_numpy(self.transitions)
        tensors["priors"] = torch.from_numpy(self.priors)
        return tensors, {"labels": self.labels, "settings": asdict(self.settings), "n_features": self.n_features}


def train(
    train: Sequence[TaggedSentence],
    dev: Sequence[TaggedSentence],
    features: WordFeatures,
    score: Score,
    settings: WindowSettings = WindowSettings(),
    seed: int = 1,
) -> WindowTagger:
    """Train on the source language; `score(gold, predicted)` on dev decides when to stop."""
    check_training(train, dev)
    labels, corpus, dev_corpus = labels_of(train), corpus_of(train), corpus_of(dev)
    gold = numbers_of(train, labels)
    priors = np.log(np.bincount(gold, minlength=len(labels)) / len(gold)).astype(np.float32)
    network = _network(features.dim, len(labels), settings, seed)
    transitions = log_transitions(corpus, gold, len(labels))
    tagger = WindowTagger(labels, transitions, priors, network, settings, features.dim)
    table, windows, targets = _table(corpus, features), corpus.windows(settings.radius), torch.from_numpy(gold)
    dev_table, dev_gold = _table(dev_corpus, features), [sentence.gold for sentence in dev]
    tagger.curve = fit_network(
        network,
        lambda rows: cross_entropy(network(_gather(table, windows[rows])), targets[rows]),
        len(gold),
        lambda: score(dev_gold, tagger._tags(dev_corpus, dev_table)),
        settings,
        seed,
        "tagger",
    )
    return tagger


def log_transitions(corpus: Corpus, gold: np.ndarray, n_labels: int) -> Floats2d:
    """Log-probabilities of tag after tag, of the first and of going on, counted with add-one smoothing.

    (n_labels + 2, n_labels): the start is the last row but one; the end, which is left to chance, is 0.
    """
    counts = 1 + crf.gold_counts(corpus.offsets, gold, n_labels)
    wide = np.log(counts / counts.sum(axis=1, keepdims=True))
    wide[-1] = 0
    logs: Floats2d = wide.astype(np.float32)
    return logs


def load(tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> WindowTagger:
    """What `state` took apart."""
    settings = WindowSettings(**about["settings"])
    network = _network(about["n_features"], len(about["labels"]), settings, seed=0)
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
    n = len(about["labels"])
    if tensors["transitions"].shape != (n + 2, n) or tensors["priors"].shape != (n,):
        raise ValueError(f"{n} labels, transitions of shape {tuple(tensors['transitions'].shape)}")
    return WindowTagger(about["labels"], tensors["transitions"].numpy(), tensors["priors"].numpy(),
                        network, settings, about["n_features"])  # fmt: skip


def _network(n_features: int, n_labels: int, settings: WindowSettings, seed: int) -> torch.nn.Sequential:
    return two_layers((2 * settings.radius + 1) * n_features, n_labels, settings, seed)


def _table(corpus: Corpus, features: WordFeatures) -> torch.Tensor:
    """Features of the distinct words; the last row is what stands outside a sentence."""
    outside = np.zeros((1, features.dim), np.float32)
    return torch.from_numpy(np.concatenate([features.table(corpus.distinct), outside]))


def _gather(table: torch.Tensor, windows: np.ndarray) -> torch.Tensor:
    """(n, window) rows of the table -> (n, window * dim) inputs."""
    return table[torch.from_numpy(windows)].flatten(1)
