"""Taggers: seconds of training, sentences a second, and F1, beside python-crfsuite and a plain torch loop.

python benchmarks/taggers.py --mirror DIR [--sentences 20000] [--epochs 2] [--iterations 60]

Data: WikiAnn English (train, and test for speed and F1), vectors/mix.en. The CRF has dense vectors on top of the
features that python-crfsuite gets, which are the same strings: words, shapes, affixes, clusters in a window of two,
pairs of shapes. crfsuite is a C library and runs in one thread; both fit by L-BFGS. The plain loop is what a PyTorch
tutorial would write: padded batches, packed sequences, and a CRF whose forward algorithm loops over words in Python;
its network has the same layers and sizes. Prediction includes looking words up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from xlembed.tuning import tune_libraries

tune_libraries()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from baselines import bilstm_tagger, crf_tagger  # noqa: E402
from baselines.corpora import TaggedSentence, read_tagged, without_gold  # noqa: E402
from baselines.features import WordFeatures, word_features  # noqa: E402
from baselines.metrics import dev_scorer, score  # noqa: E402
from baselines.sequences import corpus_of, labels_of  # noqa: E402
from baselines.settings import BilstmSettings, CrfSettings  # noqa: E402
from comparisons.summary import machine  # noqa: E402
from xlembed.fetch import locate  # noqa: E402
from xlembed.normalize import normalize  # noqa: E402
from xlembed.vectors import read_vectors  # noqa: E402

Sentences = Sequence[TaggedSentence]


def timed(function: Callable) -> tuple[float, object]:
    """Seconds, and what the function gave."""
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def report(name: str, seconds: float, predict: Callable[[Sentences], list], test: Sentences) -> None:
    """A line: training seconds, speed and F1 on the test set."""
    bare = without_gold(test)
    predict(bare[:100])
    spent, predicted = timed(lambda: predict(bare))
    f1 = score("ner", [one.gold for one in test], predicted)["f1"]
    print(f"{name:28} {seconds:8.1f} s training {len(test) / spent:9,.0f} sentences/s   F1 {f1:.2f}", flush=True)


# ---- python-crfsuite


def strings(
    sentences: Sentences, features: WordFeatures, centroids: list, settings: CrfSettings
) -> list[list[list[str]]]:
    """The CRF's features as strings, a list a word."""
    corpus = corpus_of(sentences)
    of_words = crf_tagger._features_of_words(corpus.distinct, features.table(corpus.distinct), centroids, settings)
    of_words.append((["outside"], []))
    pairs, which = crf_tagger._shape_pairs(corpus)
    rows = []
    for window, pair in zip(corpus.windows(settings.radius), which, strict=True):
        row = [f"pair={pairs[pair]}", *of_words[window[settings.radius]][1]]
        row += [f"{place}:{name}" for place, word in enumerate(window) for name in of_words[word][0]]
        rows.append(row)
    return [rows[first:last] for first, last in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)]


def with_crfsuite(train: Sentences, test: Sentences, features: WordFeatures, settings: CrfSettings) -> None:
    """Train and tag with python-crfsuite."""
    import pycrfsuite

    centroids = [crf_tagger.spherical_kmeans(features.vectors.matrix, k, 1) for k in settings.clusters]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")

        def fit() -> None:
            trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
            trainer.set_params({"c1": 0.0, "c2": settings.penalty, "max_iterations": settings.max_iterations,
                                "feature.minfreq": settings.min_count})  # fmt: skip
            for sentence, rows in zip(train, strings(train, features, centroids, settings), strict=True):
                trainer.append(rows, sentence.gold)
            trainer.train(path)

        seconds, _ = timed(fit)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        predict = lambda items: [tagger.tag(rows) for rows in strings(items, features, centroids, settings)]  # noqa: E731
        report("python-crfsuite, no vectors", seconds, predict, test)
        tagger.close()


# ---- a plain torch loop


class Plain(nn.Module):
    """BiLSTM-CRF with padding and a forward algorithm in Python."""

    def __init__(self, table: torch.Tensor, n_chars: int, n_labels: int, s: BilstmSettings) -> None:
        super().__init__()
        self.table = table
        self.chars = nn.Embedding(n_chars + 2, s.char_dim, padding_idx=0)
        self.filters = nn.Conv1d(s.char_dim, s.char_filters, s.char_width, padding=1)
        self.lstm = nn.LSTM(table.shape[1] + s.char_filters, s.hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * s.hidden, n_labels)
        self.dropout = nn.Dropout(s.dropout)
        self.transitions, self.start, self.end = (nn.Parameter(torch.zeros(shape)) for shape in
                                                  ((n_labels, n_labels), (n_labels,), (n_labels,)))  # fmt: skip

    def emissions(self, rows: torch.Tensor, letters: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        b, t, c = letters.shape
        read = self.filters(self.chars(letters.view(b * t, c)).transpose(1, 2)).amax(2).relu().view(b, t, -1)
        x = self.dropout(torch.cat([self.table[rows], read], -1))
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.out(self.dropout(states))

    def loss(self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        alpha = self.start + emissions[:, 0]
        gold = self.start[tags[:, 0]] + emissions[:, 0].gather(1, tags[:, :1])[:, 0]
        last = tags[:, 0]
        for i in range(1, emissions.shape[1]):
            step = torch.logsumexp(alpha[:, :, None] + self.transitions, 1) + emissions[:, i]
            alpha = torch.where(mask[:, i, None], step, alpha)
            more = self.transitions[last, tags[:, i]] + emissions[:, i].gather(1, tags[:, i : i + 1])[:, 0]
            gold = torch.where(mask[:, i], gold + more, gold)
            last = torch.where(mask[:, i], tags[:, i], last)
        return (torch.logsumexp(alpha + self.end, 1) - gold - self.end[last]).mean()

    def decode(self, emissions: torch.Tensor) -> list[int]:
        """One sentence, (t, n_labels)."""
        best, back = self.start + emissions[0], []
        for row in emissions[1:]:
            top, from_ = (best[:, None] + self.transitions).max(0)
            best = top + row
            back.append(from_)
        path = [int((best + self.end).argmax())]
        for from_ in reversed(back):
            path.append(int(from_[path[-1]]))
        return path[::-1]


def with_plain_loop(train: Sentences, test: Sentences, features: WordFeatures, settings: BilstmSettings) -> None:
    """Train and tag as a tutorial would."""
    labels = labels_of(train)
    number = {label: i for i, label in enumerate(labels)}
    chars = {c: i for i, c in enumerate(sorted({c for s in train for w in s.words for c in w}), start=2)}
    words = sorted({word for s in [*train, *test] for word in s.words})
    row = {word: i for i, word in enumerate(words)}
    letters = torch.from_numpy(bilstm_tagger.spellings(words, chars))
    network = Plain(torch.from_numpy(features.table(words)), len(chars), len(labels), settings)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr)

    def batch_of(items: Sentences) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = [torch.tensor([row[word] for word in one.words]) for one in items]
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return padded, letters[padded], torch.tensor([len(one) for one in rows])

    def fit() -> None:
        rng = np.random.default_rng(1)
        for _ in range(settings.max_epochs):
            network.train()
            order = rng.permutation(len(train))
            for i in range(0, len(order), settings.batch_size):
                items = [train[j] for j in order[i : i + settings.batch_size]]
                rows, spelt, lengths = batch_of(items)
                tags = nn.utils.rnn.pad_sequence([torch.tensor([number[t] for t in s.tags]) for s in items], True)
                mask = torch.arange(rows.shape[1])[None, :] < lengths[:, None]
                loss = network.loss(network.emissions(rows, spelt, lengths), tags, mask)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()

    def predict(items: Sentences) -> list[list[str]]:
        network.eval()
        found = []
        with torch.inference_mode():
            for i in range(0, len(items), 256):
                rows, spelt, lengths = batch_of(items[i : i + 256])
                emissions = network.emissions(rows, spelt, lengths)
                found += [[labels[j] for j in network.decode(e[:n])] for e, n in zip(emissions, lengths, strict=True)]
        return found

    seconds, _ = timed(fit)
    report(f"plain torch, {settings.max_epochs} epochs", seconds, predict, test)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=60)
    args = parser.parse_args()
    train, test = (read_tagged(locate(f"ner/wikiann/en/{part}.tsv", args.mirror)) for part in ("train", "test"))
    train = train[: args.sentences]
    features = word_features(normalize(read_vectors(locate("vectors/mix.en.vec.gz", args.mirror))), "en")
    crf = CrfSettings(max_iterations=args.iterations, evaluate_every=args.iterations)
    bilstm = BilstmSettings(max_epochs=args.epochs)
    print(f"{len(train):,} training and {len(test):,} test sentences; {machine()}")
    seconds, made = timed(lambda: crf_tagger.train(train, test[:10], features, dev_scorer("ner"), crf, 1))
    report(f"CRF, {args.iterations} iterations", seconds, lambda items: made.predict(items, features), test)
    try:
        with_crfsuite(train, test, features, crf)
    except ImportError:
        print("python-crfsuite is not installed: pip install python-crfsuite")
    seconds, network = timed(lambda: bilstm_tagger.train(train, test[:10], features, dev_scorer("ner"), bilstm, 1))
    report(f"BiLSTM-CRF, {args.epochs} epochs", seconds, lambda items: network.predict(items, features), test)
    with_plain_loop(train, test, features, bilstm)


if __name__ == "__main__":
    main()
