"""The language that an encoder has to be told: XLM's language embeddings and X-MOD's language modules.

XLM adds to each token the embedding of its language (Conneau and Lample 2019, section 3.1); X-MOD sends each sentence
through the modules of its language (Pfeiffer et al. 2022, "Lifting the curse of multilinguality by pre-training modular
transformers"). Both run without being told, on a default, and are then worse without a word: so here a language that
such an encoder does not know is refused.
"""

from __future__ import annotations

from typing import Any

from baselines.translation.codes import CODES
from xlembed.errors import InputError

_TWO_LETTERS = {codes.three: two for two, codes in CODES.items()}


class EncoderLanguages:
    """How one encoder is told the language of its input. `key` names the input: langs, lang_ids, or None."""

    def __init__(self, config: Any):
        self.key: str | None = None
        self._ids: dict[str, int] = {}
        if config.model_type == "xlm" and config.n_langs > 1 and config.use_lang_emb:
            self.key = "langs"
            self._ids = {str(code): int(i) for code, i in (getattr(config, "lang2id", None) or {}).items()}
            if not self._ids:
                raise InputError("this XLM has language embeddings, but its config.json says no lang2id: "
                                 "take the one that the checkpoint was published with")
        elif config.model_type == "xmod":
            self.key = "lang_ids"
            for i, name in enumerate(config.languages):  # en_XX, de_DE; of zh_CN and zh_TW the first
                self._ids.setdefault(name.partition("_")[0], i)

    @property
    def known(self) -> list[str] | None:
        """Codes of the languages that it can be told, or None where it is not told any."""
        return sorted(self._ids) if self.key else None

    def why_not(self, lang: str) -> str | None:
        """Why the encoder cannot read a language, None if it can (as well or badly as it may)."""
        if self.key is None or _short(lang) in self._ids:
            return None
        return "no language embedding" if self.key == "langs" else "no language module"

    def id_of(self, lang: str | None) -> int:
        """The encoder's number of a language. Raises InputError for one that it has not."""
        if lang is None:
            raise InputError(f"this encoder has to be told the language: one of {', '.join(self.known or [])}")
        if self.why_not(lang):
            raise InputError(f"this encoder has {self.why_not(lang)} for {lang}: it has {', '.join(self.known or [])}")
        return self._ids[_short(lang)]


def _short(lang: str) -> str:
    return _TWO_LETTERS.get(lang, lang)
