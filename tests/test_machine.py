import pytest
import torch

from comparisons import machine
from comparisons.machine import bfloat16_is_faster, device_of, in_precision, precision_of

CPU = torch.device("cpu")


def test_precision_by_name_and_by_measurement(monkeypatch):
    assert precision_of("bfloat16", CPU) == torch.bfloat16 and precision_of("float32", CPU) == torch.float32
    for faster, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(machine, "bfloat16_is_faster", lambda device, faster=faster: faster)
        assert precision_of("auto", CPU) == expected


@pytest.mark.parametrize(("times", "expected"), [((1.0, 2.0), True), ((1.9, 2.0), False), ((3.0, 2.0), False)])
def test_bfloat16_has_to_be_faster_and_not_just_there(monkeypatch, times, expected):
    seconds = {torch.bfloat16: times[0], torch.float32: times[1]}
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(machine, "_seconds", lambda rows, weights: seconds[rows.dtype])
    bfloat16_is_faster.cache_clear()
    assert bfloat16_is_faster("cpu") is expected
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    bfloat16_is_faster.cache_clear()
    assert not bfloat16_is_faster("cpu")
    bfloat16_is_faster.cache_clear()


def test_products_run_in_the_precision_asked_for():
    layer = torch.nn.Linear(4, 4)
    for dtype in (torch.float32, torch.bfloat16):
        with in_precision(dtype, CPU):
            assert layer(torch.ones(1, 4)).dtype == dtype


def test_devices():
    assert device_of("cpu") == CPU
    assert device_of().type == ("cuda" if torch.cuda.is_available() else "cpu")
