"""What is computed of a raw scan depends on these."""

from dataclasses import asdict

from cmbkit.records import Scan


def scan_inputs(scan: Scan) -> dict:
    """What a scan's preprocessed form depends on: image and annotation by content."""
    annotation = asdict(scan.annotation)
    annotation["mask_path"] = scan.annotation.mask_path
    return {"uid": scan.uid, "image": scan.image, "annotation": annotation}
