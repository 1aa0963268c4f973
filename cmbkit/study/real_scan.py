"""A real scan in the demo: the T2*-weighted brain that nibabel's wheel carries.

``example4d.nii.gz`` is one human gradient-echo EPI volume of 2 x 2 x 2.2 mm. Nobody has
annotated CMBs in it, so candidates on it are counted, not judged; implanted lesions are.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.params.preprocessing import Tool
from cmbkit.records import Acquisition, Annotation, Scan, StandardScan
from cmbkit.volume import Volume

VARIANTS = ("asis", "implanted")
RADII_MM = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0)


def read_example() -> Volume:
    """First volume of nibabel's example4d.nii.gz, float32, shape (128, 96, 24)."""
    import nibabel as nib

    path = Path(nib.__file__).parent / "tests" / "data" / "example4d.nii.gz"
    image = nib.load(path)
    return Volume(np.asarray(image.dataobj[..., 0], np.float32), image.affine, path)


def implant_places(image: Volume, count: int, seed: int) -> np.ndarray:
    """Voxels for implanted lesions: inside the brain, apart by 15 mm or more, shape (count, 3)."""
    from scipy import ndimage

    from cmbkit.anatomy.brain_mask import brain_mask

    rng = np.random.default_rng(seed)
    brain, _ = brain_mask(image)
    within = np.pad(brain.data > 0, 1)  # beyond the image there is no brain either
    depth = ndimage.distance_transform_edt(within, sampling=image.spacing)[1:-1, 1:-1, 1:-1]
    bright = image.data > np.median(image.data[brain.data > 0]) * 0.8
    allowed = np.argwhere((depth > 8) & bright)
    places: list[np.ndarray] = []
    for voxel in rng.permutation(allowed):
        apart = [np.linalg.norm((voxel - p) * image.spacing) for p in places]
        if not apart or min(apart) >= 15:
            places.append(voxel)
        if len(places) == count:
            break
    return np.array(places)


class RealScanStage:
    """The real scan, as it stands and with implanted CMBs, through the whole way."""

    def __init__(self, study):
        self._study = study

    def _raw(self) -> Path:
        """Folder with both variants as NIfTI files and the table of implanted lesions."""
        from cmbkit.phantom.implant import implant

        seed = self._study.params.seed

        def compute(folder: Path) -> None:
            image = read_example()
            image.write(folder / "asis_T2starw.nii.gz", dtype=np.int16)
            places = implant_places(image, len(RADII_MM), seed)
            radii = np.array(RADII_MM[: len(places)])
            lesioned = implant(image, places, radii, np.random.default_rng(seed))
            lesioned.write(folder / "implanted_T2starw.nii.gz", dtype=np.int16)
            table = pd.DataFrame(places, columns=["i", "j", "k"]).assign(radius_mm=radii)
            table.to_csv(folder / "implanted.tsv", sep="\t", index=False)

        inputs = {"seed": seed, "radii": list(RADII_MM)}
        code = [read_example, implant_places, implant]
        return self._study.raw.get("real", "example4d", inputs, compute, code=code)

    @cached_property
    def implanted(self) -> pd.DataFrame:
        """One row per implanted lesion: 0-based voxel (i, j, k) and radius in mm."""
        return pd.read_csv(self._raw() / "implanted.tsv", sep="\t")

    def scan(self, variant: str) -> Scan:
        """The scan record of ``"asis"`` (no annotation) or ``"implanted"`` (points)."""
        image = self._raw() / f"{variant}_T2starw.nii.gz"
        annotation = Annotation("none")
        if variant == "implanted":
            points = self.implanted[["i", "j", "k"]].itertuples(index=False, name=None)
            annotation = Annotation("points", points=tuple(points))
        acquisition = Acquisition((2.0, 2.0), 2.2)
        return Scan("REAL", "example4d", variant, "T2S", image, annotation, acquisition)

    def problems(self, variant: str) -> list[str]:
        """What `cmbkit.datasets.check` has to say about the scan."""
        from cmbkit.datasets.check import check_scan

        return check_scan(self.scan(variant))

    def standard(self, variant: str) -> StandardScan:
        """The scan on the standard grid; made here, where others were made beforehand."""
        from cmbkit.study.cohort import preprocess_cached

        scan, params = self.scan(variant), self._study.params.preprocessing
        params = params.model_copy(update={name: Tool() for name in params.folders})
        folder = preprocess_cached(self._study.cache, params, scan)
        return StandardScan(scan, folder)

    def result(self, model: str, variant: str):
        """Matches and scan row of one model on one variant."""
        from cmbkit.study.scan_results import evaluate_cached

        standard = self.standard(variant)
        prediction = self._study.results.candidate_folder(model, standard)
        item = (model, standard, prediction)
        return evaluate_cached(self._study.cache, self._study.params.evaluation, item)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One row per model and variant: model, variant, n_pred, n_gt, tp, fn, fp."""
        counts = ["n_pred", "n_gt", "tp", "fn", "fp"]
        return pd.DataFrame(
            {"model": model, "variant": variant, **{name: row[name] for name in counts}}
            for model in self._study.results.models
            for variant in VARIANTS
            for row in [self.result(model, variant)[1]]
        )
