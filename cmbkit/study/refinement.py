"""Label refinement beside the truth, where a cohort was generated, and with every setting."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial

import pandas as pd

from cmbkit.params import Preprocessing
from cmbkit.phantom import truth
from cmbkit.preprocessing.pipeline import FULL_SHARE
from cmbkit.records import Scan, StandardScan
from cmbkit.running.cache import Cache
from cmbkit.running.map_cached import map_cached
from cmbkit.study.scan_inputs import scan_inputs
from cmbkit.volume import Volume

TRUTH = [*truth.COLUMNS, "leaked"]
"""What `microbleeds_of` adds to a microbleed's row."""
TRIAL = ["id", "guard", "connectivity", "reference", "difference", "elbow", "leap", "radius_mm"]


def true_of(scan: Scan, told: pd.DataFrame) -> pd.DataFrame:
    """Rows of a dataset's truth (`truth.read_truth`) that are of one scan."""
    names = {scan.scan, scan.patient, scan.image.name.removesuffix(".gz").removesuffix(".nii")}
    return told[told["scan"].isin(names)]


def microbleeds_of(standard: StandardScan, told: pd.DataFrame, params: Preprocessing):
    """A scan's microbleeds with `TRUTH`: what they truly are, and whether their region leaked."""
    table = truth.with_truth(standard.microbleeds(), true_of(standard.scan, told))
    full = FULL_SHARE ** (1 / 3) * params.growing_max_radius_mm
    return table.assign(leaked=truth.leaked(table, full))


def trials_cached(cache: Cache, params: Preprocessing, scan: Scan) -> pd.DataFrame:
    """Radius of every point or scribble of a scan, grown with every setting, on its own grid.

    Returns
    -------
    DataFrame
        `TRIAL`, one row per microbleed, setting and rule: id (as in the scan's microbleeds), guard
        (whether ``growing_guard`` was on), the setting, elbow and leap (`region_growing.Growth`),
        radius_mm of a ball as large as the region.
    """
    growing = {name: value for name, value in params.model_dump().items() if "growing" in name}
    growing |= {"scribble_link_mm": params.scribble_link_mm}
    del growing["growing_guard"]
    return cache.table(
        "refinement",
        scan.uid,
        {"scan": scan_inputs(scan), "growing": growing},
        lambda: grown_with_each_setting(scan, params),
        code=[grown_with_each_setting],
        name="trials.tsv",
    )


def trials(study) -> pd.DataFrame:
    """`trials_cached` of all scans of a study, with dataset, uid, slice thickness and truth.

    No row where every annotation is a mask.
    """
    params, cohort = study.params, study.cohort
    scans = [s for s in cohort.scans if s.annotation.kind in ("points", "scribbles")]
    found = map_cached(
        study.cache,
        partial(trials_cached, study.cache, params.preprocessing),
        scans,
        step="refinement",
        workers=params.workers,
        name=lambda scan: scan.uid,
        cluster=params.cluster,
    )
    tables = [
        table.assign(uid=s.uid, dataset=s.dataset, thickness_mm=s.acquisition.slice_thickness_mm)
        for table, s in zip(found, scans, strict=True)
    ]
    empty = pd.DataFrame(columns=[*TRIAL, "uid", "dataset", "thickness_mm"])
    told = cohort.microbleeds[["uid", "id", *truth.COLUMNS]]
    return pd.concat(tables or [empty]).merge(told, on=["uid", "id"], validate="many_to_one")


def grown_with_each_setting(scan: Scan, params: Preprocessing) -> pd.DataFrame:
    """`trials_cached` without the cache."""
    from cmbkit.ball import ball_radius
    from cmbkit.preprocessing.intensities import fill_nan
    from cmbkit.preprocessing.region_growing import grow_each_setting
    from cmbkit.preprocessing.seeds import read_marks

    image, _ = fill_nan(Volume.read(scan.image))
    marks = read_marks(scan, image, params)
    rows = []
    for guard in (False, True):
        own = params.model_copy(update={"growing_guard": guard})
        for trial in grow_each_setting(image, marks.voxels, own):
            for number, growth in enumerate(trial, 1):
                radius = ball_radius(growth.n_voxels * image.voxel_volume_mm3)
                setting = astuple(growth.setting)
                rows.append((number, guard, *setting, growth.elbow, growth.leap, radius))
    return pd.DataFrame(rows, columns=TRIAL)
