"""The dipole field of a phantom's head beside qsm-forward's: equal to 1e-4 of its range?

    python benchmarks/bench_field.py --peers-python PEER/bin/python

PEER is an environment with benchmarks/peers/requirements-qsm-forward.txt.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from cmbkit.phantom.field import dipole_field
from cmbkit.phantom.head import Patient
from cmbkit.phantom.tissues import GradientEcho

DIRECTIONS = ((0, 0, 1), (0, 0.6, 0.8), (0.48, 0.36, 0.8))
SIZE = 80  # voxels of 1 mm; both sides pad to twice that
PEER = Path(__file__).parent / "peers/run_qsm_forward.py"


def head_chi(seed: int) -> np.ndarray:
    """Susceptibility (ppm) in a cube of a head with skull and air."""
    patient = Patient((seed, 1))
    box = patient.bounding_box(head=True)
    (_, chi), *_ = patient.render(GradientEcho(20, 27, 15, 3), *box, True)
    low = [(n - SIZE) // 2 for n in chi.shape]
    return chi[tuple(slice(start, start + SIZE) for start in low)]


def fields_of_peer(python: str, chi: np.ndarray) -> np.ndarray:
    """One field per direction; without the mean over the padded map, of which they keep 1/3."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "chi.npy", chi)
        np.save(Path(folder) / "directions.npy", np.array(DIRECTIONS, float))
        subprocess.run([python, PEER, folder], check=True)
        return np.load(Path(folder) / "peer.npy") - chi.mean(dtype=float) / 8 / 3


def main() -> None:
    """Print a row per direction; an error where fields differ."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers-python", required=True)
    given = parser.parse_args()
    chi = head_chi(2024)
    chi = chi - chi[-1, -1, -1]  # what they pad with
    for direction, peer in zip(DIRECTIONS, fields_of_peer(given.peers_python, chi), strict=True):
        apart = np.abs(peer - dipole_field(chi, (1, 1, 1), direction, SIZE)) / np.ptp(peer)
        print(f"| {direction} | {np.ptp(peer):.2f} | {apart.max():.1e} | {np.median(apart):.1e} |")
        if apart.max() > 1e-4:
            raise SystemExit(f"expected equal to 1e-4 of the range, found {apart.max():.1e}")


if __name__ == "__main__":
    main()
