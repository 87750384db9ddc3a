"""Array aliases by rank, for hints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats1d = NDArray[np.floating]
Floats2d = NDArray[np.floating]
Ints1d = NDArray[np.integer]
Ints2d = NDArray[np.integer]
Bools1d = NDArray[np.bool_]
