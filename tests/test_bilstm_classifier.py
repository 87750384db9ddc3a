import numpy as np
import pytest
import torch
from toy_pairs import ENGLISH, ODD, english

from baselines.bilstm_classifier import Network
from baselines.pair_network import batch_of, max_pool
from baselines.pair_words import pairs_of
from baselines.settings import BilstmPairSettings
from xlembed.errors import InputError

PAIRS = [*english(8), ODD[0], ODD[4]]


@pytest.mark.parametrize("alignment", [True, False])
def test_padded_batch_is_the_formula_sentence_by_sentence(alignment):
    torch.manual_seed(0)
    network = Network(8, BilstmPairSettings(hidden=7, projection=5, units=4, alignment=alignment)).eval()
    pairs, rows = pairs_of(PAIRS, ENGLISH), []
    with torch.inference_mode():
        for premise, hypothesis, figures in zip(pairs.premise, pairs.hypothesis, pairs.figures, strict=True):
            u, v = (network.lstm(network.words(pairs.texts.table, pairs.texts.padded([text])))[0][0].amax(dim=0)
                    for text in (premise, hypothesis))  # fmt: skip
            rows.append(torch.cat([u, v, (u - v).abs(), u * v, *([figures] if alignment else [])]))
        batch = network(batch_of(pairs, np.arange(len(PAIRS))))
        assert torch.allclose(batch, network.judge(torch.stack(rows)), atol=1e-5)


def test_max_pool_leaves_padding_out():
    values = torch.tensor([[[-2.0, 1.0], [-1.0, -3.0], [9.0, 9.0]]] * 2)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert max_pool(values, mask).tolist() == [[-1.0, 1.0], [0.0, 0.0]]


def test_settings_are_checked():
    with pytest.raises(InputError, match="units must be"):
        BilstmPairSettings(units=0)
