"""Systems that see labelled data of the target language: a few sentences of it, or all (what transfer is held against).

Few-shot: the source's training data and k sentences of the target together, these repeated until they are a share of
the whole; training on both at once needs no second schedule and no dev set of the target (Schmidt et al. 2022, "Don't
stop fine-tuning", found it at least as good as one after the other). The model is chosen on the source's dev set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.corpora import Item, need_gold, read_items
from comparisons.experiment import Resolver, TargetData
from xlembed.errors import InputError

if TYPE_CHECKING:
    from comparisons.systems import Model, Runner


class TargetRunner:
    """Another runner, trained with the target's own data."""

    def __init__(self, inner: Runner, source: str, plan: TargetData, resolve: Resolver):
        self.inner, self.source, self.plan, self.resolve = inner, source, plan, resolve

    def why_not(self, lang: str) -> str | None:
        if lang != self.source:
            try:
                self._files(lang)
            except InputError:
                return "no training data"
        return self.inner.why_not(lang)

    def check(self, lang: str) -> None:
        self.inner.check(lang)

    def trained_in(self, lang: str) -> tuple[str, ...]:
        if lang == self.source:
            return (self.source,)
        return (self.source, lang) if self.plan.source else (lang,)

    def _files(self, lang: str) -> list[Path]:
        names = [self.plan.train, *([self.plan.dev] if self.plan.dev else [])]
        return [self.resolve(name.format(lang=lang)) for name in names]

    def inputs(self, lang: str) -> list[Path]:
        return self.inner.inputs(lang) + ([] if lang == self.source else self._files(lang))

    def identity(self, lang: str) -> Any:
        inner = self.inner.identity(lang)
        return inner if lang == self.source else {"inner": inner, "target": asdict(self.plan)}

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        lang = langs[-1]
        if lang == self.source:
            return self.inner.model(kind, train, dev, seed, folder, langs)
        found = self._data(kind, self.plan.train, lang)
        chosen = some_of(found, self.plan.k, seed or 0)
        mixed = mix(train, chosen, self.plan.share) if self.plan.source else chosen
        if self.plan.dev:
            dev = self._data(kind, self.plan.dev, lang)
        model = self.inner.model(kind, mixed, dev, seed, folder, langs)
        told = asdict(self.plan) | {"n": len(chosen), "n_train": len(mixed)}
        return replace(model, about={"target": told, **model.about})

    def _data(self, kind: str, name: str, lang: str) -> list[Item]:
        items = read_items(kind, self.resolve(name.format(lang=lang)), lang)
        need_gold(items, name.format(lang=lang))
        return items


def some_of(items: Sequence[Item], k: int | None, seed: int) -> list[Item]:
    """k random ones, others for every seed; all for None. Raises InputError where there are fewer."""
    if k is None:
        return list(items)
    if k > len(items):
        raise InputError(f"target: k = {k}, the data has {len(items)} items")
    return [items[i] for i in np.random.default_rng(seed).permutation(len(items))[:k]]


def mix(source: Sequence[Item], target: Sequence[Item], share: float) -> list[Item]:
    """The source's items, and the target's as often as it takes to be at least `share` of all."""
    times = max(1, math.ceil(share * len(source) / ((1 - share) * len(target))))
    return [*source, *list(target) * times]
