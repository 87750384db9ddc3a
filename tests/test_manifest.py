"""The manifest that is shipped, the reader of manifests, names, patterns, and the converters."""

from __future__ import annotations

import tomllib

import pytest
from conftest import ROOT

from xlembed.convert import convert, is_known
from xlembed.errors import InputError
from xlembed.fetch import problem
from xlembed.manifest import DataFile, archive_of, checked_name, read_manifest, select, unknown_name

SHA = "a" * 64
ZIP = f"archives/a.zip\thttps://x.org/a.zip\t10\t{SHA}\tCC0\t-\tas-is"
MEMBER = "ner/a.tsv\thttps://x.org/a.zip#in/a.tsv\t-\t-\tCC0\tdemo,study\tas-is"
PLAIN = "bli/b.txt\t-\t-\t-\t-\tdemo\tas-is"


def written(tmp_path, *lines: str):
    path = tmp_path / "m.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


# ---- reading


def test_a_line_becomes_a_record(tmp_path):
    files = read_manifest(written(tmp_path, "# about", "", ZIP, MEMBER, PLAIN))
    assert list(files) == ["archives/a.zip", "ner/a.tsv", "bli/b.txt"]
    member = files["ner/a.tsv"]
    assert member == DataFile(
        "ner/a.tsv", "https://x.org/a.zip#in/a.tsv", None, None, "CC0", ("demo", "study"), "as-is"
    )
    assert (member.address, member.member, member.package) == ("https://x.org/a.zip", "in/a.tsv", None)
    assert archive_of(member, files) is files["archives/a.zip"]
    assert files["archives/a.zip"].n_bytes == 10 and files["archives/a.zip"].member is None
    assert files["bli/b.txt"] == DataFile("bli/b.txt", None, None, None, None, ("demo",))
    assert files["bli/b.txt"].address is None


def test_a_file_of_a_package(tmp_path):
    line = "e/t.json\tpypi:some-thing==1.0#inside/t.json\t3\t-\tMIT\t-\tas-is"
    file = read_manifest(written(tmp_path, line))["e/t.json"]
    assert file.package == ("some-thing", "1.0", "inside/t.json")
    assert file.address is None and file.member is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.txt", r"m\.txt:2: expected 7 columns .*, found 1"),
        (PLAIN + "\t-", "found 8"),
        (PLAIN.replace("\t-\t-", "\t\t-", 1), "expected 7 columns"),
        (PLAIN.replace("\t", " "), "expected 7 columns"),
        (PLAIN.replace("demo", " demo"), "expected 7 columns"),
        (PLAIN.replace("bli/b.txt", "/etc/passwd"), "'/etc/passwd' is no plain relative path"),
        (PLAIN.replace("bli/b.txt", "../b.txt"), "no plain relative path"),
        (PLAIN.replace("bli/b.txt", "a/../../b.txt"), "no plain relative path"),
        (PLAIN.replace("bli/b.txt", "C:b.txt"), "no plain relative path"),
        (PLAIN.replace("bli/b.txt", "a\\b.txt"), "no plain relative path"),
        (ZIP, r"m\.txt:2: archives/a\.zip is on line 1 already"),
        (MEMBER.replace("a.zip", "other.zip"), r"m\.txt:2: no line lists the archive https://x.org/other.zip"),
        (MEMBER.replace("#in/", "#../"), "no plain relative path"),
        (PLAIN.replace("\t-", "\tftp://x.org/b", 1), "source 'ftp://x.org/b' is none of"),
        (PLAIN.replace("\t-", "\tpypi:thing", 1), "source 'pypi:thing' is none of"),
        (PLAIN.replace("\t-\t-\t-", "\t-\t1e3\t-"), "bytes '1e3' is not a number"),
        (PLAIN.replace("\t-\t-\t-", "\t-\t-5\t-"), "bytes '-5' is not a number"),
        (PLAIN.replace("\t-\t-\t-", f"\t-\t-\t{SHA.upper()}"), "is not 64 hexadecimal digits"),
        (PLAIN.replace("as-is", "rot13"), "unknown form 'rot13'"),
    ],
)
def test_malformed_lines_are_named(tmp_path, line, message):
    with pytest.raises(InputError, match=message):
        read_manifest(written(tmp_path, ZIP, line))


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match=r"m\.txt: no such file"):
        read_manifest(tmp_path / "m.txt")


CLIMBING = ["", "/a", "a/", "a//b", "./a", "..", "a/..", "../a", "a\\b", "C:/a", "C:a", "a\0b"]


@pytest.mark.parametrize("name", CLIMBING)
def test_names_that_leave_their_folder(name):
    with pytest.raises(InputError, match="no plain relative path"):
        checked_name(name)


def test_names_that_may_be():
    for name in ("a", "a/b.c", "a/..b", "über/日本.tsv", "with space.txt"):
        assert checked_name(name) == name


# ---- choosing


@pytest.fixture
def files(tmp_path):
    return read_manifest(written(tmp_path, ZIP, MEMBER, PLAIN))


def test_select_keeps_the_order_of_the_manifest(files):
    assert [file.name for file in select(files)] == list(files)
    assert [file.name for file in select(files, ["bli/b.txt", "*a*", "ner/a.tsv"])] == [
        "archives/a.zip",
        "ner/a.tsv",
        "bli/b.txt",
    ]
    assert [file.name for file in select(files, ["n*"])] == ["ner/a.tsv"]


def test_select_by_user(files):
    assert [file.name for file in select(files, used_by="demo")] == ["ner/a.tsv", "bli/b.txt"]
    assert [file.name for file in select(files, ["*.txt"], used_by="demo")] == ["bli/b.txt"]
    with pytest.raises(InputError, match="--used-by dem: unknown to the data manifest.* has: demo, study"):
        select(files, used_by="dem")
    with pytest.raises(InputError, match="none of the 1 files named is used by it"):
        select(files, ["bli/b.txt"], used_by="study")


def test_unknown_names_come_with_the_nearest(files):
    with pytest.raises(InputError, match=r"ner/a\.txt: not in the data manifest \(nearest: ner/a\.tsv"):
        select(files, ["ner/a.txt"])
    with pytest.raises(InputError, match="`xlembed data list` shows all"):
        select(files, ["zzzzzzzz*"])
    assert "nearest" in str(unknown_name("bli/c.txt", files))


# ---- the manifest that is shipped


def test_the_two_copies_are_identical():
    assert (ROOT / "data_manifest.txt").read_bytes() == (ROOT / "xlembed" / "data_manifest.txt").read_bytes()


def test_the_shipped_manifest_reads():
    files = read_manifest()
    assert {"ner/wikiann/en/train.tsv", "nli/xnli/sw.test.tsv", "vectors/wiki.en.vec"} <= set(files)
    for file in files.values():
        assert file.licence is not None
        # what is neither at a public address nor in a package must at least be recognisable
        assert file.source is not None or file.sha256 is not None


def test_the_experiment_that_ships_is_in_the_manifest():
    experiment = tomllib.loads((ROOT / "experiments" / "wikiann-xnli.toml").read_text(encoding="utf-8"))
    names = set()
    for task in experiment["task"]:
        parts = [part if isinstance(part, str) else part["file"] for part in task["train"] + task["dev"]]
        tested = [experiment["source"], *task["targets"]]
        names |= {*parts, *(task["test"].format(lang=lang) for lang in tested)}
    for system in experiment["system"]:
        targets = [lang for lang in system.get("languages", []) if lang != experiment["source"]]
        if "vectors" in system:
            names |= {system["vectors"].format(lang=lang) for lang in system["languages"]}
            names |= {system[key].format(lang=lang) for key in ("lexicon", "bli") if key in system for lang in targets}
        if "translations" in system.get("translate", {}):
            translate = system["translate"]
            names |= {translate["translations"].format(lang=lang) for lang in translate["languages"]}
    used = {file.name for file in select(read_manifest(), used_by="wikiann-xnli")}
    assert names <= used


def test_the_real_slices_are_those_of_the_manifest(shared_data):
    n_checked = 0
    for file in read_manifest().values():
        path = shared_data / file.name
        if path.is_file() and path.stat().st_size < 2_000_000:  # more: `xlembed data verify --mirror`
            assert problem(file, path) is None
            assert file.sha256 is not None
            n_checked += 1
    assert n_checked > 50


# ---- converters


def converted(tmp_path, form: str, text: str) -> str:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(text.encode())
    convert(form, source, target)
    return target.read_bytes().decode()


def test_wikiann_loses_its_index(tmp_path):
    text = "0\tR.H.\tB-ORG\n1\t10\u00a0000\tO\n\n0\t\u2028\tO\n\n"
    assert converted(tmp_path, "wikiann-columns", text) == "R.H.\tB-ORG\n10\u00a0000\tO\n\n\u2028\tO\n\n"


def test_wikiann_back_and_forth_on_the_real_slice(tmp_path, shared_data):
    real = (shared_data / "ner/wikiann/es/dev.tsv").read_bytes().decode()
    indexed, index = [], 0
    for line in real.split("\n")[:-1]:
        indexed.append(f"{index}\t{line}" if line else "")
        index = index + 1 if line else 0
    public = "".join(f"{line}\n" for line in indexed)
    assert len(public) == 789_702  # characters of Babelscape/wikineural's data/wikiann/es/val.conllu
    assert converted(tmp_path, "wikiann-columns", public) == real


# the columns of XNLI-1.0's xnli.dev.tsv, as far as they matter
XNLI = (
    "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t"
    "sentence1\tsentence2\tpromptID\tpairID\tgenre\tlabel1\n"
    "ar\tneutral\t\t\t\t\tأ\tب\t1\t1\tfacetoface\tneutral\n"
    'de\tneutral\t\t\t\t\t"Ja ,\tNein \t1\t1\tfacetoface\tneutral\n'
    "de\tentailment\t\t\t\t\tEins\u00a0\tZwei\t1\t2\tfiction\tneutral\n"
)


def test_xnli_one_language(tmp_path):
    assert converted(tmp_path, "xnli-language:de", XNLI) == (
        'genre\tlabel\tpremise\thypothesis\nfacetoface\tneutral\t"Ja ,\tNein \n'
        "fiction\tentailment\tEins\u00a0\tZwei\n"
    )


def test_multinli_leaves_rows_without_agreement_out(tmp_path):
    text = "gold_label\tsentence1\tsentence2\tgenre\nneutral\tA\tB\tfiction\n-\tC\tD\tslate\n"
    expected = "genre\tlabel\tpremise\thypothesis\nfiction\tneutral\tA\tB\n"
    assert converted(tmp_path, "nli-columns", text) == expected


def test_word_pairs_get_one_space(tmp_path):
    text = "the die\nthe\tder\nnew \t york\u00a0city \n"
    assert converted(tmp_path, "word-pairs", text) == "the die\nthe der\nnew york\u00a0city\n"


def test_labelled_pairs_get_a_header(tmp_path):
    text = "A\tB\tneutral\nC\tD\t-\n"
    assert converted(tmp_path, "labelled-pairs", text) == "premise\thypothesis\tlabel\nA\tB\tneutral\n"


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("wikiann-columns", "0\ta\tO\na\tO\n", "source:2: expected index, token and tag, found 2 columns"),
        ("xnli-language:fr", XNLI, "holds no row of the language fr"),
        ("xnli-language:de", XNLI.replace("\tgenre\t", "\tgen\t"), "the header has no column genre"),
        ("xnli-language:de", XNLI + "de\tneutral\n", "source:5: has 2 columns, the header has 12"),
        ("nli-columns", "", "the header has no column genre, gold_label, sentence1, sentence2"),
        ("nli-columns", "gold_label\tsentence1\tsentence2\tgenre\n", "holds no row"),
        ("word-pairs", "the die\nthe\n", "source:2: expected two words, found 1"),
        ("labelled-pairs", "a\tb\n", "source:1: expected premise, hypothesis and label, found 2"),
        ("labelled-pairs", "a\tb\tc\td\n", "found 4"),
        ("rot13", "a", "no converter 'rot13'"),
    ],
)
def test_sources_that_are_something_else(tmp_path, form, text, message):
    with pytest.raises(InputError, match=message):
        converted(tmp_path, form, text)


def test_forms_that_are_known():
    known = ["as-is", "wikiann-columns", "xnli-language:de", "nli-columns", "word-pairs", "labelled-pairs"]
    assert all(map(is_known, known))
    assert not any(map(is_known, ["", "xnli-language", "xnli-language:", "xnli-language:DE", "as_is"]))
