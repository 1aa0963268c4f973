"""Predictions of the trained networks and of the untrained baseline, and their matches."""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from cmbkit.records import StandardScan
from cmbkit.running.map_scans import map_scans
from cmbkit.study.cohort import concatenated, describe_cached
from cmbkit.study.scan_results import (
    BASELINE,
    baseline_cached,
    evaluate_cached,
    found_cached,
    predicted_file,
)


class ResultStage:
    """What the detectors found on the validation and test scans of a study."""

    def __init__(self, study):
        self._study = study
        self._predictor = lru_cache(maxsize=1)(study.models.predictor)

    def predictor(self, model: str):
        """The network of a model ready to predict; the last one used is kept."""
        return self._predictor(model)

    @property
    def _params(self):
        return self._study.params

    @property
    def models(self) -> list[str]:
        """Trained models, then the untrained baseline."""
        return [*self._params.training.models, BASELINE]

    @cached_property
    def scans(self) -> list[StandardScan]:
        """Validation and test scans."""
        return self._study.cohort.split("valid", "test")

    def map(self, model: str, standard: StandardScan) -> Path:
        """Folder with the probability map of one network; predicts unless it is there.

        It does not depend on thresholds and post-processing.
        """
        from cmbkit.detector.inference import files as predict

        inputs = {
            "scan": standard.folder / "provenance.json",
            "inference": self._params.inference.of_map(),
            "weights": self._study.models.weights(model),
            "network": self._params.network,
        }
        return self._study.cache.get(
            f"maps/{model}",
            standard.scan.uid,
            predict.VERSION,
            inputs,
            lambda folder: predict.predict_map(self._predictor(model), standard, folder),
        )

    def predict(self, model: str, standard: StandardScan) -> Path:
        """Folder with the candidates of one model on one scan; predicts unless it is there."""
        if model == BASELINE:
            return baseline_cached(self._study.cache, standard)
        item = (model, standard, self.map(model, standard))
        return found_cached(self._study.cache, self._params.inference, item)

    def _workers(self, step: str) -> int:
        return self._study.workers_for(step, [standard.scan for standard in self.scans])

    def maps(self, model: str) -> list[Path]:
        """Folders of the probability maps of one network, in the order of `scans`.

        A network takes the whole machine for one scan.
        """
        return map_scans(
            partial(self.map, model),
            self.scans,
            step=f"prediction {model}",
            workers=1,
            name=lambda standard: standard.scan.uid,
        )

    def predictions(self, model: str) -> list[Path]:
        """Prediction folders of one model, in the order of `scans`."""
        cache, workers = self._study.cache, self._workers(f"predictions/{model}")
        if model == BASELINE:
            return map_scans(
                partial(baseline_cached, cache),
                self.scans,
                step=f"prediction {model}",
                workers=workers,
                name=lambda standard: standard.scan.uid,
            )
        items = [(model, *pair) for pair in zip(self.scans, self.maps(model), strict=True)]
        return map_scans(
            partial(found_cached, cache, self._params.inference),
            items,
            step=f"candidates {model}",
            workers=workers,
            name=lambda item: item[1].scan.uid,
        )

    @cached_property
    def _evaluated(self) -> dict[str, list]:
        evaluated = {}
        for model in self.models:
            folders = self.predictions(model)
            items = [(model, s, f) for s, f in zip(self.scans, folders, strict=True)]
            evaluated[model] = map_scans(
                partial(evaluate_cached, self._study.cache, self._params.evaluation),
                items,
                step=f"evaluation {model}",
                workers=self._study.workers_for(
                    f"evaluation/{model}", [s.scan for s in self.scans]
                ),
                name=lambda item: item[1].scan.uid,
                cluster=self._study.params.cluster,
            )
        return evaluated

    def _gather(self, position: int) -> pd.DataFrame:
        tables = []
        for model, results in self._evaluated.items():
            parts = [result[position] for result in results]
            table = pd.DataFrame(parts) if position == 1 else concatenated(parts)
            tables.append(table.assign(model=model))
        table = pd.concat(tables, ignore_index=True)
        return self._with_group(table)

    def _with_group(self, table: pd.DataFrame) -> pd.DataFrame:
        """As the thesis groups them: validation scans of any dataset count as Valid."""
        split = self._study.cohort.table.set_index("uid")["split"]
        valid = table["uid"].map(split) == "valid"
        return table.assign(source=table["dataset"], dataset=table["dataset"].mask(valid, "Valid"))

    @cached_property
    def matches(self) -> pd.DataFrame:
        """One row per true positive, false positive and false negative, with all about it.

        A subgroup is a filter on it; `evaluation.match_table.COLUMNS` says what is in it.
        """
        from cmbkit.evaluation.match_table import match_table

        return match_table(self._gather(0), self._study.cohort.table, self.features)

    @cached_property
    def scan_rows(self) -> pd.DataFrame:
        """One row per model and scan: counts and rates, with the scan's acquisition."""
        rows = self._gather(1)
        columns = ["uid", "sequence", "slice_thickness_mm", "in_plane_mm", "resolution_level"]
        scans = self._study.cohort.table[[*columns, "cmb_level", "n_cmb"]]
        return rows.merge(scans, on="uid", how="left", validate="many_to_one")

    @cached_property
    def predicted_features(self) -> pd.DataFrame:
        """One row per candidate of every model."""
        return self._gather(2)

    @cached_property
    def native_predicted_features(self) -> pd.DataFrame:
        """One row per candidate of every model, on the scan's own grid."""
        tables = []
        for model in self.models:
            files = [
                predicted_file(folder, standard, "desc-cmbpred_dseg.nii.gz")
                for standard, folder in zip(self.scans, self.predictions(model), strict=True)
            ]
            step = f"features-native-predicted/{model}"
            found = map_scans(
                partial(describe_cached, self._study.cache, "native"),
                [(s, file, step) for s, file in zip(self.scans, files, strict=True)],
                step=step,
                name=lambda item: item[0].scan.uid,
            )
            tables.append(concatenated(found).assign(model=model))
        return self._with_group(pd.concat(tables, ignore_index=True))

    @cached_property
    def features(self) -> pd.DataFrame:
        """Features of annotated CMBs and, with their ``model``, of all candidates."""
        return pd.concat([self._study.cohort.features, self.predicted_features], ignore_index=True)

    def baseline(self) -> pd.DataFrame:
        """Detection of every model and of the untrained baseline, from summed counts.

        Returns
        -------
        DataFrame
            dataset, model, tp, fp, fn and the rates with 95 % intervals over patients.
        """
        from cmbkit.evaluation.statistics import summary

        rows = []
        for (dataset, model), scans in self.scan_rows.groupby(["dataset", "model"]):
            found = summary(scans, self._params.evaluation, self._params.seed)
            counts = {name: found[name] for name in ("tp", "fp", "fn")}
            names = ("pooled_precision", "pooled_recall", "pooled_f1", "fp_scan")
            texts = {n.removeprefix("pooled_"): _interval(found, n) for n in names}
            rows.append({"dataset": dataset, "model": model, **counts, **texts})
        return pd.DataFrame(rows)

    def forest(self, model: str = "scratch") -> pd.DataFrame:
        """F1 of all CMBs together by subgroup of scans, with 95 % intervals.

        Returns
        -------
        DataFrame
            factor, subgroup, dataset, scans, n (annotated CMBs), tp, fp, fn, f1, f1_low, f1_high,
            f1_thesis (what sections 8.1.1 and 8.1.3 state).
        """
        from cmbkit.chapters.evaluation import table_by
        from cmbkit.chapters.subgroup_analysis import thesis_pooled_f1

        parts = []
        for factor in ("sequence", "slice thickness", "in-plane resolution", "many CMBs"):
            table = table_by(
                factor,
                self.scan_rows,
                self._params.evaluation,
                model=model,
                seed=self._params.seed,
                numeric=True,
            )
            parts.append(table.assign(factor=factor, n=table["tp"] + table["fn"]))
        table = pd.concat(parts, ignore_index=True).rename(
            columns={"pooled_f1": "f1", "pooled_f1_low": "f1_low", "pooled_f1_high": "f1_high"}
        )
        table = table[table["n"] > 0].rename(columns={"n_scans": "scans"})
        names = zip(table["factor"], table["subgroup"], table["dataset"], strict=True)
        table["f1_thesis"] = [thesis_pooled_f1(*n) if model == "scratch" else np.nan for n in names]
        keys = ["factor", "subgroup", "dataset", "scans", "n", "tp", "fp", "fn"]
        return table[[*keys, "f1", "f1_low", "f1_high", "f1_thesis"]]


def _interval(found: dict, name: str) -> str:
    value, low, high = found[name], found[f"{name}_low"], found[f"{name}_high"]
    return f"{value:.3f} [{low:.2f}, {high:.2f}]" if np.isfinite(value) else "-"
