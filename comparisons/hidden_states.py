"""What an encoder makes of texts and words on its way, layer by layer: vectors averaged over subwords.

Layer 0 is what goes into the first transformer layer (embeddings), layer L what comes out of the last. Special tokens
are never part of a mean (as in Pires et al. 2019, section 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, PreTrainedModel

from baselines.corpora import LabelledText, TaggedSentence
from comparisons.encoders import FoundEncoder
from comparisons.inputs import Example, Inputs, by_length
from comparisons.loading import check_vocabulary, load_model, load_tokenizer
from comparisons.machine import device_of, in_precision, precision_of
from comparisons.subwords import Window
from xlembed.errors import InputError
from xlembed.progress import progress

N_TOKENS = 4096  # subwords of a batch, padding counted: bounds the memory that all its layers take

Floats3d = NDArray[np.floating]
Span = tuple[int, int]  # subwords of an example, end exclusive


@dataclass(frozen=True)
class SentenceStates:
    """Vectors of texts, and what of the texts the encoder could read."""

    vectors: Floats3d  # (n_layers, n_texts, dim) float32
    n_subwords: int
    n_unknown: int  # of them the unknown token
    n_cut: int  # texts longer than the window, of which the beginning was read


@dataclass(frozen=True)
class WordStates:
    """Vectors of some words of one sentence, words[k] read off vectors[:, k]."""

    sentence: int
    words: list[int]
    vectors: Floats3d  # (n_layers, n_words, dim) float32


class LayerReader:
    """An encoder without a head, and the layers to be read off it (all for None).

    Raises InputError for a layer that it has not.
    """

    def __init__(
        self,
        encoder: FoundEncoder,
        layers: Sequence[int] | None = None,
        max_length: int = 512,
        precision: str = "float32",
        device: str = "auto",
    ):
        self.encoder = encoder
        self.device = device_of(device)
        self.precision = precision_of(precision, self.device)
        self.model: PreTrainedModel = load_model(encoder, AutoModel).eval().to(self.device)
        tokenizer = load_tokenizer(encoder)
        check_vocabulary(tokenizer, self.model, encoder.folder)
        self.inputs = Inputs(tokenizer, self.model.config, max_length)
        self.n_layers = self.model.config.num_hidden_layers
        self.layers = _checked(layers, self.n_layers)

    # ---- texts

    def sentences(self, texts: Sequence[str], lang: str | None = None, what: str = "sentences") -> SentenceStates:
        """The mean over each text's subwords, (n_layers, n_texts, dim)."""
        if not texts:
            raise InputError("no texts are given to be read by the encoder")
        words = self.inputs.words
        examples = self.inputs.texts([LabelledText(text, lang=lang) for text in texts])
        ends = len(words.prefix), len(words.suffix)
        spans = [[(ends[0], len(example) - ends[1])] for example in examples]
        out = np.empty((len(self.layers), len(texts), self.model.config.hidden_size), dtype=np.float32)
        for batch, means in self._means(examples, spans, what):
            out[:, batch] = means[:, :, 0]
        pieces = words(texts)
        unknown = words.tokenizer.unk_token_id
        return SentenceStates(
            out,
            n_subwords=sum(len(one) for one in pieces),
            n_unknown=sum(one.count(unknown) for one in pieces),
            n_cut=sum(len(one) > self.inputs.max_length - sum(ends) for one in pieces),
        )

    # ---- words

    def words(
        self, sentences: Sequence[Sequence[str]], lang: str | None = None, what: str = "words"
    ) -> Iterator[WordStates]:
        """The mean over the subwords of each word in its sentence, first to last; each word comes exactly once.

        Sentences come in any order, and a long one in several parts. A sentence without words does not come.
        """
        items = [TaggedSentence(tuple(sentence), lang=lang) for sentence in sentences if sentence]
        places = [i for i, sentence in enumerate(sentences) if sentence]
        windows, examples = self.inputs.windows(items)
        spans = [self._word_spans(window, items[window.sentence]) for window in windows]
        for batch, means in self._means(examples, spans, what):
            for row, i in enumerate(batch):
                found = windows[i].words
                yield WordStates(places[windows[i].sentence], found, means[:, row, : len(found)])

    def _word_spans(self, window: Window, item: TaggedSentence) -> list[Span]:
        """Where the subwords of a window's own words stand; a word longer than the window is cut to it."""
        words = self.inputs.words
        room = self.inputs.max_length - len(words.prefix) - len(words.suffix)
        pieces = words(item.words[word] for word in window.words)
        return [(start, start + min(len(one), room)) for start, one in zip(window.positions, pieces, strict=True)]

    # ---- both

    def _means(
        self, examples: Sequence[Example], spans: Sequence[list[Span]], what: str
    ) -> Iterator[tuple[list[int], Floats3d]]:
        """Places of examples and the means over their spans, (n_layers, batch, most spans, dim), batch by batch."""
        with progress(f"{self.encoder.name} {what}", len(examples)) as advance:
            for batch in by_length(examples, N_TOKENS):
                inputs = self.inputs.batch([examples[i] for i in batch], self.device)
                weights = torch.from_numpy(_weights([spans[i] for i in batch], inputs["input_ids"].shape[1]))
                yield batch, self._forward(inputs, weights.to(self.device))
                advance(len(batch))

    @torch.inference_mode()
    def _forward(self, inputs: dict[str, torch.Tensor], weights: torch.Tensor) -> Floats3d:
        with in_precision(self.precision, self.device):
            hidden = self.model(**inputs, output_hidden_states=True).hidden_states
        # (batch, spans, length) @ (batch, length, dim) for each layer
        return np.stack([(weights @ hidden[layer].float()).cpu().numpy() for layer in self.layers])


def _weights(spans: Sequence[list[Span]], length: int) -> NDArray[np.float32]:
    """Rows that average, (batch, most spans, length): 1/n on the n subwords of a span, else 0."""
    out = np.zeros((len(spans), max(len(one) for one in spans), length), dtype=np.float32)
    for row, one in enumerate(spans):
        for place, (start, end) in enumerate(one):
            out[row, place, start:end] = 1 / (end - start)
    return out


def _checked(layers: Sequence[int] | None, n_layers: int) -> list[int]:
    for layer in layers or ():
        if not 0 <= layer <= n_layers:
            raise InputError(f"layer {layer}: the encoder has layers 0 (embeddings) to {n_layers}")
    return sorted(set(layers)) if layers else list(range(n_layers + 1))
