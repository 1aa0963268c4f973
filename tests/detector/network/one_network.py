"""One network on one backend: forward, a training step, and back from the disk.

``python one_network.py FOLDER NAME`` reads FOLDER/given.npz, or makes it where there is none,
and writes FOLDER/NAME.npz; ``KERAS_BACKEND`` chooses the backend.
"""

import sys
from pathlib import Path

import numpy as np

from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.network.unet import build, compile_for_training
from cmbkit.params import Network, Training

OPTIONS = {
    "published": {},
    "others": {"normalization_axis": "channel", "lesion_prior": 0.01},
    "batch statistics": {"normalization": "batch"},
}


def run(folder: Path, name: str) -> None:
    """Write probabilities before and after a step, the step's loss, and those after reading."""
    import keras

    results, given = {}, {}
    if (folder / "given.npz").is_file():
        given = dict(np.load(folder / "given.npz"))
    for option, changes in OPTIONS.items():
        params = Network(
            patch_size=[16, 16, 16],
            filters_per_depth=[4, 6],
            filters_out_bottom_conv=8,
            n_conv_per_depth=2,
            n_conv_per_depth_upsampling=1,
            **changes,
        )
        model = build(params, seed=1)
        rng = np.random.default_rng(0)
        x = rng.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
        y = (rng.random((2, 16, 16, 16)) < 0.1).astype(np.int32)
        for i, weight in enumerate(model.get_weights()):
            given.setdefault(f"{option}/{i}", weight)
        model.set_weights([given[f"{option}/{i}"] for i in range(len(model.get_weights()))])
        results[f"{option}/before"] = model.predict_on_batch(x)
        compile_for_training(model, 1e-3, combined_loss(Training()))
        results[f"{option}/loss"] = float(model.train_on_batch(x, y))
        results[f"{option}/after"] = model.predict_on_batch(x)
        path = folder / f"{name}_{option}.keras"
        model.save(path)
        again = keras.models.load_model(path, compile=False)
        results[f"{option}/read"] = again.predict_on_batch(x)
    np.savez(folder / "given.npz", **given)
    np.savez(folder / f"{name}.npz", **results)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
