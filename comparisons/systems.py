"""The systems that an experiment can name, behind one interface: find or train a model, then predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from baselines.features import WordFeatures
from baselines.majority import majority
from baselines.metrics import MAIN_METRIC, dev_scorer
from baselines.saving import load_static, save_static
from baselines.spaces import IDENTICAL, SharedSpace
from comparisons.encoder_languages import EncoderLanguages
from comparisons.encoder_libraries import need_libraries
from comparisons.encoders import find_encoder
from comparisons.experiment import Experiment, Resolver, System
from comparisons.outside import OutsideRunner
from comparisons.target_data import TargetRunner
from comparisons.translated import Reader, TranslatedRunner
from xlembed.errors import require
from xlembed.files import sha256_of
from xlembed.progress import say
from xlembed.vectors import read_vectors


@dataclass(frozen=True)
class Model:
    """A trained model: `predict(items, lang)`, what it cost, and facts for the report."""

    predict: Callable[[Sequence[Any], str], list[Any]]
    cost: dict[str, Any]
    about: dict[str, Any]


class Runner(Protocol):
    """One system of an experiment."""

    def why_not(self, lang: str) -> str | None:
        """Why the system cannot run on a language, None if it can."""

    def check(self, lang: str) -> None:
        """Raise InputError if what the system needs for a language cannot be used."""

    def trained_in(self, lang: str) -> tuple[str, ...]:
        """Languages of the training data of the model that predicts a language: the source, but for translations."""

    def inputs(self, lang: str) -> list[Path]:
        """Files besides the task data that its predictions in a language depend on."""

    def identity(self, lang: str) -> Any:
        """What else tells its models, and its predictions in a language, from others (JSON)."""

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        """Load the model saved in `folder`, or train it on data of some languages and save it there."""


def runner_of(experiment: Experiment, system: System, resolve: Resolver, read: Reader = read_vectors) -> Runner:
    """The runner of a system. Raises InputError when its files or its encoder cannot be had."""
    if system.type == "majority":
        return MajorityRunner(experiment.source)
    if system.type == "predictions":
        return OutsideRunner(experiment, system, resolve)
    runner = _trained_runner(experiment, system, resolve, read)
    if system.target is not None:
        return TargetRunner(runner, experiment.source, system.target, resolve)
    return runner if system.translate is None else TranslatedRunner(runner, experiment, system, resolve, read)


def _trained_runner(experiment: Experiment, system: System, resolve: Resolver, read: Reader) -> Runner:
    if system.type == "static":
        require("torch", "static")
        return StaticRunner(experiment, system, resolve, read)
    need_libraries()
    return EncoderRunner(system, experiment.source, resolve)


class ZeroShot:
    """What runners share that train on the source language alone; such a one runs on any language."""

    source: str

    def why_not(self, lang: str) -> str | None:
        return None

    def check(self, lang: str) -> None:
        pass

    def trained_in(self, lang: str) -> tuple[str, ...]:
        return (self.source,)


class MajorityRunner(ZeroShot):
    """The floor."""

    def __init__(self, source: str):
        self.source = source

    def inputs(self, lang: str) -> list[Path]:
        return []

    def identity(self, lang: str) -> Any:
        return None

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        def predict(items: Sequence[Any], lang: str) -> list[Any]:
            return majority(kind, train, items)

        return Model(predict, {"train_seconds": 0.0, "n_parameters": 0, "n_trained": 0}, {})


class StaticRunner(ZeroShot):
    """Taggers and classifiers on mapped vectors."""

    def __init__(self, experiment: Experiment, system: System, resolve: Resolver, read: Reader):
        self.system = system
        self.source = experiment.source
        self.space = SharedSpace(experiment.source, self._vectors(resolve), self._lexicon(resolve), system.n_words,
                                 method=system.mapping, read=read)  # fmt: skip

    def _vectors(self, resolve: Resolver) -> Callable[[str], Path]:
        template = self.system.vectors
        assert template is not None  # of a static system
        return lambda lang: resolve(template.format(lang=lang))

    def _lexicon(self, resolve: Resolver) -> Callable[[str], Path | str]:
        template = self.system.lexicon
        assert template is not None  # of a static system
        return lambda lang: IDENTICAL if template == IDENTICAL else resolve(template.format(lang=lang))

    def _space_settings(self) -> dict[str, Any]:
        system = self.system
        return {"vectors": system.vectors, "lexicon": system.lexicon, "mapping": system.mapping,
                "n_words": system.n_words, "steps": " ".join(self.space.steps)}  # fmt: skip

    def why_not(self, lang: str) -> str | None:
        return None if lang in self.system.languages else "no vectors"

    def check(self, lang: str) -> None:
        self.space.mapped(lang)

    def inputs(self, lang: str) -> list[Path]:
        languages = [self.source] if lang == self.source else [self.source, lang]
        paths = [self.space.vectors_of(one) for one in languages]
        lexicon = self.space.lexicon_of(lang) if lang != self.source else IDENTICAL
        return paths if lexicon == IDENTICAL else [*paths, Path(lexicon)]

    def identity(self, lang: str) -> Any:
        own = {"n_words": self.system.n_words, "steps": list(self.space.steps)}
        if lang == self.source:  # its vectors stay where they are: models trained on it serve every mapping
            return own
        return own | {"lexicon": self.system.lexicon, "mapping": self.system.mapping}

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        features = self.space.features_of_all(langs)
        assert seed is not None
        if (folder / "model.json").is_file():
            trained = load_static(folder)
        else:
            trained = self._train(kind, train, dev, seed, features)
            save_static(folder, kind, self.system.models[kind].name, trained)
        assert trained.curve is not None
        return Model(
            lambda items, lang: trained.predict(items, self.space.features(lang)),
            {
                "train_seconds": trained.curve.seconds,
                "n_parameters": trained.n_parameters,
                "n_trained": trained.n_parameters,
            },
            {"model": self.system.models[kind].name,
             "settings": self._space_settings() | asdict(self.system.settings[kind]),
             "dev": trained.curve.dev, "best_epoch": trained.curve.best_epoch,
             "words": len(features.vectors), "dim": features.vectors.dim},
        )  # fmt: skip

    def _train(self, kind: str, train: Sequence[Any], dev: Sequence[Any], seed: int, features: WordFeatures) -> Any:
        trained = self.system.models[kind].train(
            train,
            dev,
            features,
            dev_scorer(kind),
            self.system.settings[kind],
            seed,
        )
        assert trained.curve is not None  # what was just trained has one
        if trained.curve.interrupted:
            raise KeyboardInterrupt  # half a training is no cell
        say(f"  dev {MAIN_METRIC[kind]} {max(trained.curve.dev):.2f}, {trained.curve.seconds:.0f} s")
        return trained


class EncoderRunner(ZeroShot):
    """Fine-tuned multilingual encoders."""

    def __init__(self, system: System, source: str, resolve: Resolver):
        self.system, self.source, self.resolve = system, source, resolve
        assert system.model is not None  # of an encoder
        self.model_name = system.model
        self.encoder = find_encoder(self.model_name, say=say)

    @cached_property
    def languages(self) -> EncoderLanguages:
        from comparisons.loading import load_config

        return EncoderLanguages(load_config(self.encoder))

    def why_not(self, lang: str) -> str | None:
        return self.languages.why_not(lang)

    def inputs(self, lang: str) -> list[Path]:
        files = sorted(path for path in self.encoder.folder.iterdir()
                       if path.suffix in (".safetensors", ".json", ".bin", ".model", ".txt"))  # fmt: skip
        return files + list(self._adapters(self.source, lang).values())

    def _adapters(self, *langs: str) -> dict[str, Path]:
        """Language adapters by language."""
        template = self.system.language_adapters
        return {} if template is None else {lang: self.resolve(template.format(lang=lang)) for lang in langs}

    def identity(self, lang: str) -> Any:
        return self.model_name if not Path(self.model_name).is_dir() else "folder"

    def model(
        self, kind: str, train: Sequence[Any], dev: Sequence[Any],
        seed: int | None, folder: Path, langs: tuple[str, ...]
    ) -> Model:  # fmt: skip
        from comparisons.finetune import finetune, load_finetuned

        assert seed is not None
        if (folder / "model.json").is_file():
            tuned = load_finetuned(folder)
        else:
            tuned = finetune(self.encoder, kind, train, dev, self.system.settings[kind], seed,
                             folder / "checkpoint", self._adapters(*langs))  # fmt: skip
            if tuned.interrupted:
                raise KeyboardInterrupt  # half a training is no cell
            tuned.save(folder)

        def predict(items: Sequence[Any], lang: str) -> list[Any]:
            tuned.language_adapters |= self._adapters(lang)
            return tuned.predict(items, f"{self.system.name} {lang}", lang)

        weights = next(iter(sorted(self.encoder.folder.glob("*.safetensors"))), None)
        return Model(
            predict,
            {
                "train_seconds": tuned.seconds,
                "n_parameters": tuned.n_parameters,
                "n_trained": tuned.n_trained,
            },
            {"curve": tuned.curve, "collapsed": tuned.collapsed, "origin": self.encoder.origin,
             "settings": asdict(tuned.settings), "precision": str(tuned.precision).removeprefix("torch."),
             "weights_sha256": sha256_of(weights) if weights else None},
        )  # fmt: skip
