"""MONAI's sliding_window_inference around UNetApollo3D on Keras's torch backend.

Run in an environment with requirements-monai.txt and the repository on PYTHONPATH;
bench_inference.py does so. Takes a .npz with ``image`` (two tiles) and ``network`` (JSON), the
weights that Keras stored, and an overlap; answers each line of its input with one line of JSON
(seconds, processor seconds, peak memory) and writes the averaged logits beside the .npz.
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

from cmbkit.detector.network.unet import build, logits_model
from cmbkit.params import Network

TILES_OF_400 = 343  # as cmbkit has them at overlap 0.4: MONAI's interval is int(96 * 0.6) as well


def peak_gib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def main():
    case, weights, overlap = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    stored = np.load(case)
    params = Network.model_validate_json(str(stored["network"]))
    model = build(params)
    model.load_weights(weights)
    logits = logits_model(model)
    image = torch.from_numpy(stored["image"])[None, None]
    calls = []

    def network(patch):  # MONAI has channels first, this network last
        calls.append(len(patch))
        return torch.movedim(logits(torch.movedim(patch, 1, -1)), -1, 1)

    about = {"tiles": TILES_OF_400, "tile": params.patch_size[0], "precision": "float32"}
    about |= {"engine": f"torch {torch.__version__}", "per_ask": 2}
    print(json.dumps(about), flush=True)
    with torch.inference_mode():
        for _ in sys.stdin:
            calls.clear()
            start, used = time.perf_counter(), time.process_time()
            found = sliding_window_inference(
                image, params.patch_size, 1, network, overlap=overlap, mode="constant"
            )
            spent = [time.perf_counter() - start, time.process_time() - used]
            if sum(calls) != about["per_ask"]:
                raise SystemExit(f"expected {about['per_ask']} tiles, found {sum(calls)}")
            np.save(case.with_suffix(".logits.npy"), (found[0, 1] - found[0, 0]).cpu().numpy())
            answer = {"seconds": spent[0], "processor": spent[1], "peak_gib": peak_gib()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
