"""The controlled experiment that the thesis could not do: thick slices and nothing else.

The thesis found fewer CMBs in scans of thick slices and conjectured that these are the reason;
sequence, hospital and number of CMBs differed too (sections 8.1.1 to 8.1.3). Here the same
synthetic brains with the same CMBs are scanned with slices of 1 to 6 mm, and size, contrast and
number of the CMBs are varied one at a time. By the physical model, slices are summed as complex
signal, as a scanner does, and by averaging magnitudes, as simulators on magnitude images do.
"""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.atomic import temporary_folder
from cmbkit.params import Evaluation, Inference, Preprocessing, SliceExperiment, Tool
from cmbkit.phantom.controlled import Condition, ControlledBrain, Physics
from cmbkit.preprocessing import grid, pipeline
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.running.cache import Cache
from cmbkit.running.map_cached import map_cached
from cmbkit.study.models import PREDICTOR
from cmbkit.study.slice_conditions import KEYS, PHYSICAL, conditions
from cmbkit.volume import Volume

BRAIN_NUMBER = 90
"""Second part of the brains' seeds; the cohort's datasets have 1 to 7."""
MAP, CENTRES = "logits.nii.gz", "centres.npy"
Item = tuple[int, Condition, Physics | None]
"""Number of a brain, and how it is scanned; no physics in the contrast model."""


def standardise(
    image: Volume, params: Preprocessing, slab: tuple[float, float] | None
) -> tuple[Volume, Volume, float]:
    """Bring a scan to the standard grid as any other, then keep a slab of it.

    Parameters
    ----------
    image : Volume
        Skull-stripped.
    params : Preprocessing
        The brain mask is always the image's own zero background.
    slab : (float, float) or None
        Lowest and highest z in mm.

    Returns
    -------
    image, brain : Volume
        z-scored (with the whole brain's mean and standard deviation), and 0/1.
    background : float
        z-score outside the brain.
    """
    own = params.model_copy(update={"brain_mask": "stand-in", "synthstrip": Tool()})
    spacing = tuple(float(mm) for mm in sorted(image.spacing)[:2])
    with temporary_folder() as folder:
        path = image.write(folder / "scan.nii.gz", dtype=np.int16)
        acquisition = Acquisition(spacing, float(max(image.spacing)))
        scan = Scan("PHANTOM", "p", "s", "SWI", path, Annotation("none"), acquisition, True)
        done = pipeline.prepare(scan, own)
    box = [slice(0, n) for n in done.image.shape]
    if slab is not None:
        ends = (np.array(slab) - done.image.affine[2, 3]) / params.spacing_mm
        low, high = np.clip(np.rint(ends).astype(int), 0, done.image.shape[2] - 1)
        box[2] = slice(int(low), int(high) + 1)
    parts = (grid.crop(volume, tuple(box)) for volume in (done.image, done.brain))
    return *parts, float(done.record["background_value"])


def _named(item: Item) -> str:
    """Name of a brain in one condition."""
    number, setting, physics = item
    told = {k: f"{v:g}" for k, v in vars(setting).items() if v == v}
    if physics is not None:
        told |= {
            "sum": physics.averaging,
            "tesla": f"{physics.tesla:g}",
            "te": f"{physics.te_ms:g}",
        }
    values = (f"{key.split('_')[0]}-{value}" for key, value in told.items())
    return "_".join([f"brain-{number}", *values])


def matches_cached(
    cache: Cache,
    inference: Inference,
    evaluation: Evaluation,
    model: str,
    item: tuple[Item, Path],
) -> pd.DataFrame:
    """Candidates in the map of one brain in one condition, matched with where the CMBs were put."""
    from cmbkit.detector.inference.candidates import candidates
    from cmbkit.detector.inference.files import read_logits
    from cmbkit.evaluation.instances import from_labels, from_points
    from cmbkit.evaluation.scan import evaluate_scan

    scanned, map_folder = item
    number = scanned[0]
    inputs = {
        "map": map_folder,
        "brain": number,
        "inference": inference.of_candidates(),
        "evaluation": evaluation.of_scans,
    }

    def compute() -> pd.DataFrame:
        logits = read_logits(map_folder / MAP)
        # the parcellation is not made: its filter of candidates is left out
        labels, table = candidates(logits.data, None, logits.spacing, inference)
        scores = dict(zip(table["id"], table["score"], strict=True))
        who = {"uid": f"brain-{number}", "dataset": "PHANTOM", "patient": str(number)}
        matches, _ = evaluate_scan(
            from_points(np.load(map_folder / CENTRES)),
            from_labels(labels, logits.affine),
            **who,
            scores=scores,
            params=evaluation,
            affine=logits.affine,
        )
        return matches[["match", "gt_id", "pred_id", "distance_mm", "score"]]

    step, code = f"experiments/slices-{model}", [matches_cached]
    return cache.table(step, _named(scanned), inputs, compute, code=code, name="matches.tsv")


class SliceExperimentStage:
    """The experiment with the study's trained networks."""

    def __init__(self, study):
        self._study = study
        self._brain = lru_cache(maxsize=1)(self._make_brain)

    @property
    def design(self) -> SliceExperiment:
        """Its parameters."""
        return self._study.params.evaluation.slice_experiment

    @cached_property
    def conditions(self) -> pd.DataFrame:
        """See `conditions`."""
        return conditions(self.design, self._study.params.cohort.phantom_model)

    def _make_brain(self, number: int) -> ControlledBrain:
        seed = (self._study.params.seed, BRAIN_NUMBER, number)
        design = self.design
        return ControlledBrain(seed, max(design.count), max(design.radius_mm), design.slab_mm)

    def map_folder(self, model: str, item: Item) -> Path:
        """Folder of the logits of one brain in one condition; predicts unless there."""
        number, setting, physics = item
        params, design = self._study.params, self.design
        told = {k: v for k, v in vars(setting).items() if v == v}
        inputs = {
            "setting": told if physics is None else told | vars(physics),
            "brain": [params.seed, BRAIN_NUMBER, number],
            "brains": [max(design.count), max(design.radius_mm), design.slab_mm],
            "in_plane_mm": design.in_plane_mm,
            "preprocessing": params.preprocessing,
            "inference": params.inference.of_map(),
            **self._study.models.as_input(model),
        }
        return self._study.cache.get(
            f"experiments/maps-{model}",
            _named(item),
            inputs,
            lambda folder: self._predict(model, item, folder),
            code=[SliceExperimentStage._predict, SliceExperimentStage._make_brain, *PREDICTOR],
        )

    def _predict(self, model: str, item: Item, folder: Path) -> None:
        """Render, standardise and predict; write the map and where the CMBs were put (mm)."""
        from cmbkit.detector.inference.files import write_logits
        from cmbkit.detector.inference.tiled import predict_logits

        number, setting, physics = item
        brain, design = self._brain(number), self.design
        raw, centres = brain.scan(setting, design.in_plane_mm, physics)
        slab = None if design.slab_mm is None else brain.slab
        image, inside, background = standardise(raw, self._study.params.preprocessing, slab)
        predictor = self._study.results.predictor(model)
        logits = predict_logits(predictor, image.data, brain=inside.data, background=background)
        write_logits(folder / MAP, image, logits)
        np.save(folder / CENTRES, centres)

    @property
    def n_scans(self) -> int:
        """Scans of the experiment; a condition that several factors share is scanned once."""
        return len(self._scans())

    @cached_property
    def _distinct(self) -> pd.DataFrame:
        """Conditions to scan, those of one field and echo time in a row."""
        return self.conditions[KEYS].drop_duplicates().sort_values(list(PHYSICAL), kind="stable")

    def _scans(self) -> list[Item]:
        settings = []
        for row in self._distinct.to_dict("records"):
            physics = {name: row.pop(name) for name in ("averaging", *PHYSICAL)}
            known = isinstance(physics["averaging"], str)
            settings.append((Condition(**row), Physics(**physics) if known else None))
        return [(number, *s) for number in range(self.design.brains) for s in settings]

    @property
    def items(self) -> dict[str, Item]:
        """Every scan of the experiment by its name in the cache."""
        return {_named(item): item for item in self._scans()}

    def matches_of(self, model: str, item: Item) -> pd.DataFrame:
        """Matches of one scan: match, gt_id, pred_id, distance_mm, score."""
        return self._match(model)((item, self.map_folder(model, item)))

    def _match(self, model: str):
        """Function of an item and the folder of its map."""
        study = self._study
        evaluation = study.params.evaluation
        return partial(matches_cached, study.cache, study.params.inference, evaluation, model)

    def matches(self, model: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Matches of every scan, and the scans.

        Returns
        -------
        matches : DataFrame
            The columns of `conditions`, brain, match, gt_id (the same CMB has the same number
            in every scan of its brain), pred_id, distance_mm, score.
        scans : DataFrame
            The columns of `conditions` and brain.
        """
        items, params, cache = self._scans(), self._study.params, self._study.cache
        maps = partial(self.map_folder, model)
        folders = map_cached(cache, maps, items, step=f"slices {model}", name=_named)
        found = map_cached(
            cache,
            self._match(model),
            list(zip(items, folders, strict=True)),
            step=f"slices {model}, matches",
            workers=params.workers,
            name=lambda pair: _named(pair[0]),
        )
        distinct = self._distinct.assign(scan=range(len(self._distinct)))
        table = self.conditions.merge(distinct, on=KEYS, how="left")
        number = [(n // len(distinct), n % len(distinct)) for n in range(len(items))]
        scans = table.merge(pd.DataFrame(number, columns=["brain", "scan"]), on="scan")
        parts = [
            part.assign(brain=brain, scan=scan)
            for (brain, scan), part in zip(number, found, strict=True)
            if len(part)
        ]
        matches = table.merge(pd.concat(parts, ignore_index=True), on="scan")
        return matches.drop(columns="scan"), scans.drop(columns="scan")

    def curves(self, model: str) -> pd.DataFrame:
        """Recall and false positives of each condition (`evaluation.slice_experiment`)."""
        from cmbkit.evaluation import slice_experiment

        if not self.design.brains:
            return pd.DataFrame(columns=slice_experiment.CONDITION)
        return slice_experiment.curves(*self.matches(model))

    def changes(self, model: str) -> pd.DataFrame:
        """CMBs lost and gained from thinner to thicker slices (`evaluation.slice_experiment`)."""
        from cmbkit.evaluation import slice_experiment

        if not self.design.brains:
            return pd.DataFrame(columns=slice_experiment.CONDITION)
        return slice_experiment.changes(self.matches(model)[0], self._study.params.seed)
