"""Reading and opening word vectors, beside gensim. python benchmarks/read_vec.py [n_words] [dim]"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from common import compare
from gensim.models import KeyedVectors

from xlembed.vectors import WordVectors, read_vectors, write_vectors


def main(n_words: int = 50_000, dim: int = 300) -> None:
    matrix = np.random.default_rng(0).normal(size=(n_words, dim)).astype(np.float32)
    vectors = WordVectors([f"word{i}" for i in range(n_words)], matrix)
    with tempfile.TemporaryDirectory() as folder:
        text, store, kv = (Path(folder) / f"x.{end}" for end in ("vec", "safetensors", "kv"))
        for path in (text, store, kv):
            write_vectors(path, vectors)
        print(f"{n_words:,} x {dim}, {text.stat().st_size / 1e6:.0f} MB of text; medians of 3, ratios to the first")
        compare(
            {
                "xlembed .vec": lambda: read_vectors(text),
                "gensim .vec": lambda: KeyedVectors.load_word2vec_format(str(text)),
                "xlembed store": lambda: read_vectors(store),
                "gensim .kv": lambda: KeyedVectors.load(str(kv)),
            },
            rounds=3,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
