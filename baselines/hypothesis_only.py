"""The floor of NLI: the mean classifier with every premise blank.

What it gets above the majority it has from how hypotheses were written (Gururangan et al. 2018, NAACL, "Annotation
Artifacts in Natural Language Inference Data"), not from inference; it stands beside every other classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from baselines import mean_classifier
from baselines.corpora import SentencePair
from baselines.features import WordFeatures
from baselines.mean_classifier import MeanClassifier
from baselines.models import Score
from baselines.settings import MeanSettings


class HypothesisOnly(MeanClassifier):
    """A mean classifier that sees no premise."""

    def predict(self, pairs: Sequence[SentencePair], features: WordFeatures) -> list[str]:
        """A label for each pair."""
        return super().predict(blanked(pairs), features)


def train(
    train: Sequence[SentencePair],
    dev: Sequence[SentencePair],
    features: WordFeatures,
    score: Score,
    settings: MeanSettings = MeanSettings(),
    seed: int = 1,
) -> HypothesisOnly:
    """Train on the hypotheses alone."""
    return _blind(mean_classifier.train(blanked(train), blanked(dev), features, score, settings, seed))


def load(tensors: dict[str, Tensor], about: dict[str, Any]) -> HypothesisOnly:
    """What `state` took apart."""
    return _blind(mean_classifier.load(tensors, about))


def _blind(classifier: MeanClassifier) -> HypothesisOnly:
    return HypothesisOnly(classifier.network, classifier.settings, classifier.n_features, classifier.curve)


def blanked(pairs: Sequence[SentencePair]) -> list[SentencePair]:
    """The same pairs without a word in the premise."""
    return [replace(pair, premise="") for pair in pairs]
