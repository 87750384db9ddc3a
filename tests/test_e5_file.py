import struct

import numpy as np
import pytest

from comparisons.e5_file import bert_config, dequantize_q4, read_e5
from xlembed.errors import InputError

HIDDEN, LAYERS, FEED, VOCAB, POSITIONS, TYPES = 32, 1, 64, 6, 5, 2


def quantize_q4(values):
    """The slow obvious Q4_0 encoder: blocks of 32, scale = greatest magnitude / -8, nibbles around 8."""
    raw, decoded = b"", []
    for block in np.asarray(values, dtype=np.float32).reshape(-1, 32):
        scale = np.float16(block[np.abs(block).argmax()] / -8)
        nibbles = [int(np.clip(round(float(x) / float(scale)) + 8, 0, 15)) if scale else 8 for x in block]
        raw += np.array([scale], dtype="<f2").tobytes()
        raw += bytes(nibbles[j] | nibbles[j + 16] << 4 for j in range(16))
        decoded += [(n - 8) * np.float32(scale) for n in nibbles]
    return raw, np.array(decoded, dtype=np.float32)


def tensors_of_a_tiny_model(rng):
    shapes = {"emb.word": (VOCAB, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN),
              "emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}  # fmt: skip
    for name, shape in {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN),
                        "ao": (HIDDEN, HIDDEN), "fi": (FEED, HIDDEN), "fo": (HIDDEN, FEED)}.items():  # fmt: skip
        shapes |= {f"l0.{name}.w": shape, f"l0.{name}.b": shape[:1]}
    for name in ("aln", "oln"):
        shapes |= {f"l0.{name}.w": (HIDDEN,), f"l0.{name}.b": (HIDDEN,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_e5(path, tensors, quantized=("emb.word", "l0.q.w", "l0.fi.w", "l0.fo.w")):
    """A file of the format, with a tokenizer section to be skipped; returns what should be read."""
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, 2, FEED, VOCAB, POSITIONS, TYPES, 1e-12, 32)
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, 7) + b"\0" * (3 * 4 + 2 * 4) + b"abcdefg"
    head += struct.pack("<iI", 1, 5) + b"table"
    bodies, expected = {}, {}
    for name, values in tensors.items():
        if name in quantized:
            bodies[name], flat = quantize_q4(values)
            expected[name] = flat.reshape(values.shape)
        else:
            bodies[name], expected[name] = values.astype("<f4").tobytes(), values
    length = len(head) + 4 + sum(2 + len(name) + 21 for name in tensors)
    directory, offset = struct.pack("<i", len(tensors)), length
    for name, body in bodies.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", int(name in quantized), tensors[name].size, offset, len(body))
        offset += len(body)
    path.write_bytes(head + directory + b"".join(bodies.values()))
    return expected


def test_q4_blocks_decode_as_the_slow_encoder_says():
    raw, expected = quantize_q4(np.random.default_rng(0).normal(size=320))
    assert np.array_equal(dequantize_q4(np.frombuffer(raw, dtype=np.uint8)), expected)


def test_nibble_order_by_hand():
    block = np.array([2.0], "<f2").tobytes() + bytes([0x1F] + [0x88] * 15)  # weight 0: 15, weight 16: 1
    values = dequantize_q4(np.frombuffer(block, dtype=np.uint8))
    assert values[0] == 14 and values[16] == -14 and not values[1:16].any() and not values[17:].any()


def test_a_tiny_file_becomes_a_bert_model(tmp_path):
    import torch
    from transformers import BertConfig, BertModel

    tensors = tensors_of_a_tiny_model(np.random.default_rng(1))
    expected = write_e5(tmp_path / "e5.bin", tensors)
    shape, found = read_e5(tmp_path / "e5.bin")
    assert (shape.hidden, shape.layers, shape.feed_forward, shape.vocabulary) == (HIDDEN, LAYERS, FEED, VOCAB)
    assert np.array_equal(found["embeddings.word_embeddings.weight"], expected["emb.word"])
    assert np.array_equal(found["encoder.layer.0.intermediate.dense.weight"], expected["l0.fi.w"])
    assert np.array_equal(found["encoder.layer.0.output.LayerNorm.bias"], expected["l0.oln.b"])
    model = BertModel(BertConfig(**bert_config(shape)), add_pooling_layer=False)
    missing, unexpected = model.load_state_dict({k: torch.from_numpy(v) for k, v in found.items()}, strict=False)
    assert not unexpected and not missing


@pytest.mark.parametrize("keep", [3, 20, 60, 100, 400, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "e5.bin"
    write_e5(path, tensors_of_a_tiny_model(np.random.default_rng(1)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="cut short or damaged|not an E5S1"):
        read_e5(path)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(InputError, match="is not an E5S1 weight file"):
        read_e5(tmp_path / "x.bin")
