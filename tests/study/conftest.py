"""Weights of small untrained networks, as `cmbkit train --out` writes them."""

import pytest

from cmbkit.detector.network.unet import build
from cmbkit.detector.network.weights import write_weights
from cmbkit.params import Inference, Network, Preprocessing

SMALL = {"patch_size": [16] * 3, "filters_per_depth": [4], "filters_out_bottom_conv": 4}
SMALL |= {
    "n_conv_per_depth": 1,
    "n_conv_per_depth_upsampling": 1,
    "n_conv_bottom": 1,
    "lesion_prior": 1e-12,
}


@pytest.fixture(scope="session")
def write_untrained():
    """A function that writes a folder of weights: (folder, spacing_mm, pad_voxels, inference)."""

    def write(folder, spacing_mm, pad_voxels, **inference):
        network = Network(**SMALL)
        write_weights(
            folder,
            build(network, seed=5),
            name="untrained",
            trained_on="nothing",
            network=network,
            preprocessing=Preprocessing(
                spacing_mm=spacing_mm, pad_voxels=pad_voxels, atlas_registration="affine"
            ),
            inference=Inference(**inference),
        )
        return folder

    return write
