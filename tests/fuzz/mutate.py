"""Changes of a valid file that a hostile or a careless hand would make, each told by whole numbers alone."""

from __future__ import annotations

import gzip
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Sequence

Step = tuple[int, int, int]  # which change, where, how: any whole numbers

TEXTS = (
    "\0", "\n", "\n\n", "\r\n", "\r", "\t", " ", "  ", "\v", "\f", "\x1c", "\x85", "\x1b[31m", "\x1b]0;x\x07",
    "\ufeff", "\u00a0", "\u3000", "\u2028", "\u200d", "\u202e", "\u0301", "١", "１", "𝟙", "ﷺ", "\U0010ffff",
    "0", "1", "-1", "2", "127", "4096", "65536", "2147483647", "4294967295", "9223372036854775807",
    "999999999999999999", "1000000000000", "18446744073709551616", "1" * 400, "1" * 5000, "0.1", "1e5", "1e38", "1e39",
    "1e400", "-1e400", "1e-400", "1e-46", "0." + "3" * 30, "nan", "NaN", "inf", "Infinity", "-inf", "1_0", "0x10",
    "1.", ".5", "+1", "--1", "1e", "1e+", "[" * 3000, "{\"a\":" * 3000, "[", "]", "{", "}", "[]", "{}", "[[]]", "[{}]",
    "\"", "'", "'''", "\"\"", "\\", "\\u0000", "\\ud800", "\\n", "/", "../", "/etc/passwd", "..\\", "C:", "//", ".",
    "null", "true", "false", "=", ",", ":", ";", "#", "-", "_", "|", "`", "*", "<", "&", "$", "%s",
    "<script>alert(1)</script>", "</script>", "javascript:alert(1)", "{lang}", "{lang:>9999999999}", "{lang!r}",
    "{lang.__class__}", "{0}", "{task}", "{seed}", "O", "B-X", "I-X", "B-", "E-X", "-DOCSTART-", "en:", "de:",
    "w" * 300,
)  # fmt: skip
TOKENS = tuple(text.encode() for text in TEXTS) + (b"\xff", b"\xfe\xff", b"\xed\xa0\x80", b"\xc3", b"\x80", b"\xf4\x90")
_NUMBERS = (0, 1, 2, 4, 16, 127, 255, 256, 4096, 65535, 2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63,
            2**64 - 1)  # fmt: skip
_FORMS = ("<B", "<H", "<I", "<Q", ">I", ">Q")
_VALUES = (None, True, False, 0, -1, 1, 2**31, 10**12, 10**400, 0.5, -0.0, "", "x", "../x", "\x1b[31m", "\u202e", [],
           {}, [[]], [{}], [0], ["x"], {"x": 0}, [None], [-1, 10**12], "a\nb", "w" * 300)  # fmt: skip
_KEYS = (  # that transformers and its tokenizers obey, most of them in no file of ours
    "auto_map", "trust_remote_code", "tokenizer_class", "model_type", "architectures", "quantization_config",
    "attn_implementation", "_attn_implementation", "experts_implementation", "transformers_weights", "custom_generate",
    "return_dict", "use_return_dict", "output_hidden_states", "is_decoder", "is_encoder_decoder", "tie_word_embeddings",
    "torch_dtype", "dtype", "sub_configs", "text_config", "num_labels", "id2label", "chunk_size_feed_forward",
    "pruned_heads", "default_language", "num_return_sequences", "num_beam_groups", "penalty_alpha", "assistant_model",
    "forced_bos_token_id", "bad_words_ids", "max_length", "min_length", "max_time", "stop_strings",
    "cache_implementation", "return_dict_in_generate", "do_sample", "vocab_file", "tokenizer_file", "init_inputs",
    "added_tokens_decoder",
    "extra_special_tokens", "additional_special_tokens", "chat_template", "name_or_path", "unk_token", "pad_token",
    "truncation", "padding", "dropout", "pre_tokenizer", "decoder", "normalizer", "post_processor", "fix_mistral_regex",
    "model_max_length", "encoder", "language_adapters", "curve", "rank", "method", "weights_sha256", "",
)  # fmt: skip


def mutated(data: bytes, steps: Sequence[Step], limit: int = 1 << 16) -> bytes:
    """The file after all steps, cut at `limit` bytes."""
    for kind, place, how in steps:
        data = CHANGES[kind % len(CHANGES)](data, place, how)[:limit]
    return data


def _insert(data: bytes, place: int, how: int) -> bytes:
    at = place % (len(data) + 1)
    return data[:at] + TOKENS[how % len(TOKENS)] + data[at:]


def _replace(data: bytes, place: int, how: int) -> bytes:
    """Put something odd in place of a run of letters and digits, or of another byte."""
    if not data:
        return data
    begin = end = place % len(data)
    while begin and data[begin - 1 : begin].isalnum():
        begin -= 1
    while data[end : end + 1].isalnum():
        end += 1
    return data[:begin] + TOKENS[how % len(TOKENS)] + data[max(end, begin + 1) :]


def _flip(data: bytes, place: int, how: int) -> bytes:
    at = place % max(1, len(data))
    return data[:at] + bytes(byte ^ (1 << how % 8) for byte in data[at : at + 1]) + data[at + 1 :]


def _set_byte(data: bytes, place: int, how: int) -> bytes:
    at = place % max(1, len(data))
    return data[:at] + bytes([how % 256]) * (at < len(data)) + data[at + 1 :]


def _cut(data: bytes, place: int, how: int) -> bytes:
    return data[: place % (len(data) + 1)]


def _remove(data: bytes, place: int, how: int) -> bytes:
    at = place % (len(data) + 1)
    return data[:at] + data[at + 1 + how % 16 :]


def _repeat(data: bytes, place: int, how: int) -> bytes:
    at = place % (len(data) + 1)
    piece = data[at : at + 1 + how % 40]
    return data[:at] + piece * (2 + how % 3) + data[at + len(piece) :]


def _line_twice(data: bytes, place: int, how: int) -> bytes:
    lines = data.split(b"\n")
    at, other = place % len(lines), how % len(lines)
    lines.insert(other, lines[at])
    return b"\n".join(lines)


def _line_away(data: bytes, place: int, how: int) -> bytes:
    lines = data.split(b"\n")
    del lines[place % len(lines)]
    return b"\n".join(lines)


def _binary_number(data: bytes, place: int, how: int) -> bytes:
    """A number at its greatest or smallest, over what stands there."""
    form = _FORMS[how % len(_FORMS)]
    size = struct.calcsize(form)
    raw = struct.pack(form, _NUMBERS[how // len(_FORMS) % len(_NUMBERS)] % 2 ** (8 * size))
    at = place % max(1, len(data) - size + 1)
    return (data[:at] + raw + data[at + size :])[: len(data)]


def _json_value(data: bytes, place: int, how: int) -> bytes:
    """One value of a JSON document, or of one of its lines, of another type or size."""
    lines = data.split(b"\n") if b"}\n{" in data else [data]
    number = place % len(lines)
    try:
        value = json.loads(lines[number])
    except (ValueError, RecursionError):
        return data
    lines[number] = json.dumps(_changed(value, place // len(lines), how), ensure_ascii=False).encode(errors="replace")
    return b"\n".join(lines)


def _json_key(data: bytes, place: int, how: int) -> bytes:
    """A key that some reader obeys, put into one of the objects of a JSON document."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return data
    objects, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        objects += [one] if isinstance(one, dict) else []
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
    if not objects:
        return data
    key = _KEYS[how % len(_KEYS)]
    values = (*_VALUES, "org/code--x.It", "x.bin", "/etc/passwd", ["x.It", None], {"AutoModel": "x.It"}, key)
    objects[place % len(objects)][key] = values[how // len(_KEYS) % len(values)]
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _changed(value: object, place: int, how: int) -> object:
    """Walk down from the top, a branch for each remainder of `place`, and put another value at the end."""
    if isinstance(value, (dict, list)) and value and place:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[place % len(keys)]
        if how % 7 == 0 and place // len(keys) % 5 == 0:
            del value[key]
        else:
            value[key] = _changed(value[key], place // len(keys), how)
        return value
    return _VALUES[how % len(_VALUES)]


def _header(data: bytes, place: int, how: int) -> bytes:
    """The JSON header of a safetensors file changed, its length set right."""
    n = int.from_bytes(data[:8], "little")
    if not 8 < n + 8 <= len(data):
        return data
    change = (_json_value, _replace, _insert)[how % 3]
    header = change(data[8 : 8 + n], place, how // 3)
    return len(header).to_bytes(8, "little") + header + data[8 + n :]


def _inside(data: bytes, place: int, how: int) -> bytes:
    """What is compressed changed inside, and compressed again."""
    packer = next((packer for magic, packer in _PACKERS.items() if data.startswith(magic)), None)
    if packer is None:
        return data
    try:
        inner = packer.decompress(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return data
    changed = mutated(inner, [(place % 97, place // 97, how)])
    return packer.compress(changed)


_PACKERS = {b"\x1f\x8b": gzip, b"\xfd7zXZ": lzma}
CHANGES: tuple[Callable[[bytes, int, int], bytes], ...] = (
    _insert, _replace, _flip, _set_byte, _cut, _remove, _repeat, _line_twice, _line_away, _binary_number, _json_value,
    _header, _inside, _replace, _json_key, _json_value,
)  # fmt: skip
