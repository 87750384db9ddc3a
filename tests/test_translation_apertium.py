import json
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from baselines.corpora import SentencePair, read_pairs
from baselines.translation.apertium import ApertiumSettings, list_modes, make
from baselines.translation.base import Translator, make_translator, translate_pairs
from xlembed.errors import InputError

HAS_PAIR = bool(shutil.which("apertium")) and "spa-eng" in subprocess.run(
    ["apertium", "-l"], capture_output=True, text=True).stdout  # fmt: skip
needs_pair = pytest.mark.skipif(not HAS_PAIR, reason="apertium and apertium-eng-spa are not installed")

HEAD = """#!/bin/bash
echo "$@" >> "$(dirname "$0")/calls"
case "$1" in
  -l) printf '  eng-spa\\n  spa-eng\\n'; exit 0;;
  -V) echo 'Apertium 0.0'; exit 0;;
esac
"""
FINE = "tr a-z A-Z"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a program named apertium on the path; its body reads texts and writes translations."""

    def install(body):
        program = tmp_path / "bin" / "apertium"
        program.parent.mkdir(exist_ok=True)
        program.write_text(HEAD + body + "\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return program.parent / "calls"

    return install


def batches(calls):
    return [line for line in calls.read_text().splitlines() if line not in ("-l", "-V")]


def test_a_process_a_batch_and_all_texts_in_order(fake):
    calls = fake(FINE)
    made = make("en", "es", ApertiumSettings(batch_size=2))
    assert isinstance(made, Translator)
    texts = ["b", "a\n\n  a", "", "b", "\t", "c", "d", "e"]
    assert made.translate(texts) == ["B", "A A", "", "B", "", "C", "D", "E"]
    assert batches(calls) == ["-u -f txt eng-spa"] * 3
    assert made.translate([]) == []


def test_marks_of_unknown_words_can_be_kept(fake):
    calls = fake(FINE)
    make("en", "es", ApertiumSettings(mark_unknown=True)).translate(["a"])
    assert batches(calls) == ["-f txt eng-spa"]


def test_a_lost_text_is_found_in_smaller_batches(fake):
    """The fake drops the first text of every batch of more than two."""
    calls = fake("input=$(cat; echo .); input=${input%.}\n"
                 "if [ $(printf %s \"$input\" | wc -l) -gt 4 ]; then printf %s \"$input\" | tail -n +3; "
                 "else printf %s \"$input\"; fi | tr a-z A-Z")  # fmt: skip
    texts = [f"text {letter}" for letter in "abcdefgh"]
    assert make("en", "es").translate(texts) == [text.upper() for text in texts]
    assert len(batches(calls)) == 1 + 2 + 4


def test_merged_texts_are_parted(fake):
    fake("sed '/merge/{n;d}' | tr a-z A-Z")
    with pytest.raises(InputError, match="failed on the text 'merge': 1 texts went in, 1 came out"):
        make("en", "es").translate(["a", "merge", "b"])


def test_a_text_that_is_always_lost_is_named(fake):
    fake("sed '/poison/,+1d'")
    with pytest.raises(InputError, match="apertium eng-spa failed on the text 'poison': 1 texts went in, 0 came out"):
        make("en", "es").translate(["a", "b", "poison", "c"])


def test_a_program_that_fails(fake):
    fake("echo 'the data\nis broken' >&2; exit 1")
    with pytest.raises(InputError, match="failed on the text 'a': exit code 1: the data is broken"):
        make("en", "es").translate(["a", "b"])


def test_a_program_that_stalls_is_ended_with_its_children(fake, tmp_path):
    fake(f"sleep 30 & echo $! > {tmp_path}/child; wait")
    started = time.monotonic()
    with pytest.raises(InputError, match="gave no answer within 0.3 s: raise the time-out, or lower the batch size"):
        make("en", "es", ApertiumSettings(timeout=0.3)).translate(["a"])
    assert time.monotonic() - started < 15
    state = Path("/proc") / (tmp_path / "child").read_text().strip() / "stat"
    for _ in range(100):
        if not state.is_file() or " Z " in state.read_text():
            return
        time.sleep(0.05)
    raise AssertionError("the child still runs")


def test_missing_programs_and_pairs_name_what_to_install(fake, tmp_path, monkeypatch):
    fake(FINE)
    with pytest.raises(InputError, match="no eng-cat, it has eng-spa, spa-eng: sudo apt-get install apertium"):
        make("en", "ca")
    with pytest.raises(InputError, match="no package for de-en is known"):
        make("de", "en")
    with pytest.raises(InputError, match="has no spa-eng_US"):
        make("es", "en", ApertiumSettings(mode="spa-eng_US"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="not installed: sudo apt-get install apertium apertium-eng-spa"):
        make_translator("apertium", "spa", "eng")


def test_identity(fake):
    fake(FINE)
    made = make("en", "es")
    about = made.identity()
    assert json.loads(json.dumps(about)) == about
    assert about["version"] == "Apertium 0.0" and about["mode"] == "eng-spa"
    assert make("en", "es", ApertiumSettings(mark_unknown=True)).identity() != about


def test_settings():
    with pytest.raises(InputError, match="at least 1"):
        ApertiumSettings(batch_size=0)


# ---- the real program


@needs_pair
def test_real_sentences_do_not_depend_on_their_neighbours():
    made = make("es", "en")
    texts = ["El gato negro duerme.", "sin punto al final", "¿Dónde está la casa roja?", "[x] ^cosa$ *raro @uno",
             "una palabra desconocidísima: zxcvb", "A.", "el coche del", "médico", "1,5 kg – 3%"]  # fmt: skip
    together = made.translate(texts)
    assert together == [made.translate([text])[0] for text in texts]
    assert together[0] == "The black cat sleeps."
    assert "*" not in together[4] and "zxcvb" in together[4]
    assert made.identity()["data"] is not None
    assert {"spa-eng", "eng-spa"} <= set(list_modes())


@needs_pair
def test_real_pairs_of_xnli(shared_data):
    pairs = read_pairs(shared_data / "nli" / "xnli" / "es.dev.tsv")[:60]
    translated = translate_pairs(pairs, make("es", "en"))
    assert [pair.label for pair in translated] == [pair.label for pair in pairs]
    assert all(isinstance(pair, SentencePair) and pair.premise and pair.hypothesis for pair in translated)
    assert sum(" the " in f" {pair.premise.lower()} " for pair in translated) > 20
