"""Word-by-word translation through mapped vectors and a lexicon: "cheap translation", tags kept one to one.

Xie et al. 2018 ("Neural Cross-Lingual Named Entity Recognition with Minimal Resources"): every source word becomes its
nearest neighbour by CSLS (Conneau et al. 2018) in the common space, and the order of words stays the source's.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from baselines.corpora import TaggedSentence
from xlembed.alignment.base import load_mapping
from xlembed.errors import InputError
from xlembed.files import sha256_of
from xlembed.lexicon import Lexicon, read_lexicon
from xlembed.normalize import unit
from xlembed.retrieval import CRITERIA, key_bias
from xlembed.search.base import backend
from xlembed.tokenize import tokenize
from xlembed.types import Floats1d, Floats2d, Ints1d
from xlembed.vectors import WordVectors, read_vectors

How = Literal["lexicon", "nearest", "parts", "name", "mark", "unknown"]
Names = Literal["shared", "always", "never"]
Several = Literal["nearest", "frequent"]
PERSON = "PER"
_CAPITAL_NOUNS = frozenset({"de", "deu", "lb", "ltz"})  # there a capital within a sentence says nothing of names
_AT_ONCE = 20_000


@dataclass(frozen=True)
class WordSettings:
    """How words are chosen.

    `use_lexicon`: a word with a lexicon entry takes its translation from there; of several the one `nearest` in the
    space, or the one most `frequent` in the target vocabulary. `names`: words of names are copied where the target
    vocabulary holds the same string (shared), always, or never. `retrieval`: csls, nn or isf.
    """

    use_lexicon: bool = True
    several: Several = "nearest"
    names: Names = "shared"
    retrieval: str = "csls"

    def __post_init__(self) -> None:
        for name, value, known in (("several", self.several, get_args(Several)), ("names", self.names, get_args(Names)),
                                   ("retrieval", self.retrieval, CRITERIA)):  # fmt: skip
            if value not in known:
                raise InputError(f"{name} = {value!r}: choose {', '.join(known)}")


@dataclass(frozen=True)
class Found:
    """The translation of a word, and how it was found; marks are numbers and punctuation."""

    word: str
    how: How


@dataclass(frozen=True)
class Coverage:
    """Running words by how they were translated."""

    n_words: int
    counts: dict[How, int]

    def share(self, *hows: How) -> float:
        """Percent of the running words; 0 where there are none."""
        return 100 * sum(self.counts.get(how, 0) for how in hows) / max(1, self.n_words)

    def describe(self) -> str:
        """One line of shares."""
        translated = self.share("lexicon", "nearest", "parts")
        return (
            f"{self.n_words:,} words: {translated:.1f} % translated ({self.share('lexicon'):.1f} % by the lexicon, "
            f"{self.share('nearest'):.1f} % by the nearest vector, {self.share('parts'):.1f} % in parts), copied: "
            f"{self.share('mark'):.1f} % numbers and punctuation, {self.share('name'):.1f} % names, "
            f"{self.share('unknown'):.1f} % unknown words"
        )


@dataclass
class WordTranslator:
    """Word-by-word translation; both vectors lie in one space already. What was looked up once is kept.

    `made_of` names the files behind the vectors, for `identity`; without it the vectors themselves are hashed.
    Raises InputError where the dims differ.
    """

    src: str
    trg: str
    src_vectors: WordVectors
    trg_vectors: WordVectors
    lexicon: Lexicon | None = None
    settings: WordSettings = WordSettings()
    made_of: dict[str, Any] | None = None
    _known: dict[tuple[str, bool, bool], Found] = field(default_factory=dict, repr=False)
    _nearest: dict[str, str | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.src_vectors.dim != self.trg_vectors.dim:
            raise InputError(f"the source vectors have dim {self.src_vectors.dim}, the target's "
                             f"{self.trg_vectors.dim}: both must lie in one space, give a mapping")
        if not len(self._candidates[0]):
            raise InputError("the target vocabulary holds no word with a letter: nothing can be translated into it")

    # ---- what callers use

    def identity(self) -> dict[str, Any]:
        """Vectors, lexicon and settings, by hash."""
        made_of = self.made_of or {"src": _hash(self.src_vectors), "trg": _hash(self.trg_vectors)}
        entries = self.lexicon.pairs if self.lexicon else []
        return {"route": "words", "src": self.src, "trg": self.trg, "made_of": made_of, **asdict(self.settings),
                "lexicon": _sha256(json.dumps(entries).encode("utf-8"))}  # fmt: skip

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Texts translated word by word; white space between words stays as it is."""
        split = [tokenize(text, self.src) for text in texts]
        found = self.look_up([TaggedSentence(tuple(words)) for words in split])
        return [_glued(text, words, (one.word for one in ones), " ")
                for text, words, ones in zip(texts, split, found, strict=True)]  # fmt: skip

    def translate_words(self, words: Sequence[str]) -> list[str]:
        """One word a word of a sentence."""
        return [found.word for found in self.look_up([TaggedSentence(tuple(words))])[0]]

    def translate_tagged(self, sentences: Sequence[TaggedSentence]) -> list[TaggedSentence]:
        """Sentences of as many words, tags as they were; NER tags say which words are names."""
        return [
            replace(sentence, words=tuple(one.word for one in ones))
            for sentence, ones in zip(sentences, self.look_up(sentences), strict=True)
        ]

    def coverage(self, sentences: Sequence[TaggedSentence]) -> Coverage:
        """How the running words are translated."""
        counts = Counter(one.how for ones in self.look_up(sentences) for one in ones)
        return Coverage(counts.total(), dict(counts))

    def coverage_of_texts(self, texts: Iterable[str]) -> Coverage:
        """`coverage` of running text."""
        return self.coverage([TaggedSentence(tuple(tokenize(text, self.src))) for text in texts])

    def look_up(self, sentences: Sequence[TaggedSentence]) -> list[list[Found]]:
        """The translation of every word; all new words are searched for at once."""
        keys = [self._keys(sentence) for sentence in sentences]
        new = [key for key in dict.fromkeys(key for one in keys for key in one) if key not in self._known]
        self._search([form for key in new for form in self._forms(key[0])])
        for key in new:
            self._known[key] = self._translation(*key)
        return [[self._in_context(i, key[0], key[1], self._known[key]) for i, key in enumerate(one)] for one in keys]

    # ---- choosing

    def _keys(self, sentence: TaggedSentence) -> list[tuple[str, bool, bool]]:
        """(word, is it of a name, of a person's) of each word: tags of entities say so, else capitals inside."""
        tags = sentence.tags
        if tags is not None and any(tag[:2] in ("B-", "I-") for tag in tags):
            return [(word, tag != "O" and not word[:1].islower(), tag[2:] == PERSON)
                    for word, tag in zip(sentence.words, tags, strict=True)]  # fmt: skip
        is_telling = tags is None and self.src not in _CAPITAL_NOUNS
        return [(word, is_telling and i > 0 and word[:1].isupper() and not self._is_english_i(word), False)
                for i, word in enumerate(sentence.words)]  # fmt: skip

    def _is_english_i(self, word: str) -> bool:
        """English I is a capital for no reason that other languages share."""
        return word == "I" and self.src in ("en", "eng")

    def _in_context(self, place: int, word: str, is_name: bool, found: Found) -> Found:
        """Without the capital that the source's spelling alone asks for: English I, German nouns."""
        is_noun = self.src in _CAPITAL_NOUNS and word[1:].islower() and found.word.lower() != word.lower()
        is_spelling = self._is_english_i(word) or (is_noun and not is_name)
        if is_spelling and place > 0 and found.how in ("lexicon", "nearest"):
            return replace(found, word=found.word[:1].lower() + found.word[1:])
        return found

    def _translation(self, word: str, is_name: bool, is_person: bool) -> Found:
        """Persons' names first, then the lexicon, other names, the nearest vector, parts, the word itself."""
        if not _has_letter(word):
            return Found(word, "mark")
        if is_person and self._is_copied(word):
            return Found(word, "name")
        if (entry := self._entry(word)) is not None:
            return Found(cased_like(word, entry), "lexicon")
        if is_name and self._is_copied(word):
            return Found(word, "name")
        if (nearest := self._nearest[_plain(word)]) is not None:
            return Found(cased_like(word, nearest), "nearest")
        return self._in_parts(word)

    def _is_copied(self, word: str) -> bool:
        names = self.settings.names
        return names == "always" or (names == "shared" and self.trg_vectors.row(_plain(word)) is not None)

    def _in_parts(self, word: str) -> Found:
        """A compound with hyphens or apostrophes part by part, where one part is known; initials are copied."""
        parts = _parts(word, self.src)
        chosen = [self._part(part) if len(part) > 1 and _has_letter(part) else None for part in parts]
        if not any(chosen):
            return Found(word, "unknown")
        return Found(_glued(word, parts, (new or part for part, new in zip(parts, chosen, strict=True)), "-"), "parts")

    def _part(self, part: str) -> str | None:
        found = self._entry(part) or self._nearest.get(_plain(part))
        return found and cased_like(part, found)

    def _entry(self, word: str) -> str | None:
        """The lexicon's translation of a word as written, in NFC or in lower case."""
        for form in (word, plain := _plain(word), plain.lower()):
            if form in self._entries:
                options = self._entries[form]
                return options[0] if len(options) == 1 else self._best(form, options)
        return None

    def _best(self, word: str, options: list[str]) -> str:
        """Of several translations the nearest, or the most frequent; the first where no vector tells."""
        rows = {row: option for option in options if (row := self.trg_vectors.row(option)) is not None}
        vector = self.src_vectors.vector(word)
        if not rows:
            return options[0]
        if self.settings.several == "frequent" or vector is None:
            return rows[min(rows)]
        similarity = unit(self.trg_vectors.matrix[list(rows)]) @ vector
        return list(rows.values())[int(np.argmax(similarity))]

    # ---- searching

    def _forms(self, word: str) -> list[str]:
        """The strings whose neighbours are needed for a word: itself, and its parts where it has no vector."""
        if not _has_letter(word):
            return []
        plain = _plain(word)
        return [plain] if self.src_vectors.row(plain) is not None else [plain, *map(_plain, _parts(word, self.src))]

    def _search(self, words: Iterable[str]) -> None:
        """Fill `_nearest` for words that it lacks, in blocks of one search each; None for words without a vector."""
        new = [word for word in dict.fromkeys(words) if word not in self._nearest]
        vectors = {word: self.src_vectors.vector(word) for word in new if _has_letter(word)}
        self._nearest.update(dict.fromkeys(new))
        known = [(word, vector) for word, vector in vectors.items() if vector is not None and vector.any()]
        for start in range(0, len(known), _AT_ONCE):
            block = known[start : start + _AT_ONCE]
            nearest = self._neighbors([vector for _, vector in block])
            self._nearest.update(zip((word for word, _ in block), nearest, strict=True))

    def _neighbors(self, vectors: list[Floats1d]) -> list[str]:
        rows, keys, bias = self._candidates[0], self._candidates[1], self._bias
        found = backend().topk(unit(np.array(vectors, dtype=np.float32)), keys, 1, bias)
        return [self.trg_vectors.words[rows[i]] for i in found.indices[:, 0]]

    @cached_property
    def _candidates(self) -> tuple[Ints1d, Floats2d]:
        """Rows of the target words that hold a letter, (n,), and their unit vectors, (n, dim)."""
        rows = np.array([i for i, word in enumerate(self.trg_vectors.words) if _has_letter(word)], dtype=np.int64)
        return rows, unit(self.trg_vectors.matrix[rows])

    @cached_property
    def _bias(self) -> Floats1d | None:
        """The criterion's number a target word, over the whole source vocabulary."""
        return key_bias(self.settings.retrieval, unit(self.src_vectors.matrix), self._candidates[1])

    @cached_property
    def _entries(self) -> dict[str, list[str]]:
        if self.lexicon is None or not self.settings.use_lexicon:
            return {}
        return self.lexicon.translations()


@dataclass(frozen=True, kw_only=True)
class WordFiles(WordSettings):
    """Files of a word-by-word translator, and its settings.

    Vectors of both languages, the folder of a mapping from src to trg (None: one space already), a lexicon src -> trg
    (None: none), and how many words to read of each. `reverse`: mapping and lexicon go from trg to src instead.
    """

    vectors: str | Path
    target_vectors: str | Path
    mapping: str | Path | None = None
    lexicon: str | Path | None = None
    reverse: bool = False
    n: int | None = None


def from_files(src: str, trg: str, files: WordFiles) -> WordTranslator:
    """A translator from files. Raises InputError for files that cannot be read or do not fit each other."""
    settings = WordSettings(**{one.name: getattr(files, one.name) for one in fields(WordSettings)})
    lexicon = None if files.lexicon is None else read_lexicon(files.lexicon)
    if lexicon is not None and files.reverse:
        lexicon = lexicon.reversed()
    return WordTranslator(src, trg, *_in_one_space(files), lexicon, settings, _made_of(files))


def _in_one_space(files: WordFiles) -> tuple[WordVectors, WordVectors]:
    src_vectors, trg_vectors = read_vectors(files.vectors, files.n), read_vectors(files.target_vectors, files.n)
    if files.mapping is None:
        return src_vectors, trg_vectors
    mapping = load_mapping(files.mapping)
    if files.reverse:
        return mapping.map_trg(src_vectors), mapping.map_src(trg_vectors)
    return mapping.map_src(src_vectors), mapping.map_trg(trg_vectors)


def _made_of(files: WordFiles) -> dict[str, Any]:
    mapping = None if files.mapping is None else sha256_of(Path(files.mapping) / "weights.safetensors")
    return {"src": sha256_of(files.vectors), "trg": sha256_of(files.target_vectors), "mapping": mapping,
            "reverse": files.reverse, "n": files.n}  # fmt: skip


def cased_like(word: str, translation: str) -> str:
    """The translation in the casing of the word: all capitals, a first capital, or as it is."""
    letters = [char for char in word if char.isalpha()]
    if len(letters) > 1 and all(char.isupper() for char in letters):
        return translation.upper()
    return translation[:1].upper() + translation[1:] if word[:1].isupper() else translation


def _plain(word: str) -> str:
    """NFC with straight apostrophes, as vectors are trained."""
    return unicodedata.normalize("NFC", word.replace("’", "'"))


def _parts(word: str, lang: str) -> list[str]:
    """Words inside a word: at hyphens and other marks, then at apostrophes; none where it is one word."""
    parts = [part for token in tokenize(word, lang) for part in _at_apostrophes(token)]
    return parts if len(parts) > 1 else []


def _at_apostrophes(token: str) -> Iterator[str]:
    before, apostrophe, after = token.partition("'")
    yield from (part for part in (before, apostrophe, after) if part)


def _has_letter(word: str) -> bool:
    return any(char.isalpha() for char in word)


def _glued(text: str, words: Sequence[str], translated: Iterable[str], between: str) -> str:
    """The text with each word replaced; `between` parts two words that only elision wrote together."""
    text, end, glued = text.replace("’", "'"), 0, ""
    for word, new in zip(words, translated, strict=True):
        start = text.index(word, end)
        gap = text[end:start]
        if not gap and glued[-1:].isalnum() and new[:1].isalnum():
            gap = between
        glued, end = glued + gap + new, start + len(word)
    return glued + text[end:]


def _hash(vectors: WordVectors) -> str:
    matrix = np.ascontiguousarray(vectors.matrix, dtype="<f4")
    return _sha256("\n".join(vectors.words).encode("utf-8"), matrix.tobytes())


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
