"""Text near to the NER test sets, to train vectors on: a sentence a line, no labels, no sentence of a test set's file.

python experiments/static/corpus.py MIRROR LANG OUT.txt

en, de, es, nl: WikiNEuRal (dev, test), WikiAnn's train and dev words, and the OPUS test sets (not nl). hau, swa, yor,
pcm: the words of MasakhaNER's train and dev sentences. What the experiments call vectors/wiki.LANG.bin is then made by

xlembed vectors train OUT.txt --lang LANG --out MIRROR/vectors/wiki.LANG.bin --dim 150 --epoch 10 --min-count 3 \
    --minn 3 --bucket 200000 --thread 2

(nl: --epoch 30), vectors/masakha.LANG.bin by --dim 100 --epoch 50 --min-count 2 --minn 3 --bucket 50000.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

from baselines.corpora import read_tagged
from xlembed.files import write_text


def sentences(mirror: Path, lang: str) -> list[str]:
    """Distinct sentences of the NER sets in alphabetical order, then the running text."""
    files = [mirror / f"ner/masakhaner2/{lang}/{part}.tsv" for part in ("train", "dev")]
    if not files[0].exists():
        files = [mirror / f"ner/wikineural/{lang}/{part}.tsv.xz" for part in ("dev", "test")]
        files += [mirror / f"ner/wikiann/{lang}/{part}.tsv" for part in ("train", "dev")]
    found = sorted({" ".join(sentence.words) for file in files for sentence in read_tagged(file, lang)})
    running = mirror / f"corpora/opus-testsets/{lang}.txt.xz"
    if running.exists():
        with lzma.open(running, "rt", encoding="utf-8") as file:
            found += [line.rstrip("\n") for line in file]
    return found


def main() -> None:
    mirror, lang, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    write_text(out, "\n".join(sentences(mirror, lang)) + "\n")


if __name__ == "__main__":
    main()
