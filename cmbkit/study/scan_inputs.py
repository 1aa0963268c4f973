"""What is computed of a raw scan depends on these."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from cmbkit.records import Scan
from cmbkit.running.cache import Cache
from cmbkit.running.syntax import digest


def scan_inputs(scan: Scan) -> dict:
    """What a scan's preprocessed form depends on: image and annotation by content."""
    annotation = asdict(scan.annotation)
    annotation["mask_path"] = scan.annotation.mask_path
    return {"uid": scan.uid, "image": scan.image, "annotation": annotation}


def raw_hash(cache: Cache, scans: Iterable[Scan]) -> str:
    """Hash of the content of all images and annotations, 16 hexadecimal digits; "" of none."""
    asked = cache.asked("raw", "all", {"scans": [scan_inputs(scan) for scan in scans]}, ())
    text = json.dumps(asked.inputs, sort_keys=True, default=str)
    return digest(text) if asked.inputs["scans"] else ""
