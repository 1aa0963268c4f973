"""Post-training quantisation of a converted network to int8 with NNCF.

python quantise.py NETWORK.xml TILES.npz FOLDER: calibrates on the tiles (array ``tiles``, shape
(n, x, y, z, 1)) and writes ``int8.xml`` (every layer, NNCF's defaults) and ``int8-mixed.xml``
(activations quantised asymmetrically, first and last convolution left in floating point).
"""

import os
import sys
from pathlib import Path

os.environ["NNCF_CI"] = "1"  # sends no reports of its use

import nncf
import numpy as np
import openvino


def main():
    path, tiles, folder = Path(sys.argv[1]), np.load(sys.argv[2])["tiles"], Path(sys.argv[3])
    for name in ("int8", "int8-mixed"):
        network = openvino.Core().read_model(path)
        network.reshape([1, *tiles.shape[1:]])
        options = {}
        if name == "int8-mixed":
            kinds = ("Convolution", "GroupConvolution")
            layers = [o for o in network.get_ordered_ops() if o.get_type_name() in kinds]
            ends = [layers[0].get_friendly_name(), layers[-1].get_friendly_name()]
            options = {
                "preset": nncf.QuantizationPreset.MIXED,
                "ignored_scope": nncf.IgnoredScope(names=ends),
            }
        dataset = nncf.Dataset([tile[None] for tile in tiles])
        done = nncf.quantize(network, dataset, subset_size=len(tiles), **options)
        openvino.save_model(done, folder / f"{name}.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main()
