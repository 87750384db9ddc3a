"""The codes that translation systems know a language by."""

from __future__ import annotations

from dataclasses import dataclass

from xlembed.errors import InputError


@dataclass(frozen=True)
class Codes:
    """Three letters (ISO 639-3; Apertium), language_Script (NLLB-200), and what M2M100 uses; None where it lacks it."""

    three: str
    nllb: str
    m2m100: str | None


CODES = {
    "am": Codes("amh", "amh_Ethi", "am"), "ar": Codes("ara", "arb_Arab", "ar"), "ay": Codes("aym", "ayr_Latn", None),
    "bg": Codes("bul", "bul_Cyrl", "bg"), "bn": Codes("ben", "ben_Beng", "bn"), "ca": Codes("cat", "cat_Latn", "ca"),
    "cs": Codes("ces", "ces_Latn", "cs"), "da": Codes("dan", "dan_Latn", "da"), "de": Codes("deu", "deu_Latn", "de"),
    "el": Codes("ell", "ell_Grek", "el"), "en": Codes("eng", "eng_Latn", "en"), "eo": Codes("epo", "epo_Latn", None),
    "es": Codes("spa", "spa_Latn", "es"), "et": Codes("est", "est_Latn", "et"), "eu": Codes("eus", "eus_Latn", None),
    "fa": Codes("fas", "pes_Arab", "fa"), "fi": Codes("fin", "fin_Latn", "fi"), "fr": Codes("fra", "fra_Latn", "fr"),
    "gl": Codes("glg", "glg_Latn", "gl"), "gn": Codes("grn", "grn_Latn", None), "ha": Codes("hau", "hau_Latn", "ha"),
    "he": Codes("heb", "heb_Hebr", "he"), "hi": Codes("hin", "hin_Deva", "hi"), "hr": Codes("hrv", "hrv_Latn", "hr"),
    "hu": Codes("hun", "hun_Latn", "hu"), "id": Codes("ind", "ind_Latn", "id"), "ig": Codes("ibo", "ibo_Latn", "ig"),
    "it": Codes("ita", "ita_Latn", "it"), "ja": Codes("jpn", "jpn_Jpan", "ja"), "ko": Codes("kor", "kor_Hang", "ko"),
    "nl": Codes("nld", "nld_Latn", "nl"), "no": Codes("nob", "nob_Latn", "no"), "pl": Codes("pol", "pol_Latn", "pl"),
    "pt": Codes("por", "por_Latn", "pt"), "qu": Codes("que", "quy_Latn", None), "ro": Codes("ron", "ron_Latn", "ro"),
    "ru": Codes("rus", "rus_Cyrl", "ru"), "sv": Codes("swe", "swe_Latn", "sv"), "sw": Codes("swa", "swh_Latn", "sw"),
    "th": Codes("tha", "tha_Thai", "th"), "tr": Codes("tur", "tur_Latn", "tr"), "uk": Codes("ukr", "ukr_Cyrl", "uk"),
    "ur": Codes("urd", "urd_Arab", "ur"), "vi": Codes("vie", "vie_Latn", "vi"), "yo": Codes("yor", "yor_Latn", "yo"),
    "zh": Codes("zho", "zho_Hans", "zh"), "zu": Codes("zul", "zul_Latn", "zu"),
}  # fmt: skip
_THREE_LETTERS = {codes.three: code for code, codes in CODES.items()} | {"quy": "qu", "ayr": "ay", "swh": "sw"}


def codes_of(code: str) -> Codes:
    """The codes of a language by its ISO 639 code of two or three letters (sw, swa, hau). Raises InputError."""
    found = CODES.get(_THREE_LETTERS.get(code, code))
    if found is None:
        raise InputError(f"no translation codes are known for {code!r}: known are {', '.join(CODES)}")
    return found


def three_letters(code: str) -> str:
    """The three-letter code, the code itself where it is not known."""
    codes = CODES.get(_THREE_LETTERS.get(code, code))
    return codes.three if codes else code
