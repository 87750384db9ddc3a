"""Lists of negation words by language: short, written by hand, and no more than lists.

They hold the plain words (not, no, never, nobody, without) with their common inflected and contracted forms. Negation
inside a word (Turkish -me-, most of Swahili's ha-, English un-) is found only where the whole word is listed, and a
word that often means something else (French personne, Arabic ما, Chinese 非 as in 非常) is left out.
"""

from __future__ import annotations

UNSPACED = frozenset({"zh", "ja", "th"})  # no spaces between words: a listed string is looked for anywhere

_LISTS = {
    "ar": "لا لم لن ليس ليست ليسوا لست لسنا ليسا ولا ولم ولن وليس وليست فلا فلم فلن غير بدون دون أبدا أبداً كلا عدم",
    "bg": "не няма нямаше нито никога никой никого нищо никъде никак без нямат нямам",
    "de": "nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden niemandem nichts nirgends "
          "nirgendwo weder ohne nein keineswegs keinesfalls",
    "el": "δεν δε μη μην όχι ποτέ κανείς κανένας καμία κανένα τίποτα τίποτε πουθενά ούτε χωρίς δίχως",
    "en": "no not never none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt isnt arent wasnt "
          "werent havent hasnt hadnt wont wouldnt couldnt shouldnt aint",
    "es": "no nunca jamás nada nadie ningún ninguno ninguna ningunos ningunas ni sin tampoco",
    "fr": "ne n' pas jamais rien aucun aucune ni sans non nul nulle nulles",
    "hi": "नहीं नही न ना मत बिना बगैर नहीँ",
    "it": "non no mai niente nulla nessuno nessuna nessun né senza neanche nemmeno neppure",
    "nl": "niet geen nooit niets niks niemand nergens noch zonder nee",
    "pt": "não nunca jamais nada ninguém nenhum nenhuma nem sem",
    "ru": "не нет ни никогда никто никого никому ничего ничто нигде никак нельзя без",
    "sw": "si sio siyo sikuwa hapana hakuna hakukuwa hamna hana hawana sina hatuna huna haina hazina kamwe wala bila "
          "hawezi hawawezi haiwezi siwezi hatuwezi haiwezekani sijui hajui hatujui hawajui sijawahi hajawahi "
          "hawajawahi hakuwa hawakuwa haikuwa haikuwepo kutokuwa asiye wasio isiyo",
    "th": "ไม่ มิได้ อย่า",
    "tr": "değil değildi değildir değilim değiliz değiller yok yoktu yoktur hayır hiç hiçbir hiçbiri hiçbirini "
          "hiçbirşey hiçkimse asla olmadan olmayan olmadı olmaz olmadığını",
    "ur": "نہیں نہ مت بغیر نا",
    "vi": "không chưa chẳng chả đừng",
    "zh": "不 没 沒 无 無",
}  # fmt: skip

NEGATION_WORDS = {lang: frozenset(words.casefold().split()) for lang, words in _LISTS.items()}


def has_negation(text: str, words: list[str], lang: str) -> bool:
    """Whether a text holds a negation word of a language that NEGATION_WORDS has.

    `words` are the text's, case-folded. In English a word that ends in n't counts as well.
    """
    listed = NEGATION_WORDS[lang]
    if lang in UNSPACED:
        return any(one in text for one in listed)
    return any(word in listed or (lang == "en" and word.endswith("n't")) for word in words)
