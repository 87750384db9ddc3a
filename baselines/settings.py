"""Settings of the static systems, apart from them so that reading an experiment does not load torch."""

from __future__ import annotations

from dataclasses import dataclass

from xlembed.errors import InputError


@dataclass(frozen=True)
class TrainSettings:
    """Settings that every network shares."""

    hidden: int = 256
    dropout: float = 0.3
    lr: float = 1e-3
    weight_decay: float = 1e-4
    batch_size: int = 256
    max_epochs: int = 20
    patience: int = 3

    def __post_init__(self) -> None:
        if min(self.hidden, self.batch_size, self.max_epochs, self.patience) < 1:
            raise InputError("hidden, batch_size, max_epochs and patience must be at least 1")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout = {self.dropout}, it must be at least 0 and below 1")
        if not self.lr > 0 or not self.weight_decay >= 0:
            raise InputError(f"lr = {self.lr}, weight_decay = {self.weight_decay}: above 0, and at least 0, are needed")


@dataclass(frozen=True)
class WindowSettings(TrainSettings):
    """`radius` words on either side are seen."""

    radius: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.radius < 0:
            raise InputError(f"radius = {self.radius}, at least 0 is needed")


@dataclass(frozen=True)
class BilstmSettings(TrainSettings):
    """`hidden` units a direction; characters are read by `char_filters` filters over `char_width` characters.

    char_filters = 0 leaves characters out. A share `word_dropout` of the words' vectors is replaced by the learnt
    unknown vector in training, so that it is learnt, and the context with it.
    """

    hidden: int = 128
    dropout: float = 0.4
    lr: float = 2e-3
    batch_size: int = 32
    max_epochs: int = 30
    char_dim: int = 24
    char_filters: int = 48
    char_width: int = 3
    word_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.char_dim, self.char_width) < 1 or self.char_filters < 0:
            raise InputError("char_dim and char_width must be at least 1, char_filters at least 0")
        if not 0 <= self.word_dropout < 1:
            raise InputError(f"word_dropout = {self.word_dropout}, it must be at least 0 and below 1")


@dataclass(frozen=True)
class CrfSettings:
    """A linear-chain CRF fitted by L-BFGS under an L2 penalty.

    `penalty` is the factor of the sum of squares; dev is scored every `evaluate_every` iterations, and after
    `patience` scores without a rise the fit ends. `affixes` and `words` say whether prefixes and suffixes, and the
    words themselves, are features (both seen `min_count` times or more); `clusters` are the sizes of the k-means
    clusterings of the vectors. Words `radius` to either side are seen.
    """

    penalty: float = 0.5
    max_iterations: int = 200
    evaluate_every: int = 10
    patience: int = 3
    radius: int = 2
    affixes: bool = True
    words: bool = True
    min_count: int = 2
    clusters: tuple[int, ...] = (64, 512)

    def __post_init__(self) -> None:
        if min(self.max_iterations, self.evaluate_every, self.patience, self.min_count) < 1 or self.radius < 0:
            raise InputError("max_iterations, evaluate_every, patience and min_count must be at least 1, radius 0")
        if not self.penalty >= 0:
            raise InputError(f"penalty = {self.penalty}, at least 0 is needed")
        object.__setattr__(self, "clusters", tuple(self.clusters))  # a list, from TOML
        if any(not isinstance(k, int) or k < 2 for k in self.clusters):
            raise InputError(f"clusters = {list(self.clusters)}, numbers of at least 2 are needed")


WEIGHTINGS = ("mean", "sif", "idf")


@dataclass(frozen=True)
class MeanSettings(TrainSettings):
    """`weighting` of the words in a sentence's vector: mean, sif (Arora et al. 2017) or idf."""

    dropout: float = 0.5
    lr: float = 5e-4
    max_epochs: int = 30
    patience: int = 5
    weighting: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weighting not in WEIGHTINGS:
            raise InputError(f"weighting = {self.weighting!r}: choose {', '.join(WEIGHTINGS)}")


@dataclass(frozen=True)
class TextSettings(MeanSettings):
    """Those of `MeanSettings`, for single texts."""

    hidden: int = 64
    weighting: str = "idf"


@dataclass(frozen=True)
class PairSettings(TrainSettings):
    """Word vectors pass through a trained projection onto `projection` dimensions.

    A share `word_dropout` of them is replaced by the learnt unknown vector in training. `alignment` adds what
    the cosines between the words of either sentence say.
    """

    projection: int = 200
    word_dropout: float = 0.05
    alignment: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projection < 1:
            raise InputError("projection must be at least 1")
        if not 0 <= self.word_dropout < 1:
            raise InputError(f"word_dropout = {self.word_dropout}, it must be at least 0 and below 1")


@dataclass(frozen=True)
class AttentionSettings(PairSettings):
    """`hidden` units in each of the three networks: attend, compare, aggregate."""

    hidden: int = 200
    dropout: float = 0.2
    batch_size: int = 128
    patience: int = 5


@dataclass(frozen=True)
class BilstmPairSettings(PairSettings):
    """`units` of the LSTM a direction, `hidden` of the network above it."""

    units: int = 128
    batch_size: int = 128
    max_epochs: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.units < 1:
            raise InputError("units must be at least 1")
