"""Experiment files: which tasks, systems, languages and seeds, as TOML. The format is told in docs/experiments.md."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from baselines.corpora import KINDS, Item, read_items
from baselines.models import OPTION, ModelType, model_type, read_settings
from baselines.translation.base import route_of
from comparisons.finetune_settings import FinetuneSettings
from comparisons.import_conll import check_scheme
from comparisons.outside import fault_of_template
from comparisons.published import find_reference, published_rows
from xlembed.alignment.methods import method_of
from xlembed.errors import InputError, at
from xlembed.files import numbered_lines
from xlembed.languages import is_language_code

DIRECTIONS = ("train", "train-all", "test")
_LONGEST_NAME = 80  # bytes; a file name holds 255
NAME_RULE = f"letters, digits, - _ + are allowed, {_LONGEST_NAME} bytes at most (it names files)"
SYSTEM_TYPES = ("majority", "static", "encoder", "predictions")

Resolver = Callable[[str], Path]


@dataclass(frozen=True)
class DataPart:
    """A data file, or rows [start, end) of it."""

    file: str
    start: int = 0
    end: int | None = None

    def describe(self) -> str:
        if self.start == 0 and self.end is None:
            return self.file
        return f"{self.file} (rows {self.start}-{self.end if self.end is not None else 'end'})"


@dataclass(frozen=True)
class Task:
    """A task: training and dev data in the source language, one test file a language."""

    name: str
    kind: str
    targets: list[str]
    train: list[DataPart]
    dev: list[DataPart]
    test: str | dict[str, str]  # holds {lang}, or names a file a language
    published: str | None = None  # task name in published.csv
    reference: str | None = None  # a system in published.csv whose distance to ours the report shows
    note: str = ""

    def test_file(self, lang: str) -> str:
        """The test file of a language."""
        return self.test.format(lang=lang) if isinstance(self.test, str) else self.test[lang]


@dataclass(frozen=True)
class Translate:
    """How a system meets other languages in translation: `direction` is train, train-all or test."""

    direction: str
    route: str
    languages: list[str]
    options: dict[str, Any] = field(default_factory=dict)  # of the route, and project, vectors, lexicon, mapping


@dataclass(frozen=True)
class TargetData:
    """Labelled data of the target language itself: `k` sentences of it (few-shot), or all (the ceiling)."""

    train: str  # template with {lang}
    dev: str | None = None  # template with {lang}; None: the source's
    k: int | None = None
    source: bool = True  # together with the source's training data
    share: float = 0.1  # of the target's items, repeated, among the source's


@dataclass(frozen=True)
class System:
    """A system of one type; `settings` by task kind."""

    name: str
    type: str
    seeds: list[int]
    settings: dict[str, Any] = field(default_factory=dict)  # kind -> settings
    model: str | None = None  # encoder
    optional: bool = False  # encoder: go on without it where it cannot be had
    vectors: str | None = None  # static: template with {lang}
    languages: list[str] = field(default_factory=list)  # static: languages with vectors
    lexicon: str | None = None  # static: template with {lang}, or "identical"
    mapping: str = "procrustes"  # static: a method of `xlembed align`
    models: dict[str, ModelType] = field(default_factory=dict)  # static: kind -> tagger or classifier
    bli: str | None = None  # static: test lexicon, template with {lang}
    n_words: int | None = None
    translate: Translate | None = None  # static, encoder
    target: TargetData | None = None  # static, encoder
    language_adapters: str | None = None  # encoder: template with {lang} (MAD-X)
    files: str | None = None  # predictions: template with {lang}, and {task} and {seed} where there are several
    scheme: str = "iob2"  # predictions: tags of files without a header
    tasks: list[str] = field(default_factory=list)  # none: all
    resources: dict[str, float] | None = None  # of a cluster's worker, a cell: { GPU = 1 }; no part of a cell's key
    note: str = ""

    def takes(self, task: Task) -> bool:
        """Whether it is to run on a task."""
        return not self.tasks or task.name in self.tasks


@dataclass(frozen=True)
class Experiment:
    """What an experiment file says."""

    name: str
    title: str
    source: str
    tasks: list[Task]
    systems: list[System]
    data: str = "files"  # or "package:pocket"
    note: str = ""
    small: bool = False  # reports say that no conclusion is to be drawn

    def languages(self, task: Task) -> list[str]:
        """The source first, then the targets."""
        return [self.source, *[lang for lang in task.targets if lang != self.source]]


def is_name(text: Any) -> bool:
    """Whether files may be named after it."""
    if not isinstance(text, str) or not 0 < len(text.encode()) <= _LONGEST_NAME:
        return False
    return all(char.isalnum() or char in "-_+" for char in text)


def read_experiment(path: str | Path) -> Experiment:
    """Read and check an experiment file; InputError names the file and the key that is wrong."""
    text = "\n".join(line for _, line in numbered_lines(path))
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise at(path, None, "is not valid TOML: it is nested too deep") from None
    except ValueError as err:  # TOMLDecodeError, and whole numbers of thousands of digits
        raise at(path, None, f"is not valid TOML: {err}") from None
    try:
        return _experiment(raw)
    except InputError as err:
        raise at(path, None, str(err)) from None


def _experiment(raw: dict[str, Any]) -> Experiment:
    known = {"name", "title", "source", "data", "note", "small", "seeds", "task", "system"}
    _refuse_unknown(raw, known, "the experiment")
    name = _need(raw, "name", str, "the experiment")
    source = raw.get("source", "en")
    if not isinstance(source, str) or not is_language_code(source):
        raise InputError(f"source = {source!r}: an ISO 639 code such as de or hau is needed")
    seeds = _need({"seeds": [1], **raw}, "seeds", list, "the experiment")
    _check_types(raw, Experiment, "the experiment")
    tasks = [_task(task, source) for task in _tables(raw, "task")]
    systems = [_system(system, seeds) for system in _tables(raw, "system")]
    for what, named in (("task", tasks), ("system", systems)):
        names = [x.name for x in named]
        for one in names:
            if names.count(one) > 1:
                raise InputError(f"two {what}s are named {one!r}")
            if not is_name(one):
                raise InputError(f"{what} name {one!r}: {NAME_RULE}")
    for system in systems:
        for one in system.tasks:
            if one not in [task.name for task in tasks]:
                raise InputError(f"system {system.name!r}: tasks holds {one!r}, no task of that name is there")
    data = raw.get("data", "files")
    if data not in ("files", "package:pocket"):
        raise InputError(f"data = {data!r}: choose files or package:pocket")
    return Experiment(name, raw.get("title", name), source, tasks, systems, data,
                      raw.get("note", ""), bool(raw.get("small", False)))  # fmt: skip


def _task(raw: dict[str, Any], source: str) -> Task:
    where = f"task {raw.get('name', '?')!r}"
    _refuse_unknown(raw, {f.name for f in fields(Task)}, where)
    _check_types(raw, Task, where)
    kind = _need(raw, "kind", str, where)
    if kind not in KINDS:
        raise InputError(f"{where}: unknown kind {kind!r}: choose {', '.join(KINDS)}")
    targets = _codes(raw, "targets", where) if raw.get("targets") != [] else []  # none: within the source language
    test, published, reference = _test(raw, [source, *targets], where), raw.get("published"), raw.get("reference")
    if published is not None:
        rows = published_rows(published, targets)
        if reference is not None:
            find_reference(rows, reference)
    elif reference is not None:
        raise InputError(f"{where}: reference = {reference!r} needs published = TASK too")
    return Task(
        _need(raw, "name", str, where),
        kind,
        targets,
        _parts(raw, "train", where),
        _parts(raw, "dev", where),
        test,
        published,
        reference,
        raw.get("note", ""),
    )


def _test(raw: dict[str, Any], languages: list[str], where: str) -> str | dict[str, str]:
    """A template with {lang}, or a table with a file for each language."""
    test = raw.get("test")
    if isinstance(test, dict):
        for lang in languages:
            if not isinstance(test.get(lang), str):
                raise InputError(f"{where}: test names no file for {lang}")
        return test
    template: str = _need(raw, "test", str, where)
    if "{lang}" not in template:
        raise InputError(f"{where}: test = {template!r} must hold {{lang}}, or be a table of a file a language")
    _check_templates({"test": template}, ["test"], where)
    return template


def _codes(raw: dict[str, Any], key: str, where: str) -> list[str]:
    codes: list[str] = _need(raw, key, list, where)
    for code in codes:
        if not isinstance(code, str) or not is_language_code(code):
            raise InputError(f"{where}: {key} holds {code!r}, an ISO 639 code such as de or hau is needed")
    return codes


def _parts(raw: dict[str, Any], key: str, where: str) -> list[DataPart]:
    parts = []
    for part in _need(raw, key, list, where):
        if isinstance(part, str):
            parts.append(DataPart(part))
        elif isinstance(part, dict) and isinstance(part.get("file"), str):
            start, _, end = str(part.get("rows", ":")).partition(":")
            try:
                parts.append(DataPart(part["file"], int(start or 0), int(end) if end else None))
            except ValueError:
                raise InputError(f"{where}: rows = {part['rows']!r}, expected start:end") from None
        else:
            raise InputError(f"{where}: {key} holds {part!r}, a file name or {{file, rows}} is needed")
    if not parts:
        raise InputError(f"{where}: {key} is empty")
    return parts


def _system(raw: dict[str, Any], seeds: list[int]) -> System:
    where = f"system {raw.get('name', '?')!r}"
    known = ({f.name for f in fields(System)} - {"settings", "models"}) | set(KINDS) | set(OPTION.values())
    _refuse_unknown(raw, known, where)
    if "tasks" in raw and not (isinstance(raw["tasks"], list) and raw["tasks"]):
        raise InputError(f"{where}: tasks = {raw['tasks']!r}, a list of names of tasks is needed")
    _check_types(raw, System, where)
    _check_templates(raw, ["vectors", "lexicon", "bli", "language_adapters"], where)
    _need(raw, "name", str, where)
    kind = _need(raw, "type", str, where)
    if kind not in SYSTEM_TYPES:
        raise InputError(f"{where}: unknown type {kind!r}: choose {', '.join(SYSTEM_TYPES)}")
    seeds = raw.get("seeds", seeds)
    if kind == "predictions":
        check_scheme(raw.get("scheme", "iob2"))
        if "{seed}" not in _need(raw, "files", str, where) and "seeds" not in raw:
            seeds = [1]
    elif "files" in raw or "scheme" in raw:
        raise InputError(f"{where}: files and scheme are for systems of type predictions")
    if not seeds or not isinstance(seeds, list) or not all(map(_is_seed, seeds)) or len(set(seeds)) < len(seeds):
        raise InputError(f"{where}: seeds = {seeds!r}, different whole numbers from 0 to 2**32 - 1 are needed")
    if kind == "static":
        _codes(raw, "languages", where)
        for key in ("vectors", "lexicon"):
            _need(raw, key, str, where)
    if kind == "encoder":
        _need(raw, "model", str, where)
    models = {one: model_type(one, raw.get(OPTION[one])) for one in KINDS} if kind == "static" else {}
    if "mapping" in raw:
        method_of(raw["mapping"])
    for one in KINDS:
        if not isinstance(raw.get(one, {}), dict):
            raise InputError(f"{where}: {one} = {raw[one]!r}, a table of settings is needed")
    settings = {}
    if kind not in ("majority", "predictions"):
        for task_kind in KINDS:
            record = models[task_kind].settings if task_kind in models else FinetuneSettings
            settings[task_kind] = read_settings(record, raw.get(task_kind, {}), f"{where}, [{task_kind}]")
    elsewhere = {*KINDS, *OPTION.values(), "seeds", "translate", "target"}
    plain = {k: v for k, v in raw.items() if k not in elsewhere}
    translate = _translate(raw["translate"], kind, where) if "translate" in raw else None
    target = _target(raw["target"], kind, where) if "target" in raw else None
    if translate and target:
        raise InputError(f"{where}: translate and target exclude each other: make two systems of it")
    if "resources" in raw:
        _check_resources(raw["resources"], where)
    adapters = raw.get("language_adapters")
    if adapters is not None and (kind != "encoder" or not isinstance(adapters, str) or "{lang}" not in adapters):
        raise InputError(f"{where}: language_adapters = {adapters!r}: an encoder and a name with {{lang}} are needed")
    return System(**plain, seeds=list(seeds), settings=settings, models=models, translate=translate, target=target)


def _check_resources(raw: Any, where: str) -> None:
    amounts = raw.values() if isinstance(raw, dict) else [None]
    if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and n > 0 for n in amounts):
        raise InputError(f"{where}: resources = {raw!r}: a table of amounts is needed, {{ GPU = 1, MEMORY = 16e9 }}")


def _target(raw: Any, system_type: str, where: str) -> TargetData:
    where = f"{where}, target"
    if system_type not in ("static", "encoder") or not isinstance(raw, dict):
        raise InputError(f"{where}: a table for a static system or an encoder is needed")
    _refuse_unknown(raw, {f.name for f in fields(TargetData)}, where)
    _check_types(raw, TargetData, where)
    _check_templates(raw, ["train", "dev"], where)
    data = TargetData(**{"train": _need(raw, "train", str, where)} | raw)
    for name in (data.train, data.dev):
        if name is not None and "{lang}" not in name:
            raise InputError(f"{where}: {name!r} must hold {{lang}}")
    if data.k is not None and data.k < 1:
        raise InputError(f"{where}: k = {data.k!r}, a number of sentences is needed")
    if not isinstance(data.share, (int, float)) or isinstance(data.share, bool) or not 0 < data.share < 1:
        raise InputError(f"{where}: source must be true or false, and share between 0 and 1")
    return data


def _translate(raw: Any, system_type: str, where: str) -> Translate:
    where = f"{where}, translate"
    if system_type not in ("static", "encoder") or not isinstance(raw, dict):
        raise InputError(f"{where}: a table for a static system or an encoder is needed")
    direction, route = _need(raw, "direction", str, where), _need(raw, "route", str, where)
    if direction not in DIRECTIONS:
        raise InputError(f"{where}: direction = {direction!r}: choose {', '.join(DIRECTIONS)}")
    known = {field.name for field in fields(route_of(route).load()[1])} | {"project", "vectors", "lexicon", "mapping"}
    options = {key: value for key, value in raw.items() if key not in ("direction", "route", "languages")}
    _refuse_unknown(options, known, where)
    texts = {key: value for key, value in options.items() if isinstance(value, str)}
    _check_templates(texts, [key for key in texts if key != "model"], where)
    _check_templates(texts, ["model"], where, ("lang", "src", "trg"))
    for key in ("project", "vectors", "lexicon", "mapping"):
        if key in options and not isinstance(options[key], str):
            raise InputError(f"{where}: {key} = {options[key]!r}, text is needed")
    method_of(options.get("mapping", "vecmap"))
    return Translate(direction, route, _codes(raw, "languages", where), options)


def _need(raw: dict[str, Any], key: str, kind: type, where: str) -> Any:
    if key not in raw:
        raise InputError(f"{where} lacks {key!r}")
    if not isinstance(raw[key], kind) or not raw[key]:
        raise InputError(f"{where}: {key} = {raw[key]!r}, a non-empty {kind.__name__} is needed")
    return raw[key]


def _tables(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = _need(raw, key, list, "the experiment")
    for one in tables:
        if not isinstance(one, dict):
            raise InputError(f"{key} holds {one!r}, a table [[{key}]] is needed")
    return tables


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_seed(value: Any) -> bool:
    return _is_whole(value) and 0 <= value < 2**32


_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {  # a field's type -> whether a value has it, in words
    "str": (lambda value: isinstance(value, str), "text"),
    "str | None": (lambda value: isinstance(value, str), "text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int | None": (lambda value: _is_whole(value) and value > 0, "a whole number above 0"),
    "list[str]": (lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
                  "a list of texts"),
}  # fmt: skip


def _check_types(raw: dict[str, Any], record: type, where: str) -> None:
    """Raise InputError for a value of another type than the record's field; fields of records are checked elsewhere."""
    for one in fields(record):
        fits, words = _TYPES.get(str(one.type), (None, ""))
        if fits and one.name in raw and not fits(raw[one.name]):
            raise InputError(f"{where}: {one.name} = {raw[one.name]!r}, {words} is needed")


def _check_templates(raw: dict[str, Any], keys: Sequence[str], where: str, known: Sequence[str] = ("lang",)) -> None:
    for key in keys:
        fault = fault_of_template(raw[key], known) if key in raw else None
        if fault:
            raise InputError(f"{where}: {key} = {raw[key]!r} {fault}")


def _refuse_unknown(raw: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(raw) - known)
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")


# ---- reading the data that a task names


def read_parts(
    kind: str, parts: list[DataPart], lang: str, resolve: Resolver
) -> list[Item]:
    """All items of the parts, in order."""
    items: list[Any] = []
    for part in parts:
        whole = read_items(kind, resolve(part.file), lang)
        chosen = whole[part.start : part.end]
        if not chosen:
            raise InputError(f"{part.describe()}: the file has {len(whole)} items, none in these rows")
        items += chosen
    return items
