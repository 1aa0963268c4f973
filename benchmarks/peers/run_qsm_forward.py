"""Fields of a susceptibility map by qsm-forward (GPL, therefore in an environment of its own).

Run in an environment with requirements-qsm-forward.txt; bench_field.py does so: a folder with
``chi.npy`` (ppm, 1 mm) and ``directions.npy`` becomes ``peer.npy``, one field per direction.
"""

import sys
from pathlib import Path

import numpy as np
from qsm_forward import generate_field

folder = Path(sys.argv[1])
chi, directions = np.load(folder / "chi.npy"), np.load(folder / "directions.npy")
np.save(folder / "peer.npy", [generate_field(chi, B0_dir=b).astype(np.float32) for b in directions])
