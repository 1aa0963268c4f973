"""Networks converted for OpenVINO and kept in the user's cache, so that TensorFlow can stay away.

To import TensorFlow and to convert a network takes longer than to run a compact one on a scan.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cmbkit.detector.inference.engines import choose, use_openvino
from cmbkit.detector.network.backend import muted
from cmbkit.params import Inference, Network

PACKAGES = ("openvino", "keras", "tensorflow-cpu", "tensorflow")
FORMAT = 1


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/cmbkit/networks``, below ``~/.cache`` without that variable."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cmbkit" / "networks"


class StoredNetwork:
    """What `engines.openvino_engine` needs of a network of one input channel, from two files.

    Parameters
    ----------
    path : Path
        ``.xml`` of the network up to its logits; the ``.bin`` lies beside it.
    tile : list of 3 int
        Its input size in voxels.
    """

    layers = ()

    def __init__(self, path: Path, tile):
        self.path = Path(path)
        self.input_shape = (None, *tile, 1)
        self.output_shape = (None, *tile, 2)

    def export(self, path, **_) -> None:
        """Write the two files elsewhere, as a Keras model's export does."""
        shutil.copyfile(self.path, path)
        shutil.copyfile(self.path.with_suffix(".bin"), Path(path).with_suffix(".bin"))


def stored_path(digest: str, tile, folder: Path | None = None) -> Path:
    """Where the network of a weight file, for tiles of one size, is kept."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name}{version(name)}")
        except ModuleNotFoundError:
            continue
    size = "x".join(map(str, tile))
    return (folder or cache_folder()) / f"{digest[:32]}-{size}-{FORMAT}-{'-'.join(found)}.xml"


def find_stored(digest: str, tile, folder: Path | None = None) -> StoredNetwork | None:
    """Return the network if it was kept."""
    path = stored_path(digest, tile, folder)
    there = path.is_file() and path.with_suffix(".bin").is_file()
    return StoredNetwork(path, tile) if there else None


def network_for(
    digest: str,
    network: Network,
    inference: Inference,
    build: Callable[[], Any],
    folder: Path | None = None,
):
    """The network as it was kept for OpenVINO, where that runs it; else as Keras builds it.

    Parameters
    ----------
    digest : str
        Content hash of its weight file.
    network, inference : parameters
    build : callable
        Returns the Keras network with these weights; called if nothing is kept yet.
    folder : Path, optional
        Where networks are kept; by default `cache_folder`.
    """
    tile = inference.tile_size or network.patch_size
    if network.coordinate_channels or choose(inference.engine)[0] != "openvino":
        return build()
    kept = find_stored(digest, tile, folder)
    if kept is None:
        model = build()
        kept = find_stored(digest, tile, folder) if store(model, digest, tile, folder) else None
        return kept or model
    return kept


def store(model, digest: str, tile, folder: Path | None = None) -> bool:
    """Keep a Keras network for next time; False where the cache cannot be written.

    Parameters
    ----------
    model : keras.Model
        As trained, for tiles of any size.
    digest : str
        Content hash of its weight file.
    tile : list of 3 int
    folder : Path, optional
        Where networks are kept; by default `cache_folder`.
    """
    from cmbkit.detector.network.unet import logits_model, resized

    use_openvino()  # Keras would import it without switching off the reports of its use

    target = stored_path(digest, tile, folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as place:
            made = Path(place) / "logits.xml"
            with muted():
                logits_model(resized(model, tile)).export(
                    str(made), format="openvino", verbose=False
                )
            os.replace(made.with_suffix(".bin"), target.with_suffix(".bin"))
            os.replace(made, target)
    except OSError:
        return False
    return True
