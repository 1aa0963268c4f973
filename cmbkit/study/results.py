"""What the trained networks and the untrained baseline found, and how it matches."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.params import Inference
from cmbkit.records import StandardScan
from cmbkit.running.map_cached import map_cached
from cmbkit.study.cohort import concatenated
from cmbkit.study.models import PREDICTOR
from cmbkit.study.scan_results import (
    BASELINE,
    baseline_cached,
    candidate_features,
    evaluate_cached,
    evaluate_native,
    found_cached,
    predicted_file,
    rules_cached,
)
from cmbkit.volume import Volume


class ResultStage:
    """What the detectors found on the validation and test scans of a study.

    Attributes
    ----------
    predictor : callable
        Gives the network of a model ready to predict; the last one used is kept.
    """

    def __init__(self, study):
        self._study = study
        self.predictor = lru_cache(maxsize=1)(study.models.predictor)
        self._maps = lru_cache(self.logit_maps)
        self._folders = lru_cache(self.candidate_folders)

    @property
    def _params(self):
        return self._study.params

    @property
    def models(self) -> list[str]:
        """The networks, then the untrained baseline."""
        return [*self._study.models.names, BASELINE]

    @cached_property
    def scans(self) -> list[StandardScan]:
        """Validation and test scans."""
        return self._study.cohort.split("valid", "test")

    def logit_map(self, model: str, standard: StandardScan) -> Path:
        """Folder with the map of logits of one network; predicts unless it is there.

        It does not depend on thresholds and post-processing.
        """
        from cmbkit.detector.inference import files as predict

        inputs = {
            "scan": standard.folder,
            "inference": self._params.inference.of_map(),
            **self._study.models.as_input(model),
        }
        return self._study.cache.get(
            f"maps/{model}",
            standard.scan.uid,
            inputs,
            lambda folder: predict.predict_map(self.predictor(model), standard, folder),
            code=[predict.predict_map, *PREDICTOR],
        )

    def candidate_folder(self, model: str, standard: StandardScan) -> Path:
        """Folder with the candidates of one model on one scan; predicts unless it is there."""
        if model == BASELINE:
            return baseline_cached(self._study.cache, self._params.evaluation.dark_blobs, standard)
        item = (model, standard, self.logit_map(model, standard))
        return found_cached(self._study.cache, self._params.inference, item)

    def candidates(self, model: str, standard: StandardScan) -> Volume:
        """Instance labels, uint16, of what one model found in one scan."""
        folder = self.candidate_folder(model, standard)
        return Volume.read(predicted_file(folder, standard), "uint16")

    def logit_maps(self, model: str) -> list[Path]:
        """Folders of the maps of logits of one network, in the order of `scans`.

        A network takes the whole machine for one scan.
        """
        return self._mapped(f"prediction {model}", partial(self.logit_map, model), workers=1)

    def candidate_folders(self, model: str) -> list[Path]:
        """Folders of the candidates of one model, in the order of `scans`."""
        cache, params = self._study.cache, self._params
        if model == BASELINE:
            function = partial(baseline_cached, cache, params.evaluation.dark_blobs)
            return self._mapped(f"prediction {model}", function)
        function = partial(found_cached, cache, params.inference)
        return self._mapped(f"candidates {model}", function, self._items(model, self._maps))

    def _items(self, model: str, folders) -> list[tuple[str, StandardScan, Path]]:
        """(model, scan, folder) of each scan; the folders are ``folders(model)``."""
        return [(model, *pair) for pair in zip(self.scans, folders(model), strict=True)]

    def _mapped(self, step: str, function, items=None, **options) -> list:
        """What a function makes of each scan, or of items of `_items`; see `map_cached`."""
        return map_cached(
            self._study.cache,
            function,
            self.scans if items is None else items,
            step=step,
            name=lambda item: (item if items is None else item[1]).scan.uid,
            **{"workers": self._params.workers} | options,
        )

    @cached_property
    def _evaluated(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Matches and scan rows of all models."""
        function = partial(evaluate_cached, self._study.cache, self._params.evaluation)
        found = {m: self._of_candidates(f"evaluation {m}", m, function) for m in self.models}
        matches = {m: concatenated([pair[0] for pair in pairs]) for m, pairs in found.items()}
        rows = {m: pd.DataFrame([pair[1] for pair in pairs]) for m, pairs in found.items()}
        return self._together(matches), self._together(rows)

    def _of_candidates(self, step: str, model: str, function) -> list:
        """What a function makes of (model, scan, folder of the candidates), scan by scan."""
        items = self._items(model, self._folders)
        return self._mapped(step, function, items, cluster=self._params.cluster)

    def _together(self, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """One table of those of the models; as in the thesis, all validation scans are Valid."""
        named = [table.assign(model=model) for model, table in tables.items()]
        table = pd.concat(named, ignore_index=True)
        split = self._study.cohort.table.set_index("uid")["split"]
        valid = table["uid"].map(split) == "valid"
        return table.assign(source=table["dataset"], dataset=table["dataset"].mask(valid, "Valid"))

    @cached_property
    def matches(self) -> pd.DataFrame:
        """One row per true positive, false positive and false negative, with all about it.

        A subgroup is a filter on it; `evaluation.match_table.COLUMNS` says what is in it.
        """
        from cmbkit.evaluation.match_table import match_table

        found = self._evaluated[0]
        score = found["score"].astype(float)
        probability = pd.Series(np.nan, found.index)
        for model, calibration in self.calibrations.items():
            own = found["model"] == model
            probability[own] = calibration.probability(score[own])
        found = found.assign(probability=probability)
        return match_table(found, self._study.cohort.table, self.features)

    @cached_property
    def scan_rows(self) -> pd.DataFrame:
        """One row per model and scan: counts and rates, with the scan's acquisition."""
        rows = self._evaluated[1]
        columns = ["uid", "sequence", "slice_thickness_mm", "in_plane_mm", "resolution_level"]
        scans = self._study.cohort.table[[*columns, "cmb_level", "n_cmb"]]
        return rows.merge(scans, on="uid", how="left", validate="many_to_one")

    @cached_property
    def predicted_features(self) -> pd.DataFrame:
        """One row per candidate of every model."""
        function = partial(candidate_features, self._study.cache)
        found = {m: self._of_candidates(f"features {m}", m, function) for m in self.models}
        return self._together({m: concatenated(tables) for m, tables in found.items()})

    @cached_property
    def features(self) -> pd.DataFrame:
        """Features of annotated CMBs and, with their ``model``, of all candidates."""
        return pd.concat([self._study.cohort.features, self.predicted_features], ignore_index=True)

    def native_scan_rows(self, models: list[str]) -> pd.DataFrame:
        """As `scan_rows` for some models, compared on the scans' own grids (section 9.4)."""
        function = partial(evaluate_native, self._study.cache, self._params.evaluation)
        found = {m: self._of_candidates(f"native grid {m}", m, function) for m in models}
        return self._together({m: pd.DataFrame(rows) for m, rows in found.items()})

    @cached_property
    def calls_by_rule(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Counts and found CMBs of every model by every matching rule (`evaluation.rules`)."""
        function = partial(rules_cached, self._study.cache)
        pairs = {m: self._of_candidates(f"rules {m}", m, function) for m in self.models}
        counts = {m: concatenated([counts for counts, _ in own]) for m, own in pairs.items()}
        found = {m: concatenated([found for _, found in own]) for m, own in pairs.items()}
        return self._together(counts), self._together(found)

    def operating_points(self, model: str) -> pd.DataFrame:
        """Detection on the validation scans for pairs of threshold and smallest size.

        Returns
        -------
        DataFrame
            threshold, minimum_voxels, tp, fp, fn, precision, recall, f1.
        """
        from cmbkit.study.operating import pairs

        variants = pairs(self._params.inference)
        keys = pd.DataFrame(list(variants), columns=["threshold", "minimum_voxels"])
        return keys.join(self._counted(model, list(variants.values()), ("valid",)), how="inner")

    def postprocessing_steps(self, model: str) -> pd.DataFrame:
        """Detection on validation and test scans as each step of post-processing is added.

        Returns
        -------
        DataFrame
            step, value (of its parameter), tp, fp, fn, precision, recall, f1; see
            `operating.steps`.
        """
        from cmbkit.study.operating import steps

        variants = steps(self._params.inference)
        keys = pd.DataFrame(list(variants), columns=["step", "value"])
        return keys.join(self._counted(model, list(variants.values()), ("valid", "test")))

    def curve_calls(self, models: list[str]) -> pd.DataFrame:
        """Candidates of models down to `curves.LOWEST_SOFTMAX` and missed CMBs.

        Columns uid, match, score, adds, model, dataset, source (see `matching.match_instances`).
        """
        found = {}
        for model in models:
            folders = self._folders if model == BASELINE else self._maps
            items = self._items(model, folders)
            calls = self._mapped(f"curves {model}", self._calls_of(model), items)
            named = zip(self.scans, calls, strict=True)
            found[model] = concatenated([t.assign(dataset=s.scan.dataset) for s, t in named])
        return self._together(found)

    def calls(self, model: str, standard: StandardScan) -> pd.DataFrame:
        """As `curve_calls`, of one model on one scan."""
        folder = self.candidate_folder if model == BASELINE else self.logit_map
        return self._calls_of(model)((model, standard, folder(model, standard)))

    def _calls_of(self, model: str):
        """Function of an item of `_items`."""
        from cmbkit.study.curves import calls_cached

        params = self._params
        blobs = params.evaluation.dark_blobs.model_dump()
        own = Inference(**blobs) if model == BASELINE else params.inference
        return partial(calls_cached, self._study.cache, own, params.evaluation)

    @cached_property
    def calibrations(self) -> dict:
        """`evaluation.calibration.Calibration` of each model, on the calls of validation scans.

        These chose the epoch that is kept and are in no training and no test. A model with too few
        calls there has none.
        """
        from cmbkit.evaluation.calibration import fit

        calls = self.curve_calls(self.models)
        valid = calls[calls["dataset"] == "Valid"]
        found = {model: fit(valid[valid["model"] == model]) for model in self.models}
        return {model: made for model, made in found.items() if made is not None}

    def _counted(self, model: str, variants: list[Inference], splits) -> pd.DataFrame:
        """Summed counts of variants and the rates from them, a row each; none without scans."""
        from cmbkit.evaluation.metrics import per_scan
        from cmbkit.study.operating import counts_cached

        split = self._study.cohort.table.set_index("uid")["split"]
        items = self._items(model, self._maps)
        items = [item for item in items if split[item[1].scan.uid] in splits]
        if not items:
            counts = pd.DataFrame(columns=["tp", "fp", "fn"], dtype=int)
            return per_scan(counts).drop(columns="fp_cmb")
        function = partial(counts_cached, self._study.cache, variants, self._params.evaluation)
        counts = self._mapped(f"operating points {model}", function, items)
        return per_scan(sum(counts)).drop(columns="fp_cmb")
