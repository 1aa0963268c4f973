"""MONAI's sliding_window_inference around UNetApollo3D on Keras's torch backend (JSON to stdout).

Run in an environment with requirements-monai.txt and the repository on PYTHONPATH;
bench_inference.py does so. Takes a .npz with ``image`` and ``network`` (JSON), the weights that
Keras stored, an overlap and a number of rounds; writes the averaged logits beside the .npz.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import torch
from monai.inferers import sliding_window_inference

from cmbkit.detector.network import build, logits_model
from cmbkit.params import Network


def main():
    case, weights, overlap, rounds = Path(sys.argv[1]), *sys.argv[2:]
    stored = np.load(case)
    params = Network.model_validate_json(str(stored["network"]))
    model = build(params)
    model.load_weights(weights)
    logits = logits_model(model)
    image = torch.from_numpy(stored["image"])[None, None]

    def network(patch):  # MONAI has channels first, this network last
        return torch.movedim(logits(torch.movedim(patch, 1, -1)), -1, 1)

    wall, used = [], []
    with torch.no_grad():
        for _ in range(int(rounds)):
            start, start_used = time.perf_counter(), time.process_time()
            found = sliding_window_inference(
                image, params.patch_size, 1, network, overlap=float(overlap), mode="constant"
            )
            wall.append(time.perf_counter() - start)
            used.append(time.process_time() - start_used)
    np.save(case.with_suffix(".logits.npy"), (found[0, 1] - found[0, 0]).numpy())
    json.dump({"wall": wall, "used": used, "torch": torch.__version__}, sys.stdout)


if __name__ == "__main__":
    main()
