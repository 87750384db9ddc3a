"""All mapping methods by name, with their settings."""

from __future__ import annotations

import importlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from xlembed.alignment.base import LinearMapping
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.vectors import WordVectors


@dataclass(frozen=True)
class Method:
    """Where a method is, and whether it needs a seed lexicon."""

    module: str
    function: str
    settings: str
    lexicon: Literal["needed", "none"]
    about: str
    preset: tuple[tuple[str, Any], ...] = ()

    def load(self) -> tuple[Any, type]:
        """The function and its settings' class."""
        module = importlib.import_module(f"xlembed.alignment.{self.module}")
        return getattr(module, self.function), getattr(module, self.settings)


METHODS = {
    "procrustes": Method("procrustes", "fit_with", "ProcrustesSettings", "needed", "orthogonal Procrustes"),
    "refine": Method("refinement", "fit", "RefinementSettings", "needed", "Procrustes, refined on mutual neighbours"),
    "proc-b": Method("refinement", "fit_proc_b", "ProcBSettings", "needed", "Procrustes with bootstrapped lexicon"),
    "ridge": Method("linear", "fit_ridge", "RidgeSettings", "needed", "ridge regression, not orthogonal"),
    "cca": Method("linear", "fit_cca", "CcaSettings", "needed", "canonical correlation analysis"),
    "rcsls": Method("rcsls", "fit", "RcslsSettings", "needed", "relaxed CSLS loss"),
    "vecmap": Method("vecmap", "fit", "VecMapSettings", "needed", "whitened, turned, re-weighted, coloured again",
                     (("mode", "supervised"),)),
    "vecmap-semi": Method("vecmap", "fit", "VecMapSettings", "needed", "the same, self-learning from a small lexicon",
                          (("mode", "semi"),)),
    "vecmap-unsupervised": Method("vecmap", "fit", "VecMapSettings", "none", "the same, self-learning from nothing",
                                  (("mode", "unsupervised"),)),
    "muse": Method("muse", "fit", "MuseSettings", "none", "adversarial training, then refinement"),
    "contrastive": Method("contrastive", "fit", "ContrastiveSettings", "needed", "contrastive, with hard negatives"),
    "self-taught": Method("self_taught", "fit", "SelfTaughtSettings", "needed",
                          "refined from the lexicon, then contrastive on all that was found",
                          (("mode", "supervised"),)),
    "self-taught-unsupervised": Method("self_taught", "fit", "SelfTaughtSettings", "none",
                                       "self-learning from nothing, then contrastive", (("mode", "unsupervised"),)),
}  # fmt: skip


def fit_method(
    name: str,
    src: WordVectors,
    trg: WordVectors,
    lexicon: Lexicon | None,
    options: Mapping[str, str] | None = None,
) -> LinearMapping:
    """Fit a method by name; options are settings as text ("dim": "100").

    Raises InputError for an unknown method or setting, and where a lexicon is needed and None.
    """
    method = method_of(name)
    if method.lexicon == "needed" and lexicon is None:
        raise InputError(f"method {name} needs a lexicon: give a file, identical, numerals or cognates")
    function, settings = method.load()
    seed = None if method.lexicon == "none" else lexicon
    mapping: LinearMapping = function(src, trg, seed, read_settings(name, settings, options or {}))
    return mapping


def method_of(name: str) -> Method:
    """The method of that name, or InputError."""
    if name not in METHODS:
        raise InputError(f"unknown method {name!r}: choose {', '.join(METHODS)}")
    return METHODS[name]


def read_settings(name: str, settings: type, options: Mapping[str, str]) -> Any:
    """Settings of a method with some of them given as text."""
    preset = dict(METHODS[name].preset)
    kinds = typing.get_type_hints(settings)
    known = [field.name for field in fields(settings) if field.name not in preset]
    for key in options:
        if key not in known:
            raise InputError(f"method {name} has no setting {key!r}: it has {', '.join(known)}")
    given = {key: _value(text, kinds[key], f"setting {key}") for key, text in options.items()}
    return replace(settings(**preset), **given)


def _value(text: str, kind: Any, what: str) -> Any:
    """Text as a bool, int, float, str, a tuple of names, or None where that is allowed."""
    arguments = typing.get_args(kind)
    if types.NoneType in arguments:
        return None if text == "none" else _value(text, next(a for a in arguments if a is not types.NoneType), what)
    if typing.get_origin(kind) is tuple:
        from xlembed.normalize import parse_steps

        return parse_steps(text)
    if typing.get_origin(kind) is Literal:
        return text
    try:
        return {"yes": True, "no": False, "true": True, "false": False}[text] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise InputError(f"{what} = {text!r}: a {kind.__name__} is needed") from None
