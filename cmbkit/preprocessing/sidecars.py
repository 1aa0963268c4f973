"""Where each preprocessed file comes from: a BIDS-derivative JSON sidecar beside every NIfTI."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cmbkit.datasets.sources import sidecar_of
from cmbkit.params import Preprocessing
from cmbkit.records import StandardScan
from cmbkit.running.file_hashes import file_hash
from cmbkit.running.provenance import software_versions


def write_sidecars(target: StandardScan, params: Preprocessing, methods: dict[str, str]) -> None:
    """Write a sidecar for each of a standard scan's four images, which must be there already.

    Keys: ``Sources`` (paths from the sidecar's folder), ``InputHashes`` (source to BLAKE2b hash
    of its content, 12 bytes), ``SpatialReference``, ``Resolution``, ``Synthetic``, ``Parameters``,
    ``SoftwareVersions``, ``GeneratedBy`` and what BIDS asks of the kind of image. Where the
    rater's marks are points, ``Annotation`` holds them.

    Parameters
    ----------
    target : StandardScan
    params : Preprocessing
    methods : dict
        ``brain_mask`` and ``parcellation``: how each was made.
    """
    software = software_versions()
    scan, annotation = target.scan, target.scan.annotation
    marks = [annotation.mask_path] if annotation.mask_path else []
    points = [[int(v) for v in point] for point in annotation.points]
    standard = f"{params.spacing_mm:g} mm isotropic, RAS"
    common = {
        "SpatialReference": _relative(target.image_path, target.folder),
        "Resolution": standard,
        "Synthetic": scan.synthetic,
        "Parameters": params.model_dump(mode="json"),
        "SoftwareVersions": software,
        "GeneratedBy": [{"Name": "cmbkit.preprocessing", "Version": software["cmbkit"]}],
    }
    entries = {
        target.image_path: {
            "Description": f"Image on the standard grid ({standard}), z-scored ({params.zscore})",
            "Sources": [scan.image],
            "SkullStripped": True,
            "BrainMask": methods["brain_mask"],
        },
        target.brain_path: {
            "Description": f"Brain mask: {methods['brain_mask']}",
            "Sources": [scan.image],
            "Type": "Brain",
        },
        target.lesions_path: {
            "Description": "Annotated microbleeds, one label each",
            "Sources": [scan.image, *marks],
            "Manual": annotation.kind == "mask",
            "Annotation": {"kind": annotation.kind, **({"points": points} if points else {})},
        },
        target.labels_path: {
            "Description": f"Brain regions in SynthSeg's numbers: {methods['parcellation']}",
            "Sources": [target.image_path, target.brain_path],
            "Manual": False,
        },
    }
    for image, entry in entries.items():
        sources = {_relative(path, target.folder): file_hash(path) for path in entry["Sources"]}
        entry |= {"Sources": list(sources), "InputHashes": sources} | common
        sidecar_of(image).write_text(json.dumps(entry, indent=1))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
