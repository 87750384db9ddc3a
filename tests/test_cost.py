import time

import numpy as np
import pytest

from comparisons.cost import bytes_of, energy_wh, measured


def test_time_and_peak_memory_of_a_stretch_of_work():
    with measured() as idle:
        time.sleep(0.05)
    with measured() as busy:
        block = np.ones(20_000_000)  # 160 MB, gone before the end
        del block
    assert idle.seconds >= 0.05 > idle.cpu_seconds
    assert busy.cpu_seconds > 0
    if busy.peak_bytes is None:
        pytest.skip("this system tells no peak of memory")
    assert busy.peak_bytes - idle.peak_bytes > 100e6
    with measured() as after:
        pass
    assert after.peak_bytes < busy.peak_bytes - 100e6  # the peak is this stretch's own


def test_energy_is_that_of_busy_cores_and_held_memory():
    assert energy_wh(3600, 0, 0) == 12
    assert energy_wh(0, 3600, 2**30) == pytest.approx(0.3725)


def test_bytes_of_files_and_folders(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "sub" / "b").write_bytes(b"4567")
    assert bytes_of(tmp_path / "a") == 3
    assert bytes_of(tmp_path) == 7
    assert bytes_of(tmp_path / "none") == 0
