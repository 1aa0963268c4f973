"""From raw datasets to standard scans and their described microbleeds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine

from cmbkit.params import Preprocessing
from cmbkit.phantom import truth
from cmbkit.records import Scan, StandardScan, cmb_level
from cmbkit.running.cache import Cache
from cmbkit.running.map_cached import map_cached
from cmbkit.study import refinement
from cmbkit.study.scan_inputs import scan_inputs
from cmbkit.volume import Volume


def preprocess_cached(
    cache: Cache, params: Preprocessing, scan: Scan, *, root: Path = Path()
) -> Path:
    """Preprocess one scan unless a valid result is there; returns its folder.

    ``root``: what folders of results made beforehand are relative to.
    """
    from cmbkit.preprocessing import pipeline

    inputs = {"scan": scan_inputs(scan), "preprocessing": params}
    params = params.placed(root)
    made = {name: Path(folder) / f"{scan.uid}.nii.gz" for name, folder in params.folders.items()}
    if made:
        inputs["made beforehand"] = {n: path for n, path in made.items() if path.is_file()}
    return cache.get(
        "preproc",
        scan.uid,
        inputs,
        lambda folder: pipeline.preprocess(scan, params, folder),
        code=[pipeline.preprocess],
    )


def describe_cached(
    cache: Cache,
    grid: str,
    item: tuple[StandardScan, Path | None, str],
) -> pd.DataFrame:
    """Features of a scan's CMBs, one row each.

    Parameters
    ----------
    cache : Cache
    grid : {"standard", "native"}
    item : (StandardScan, Path or None, str)
        The scan; a file of predicted CMBs on the standard grid, or None for the annotated ones;
        the folder in the cache, e.g. ``"features"``.
    """
    from cmbkit.features.grids import describe_scan

    standard, predicted, step = item
    inputs = {"preproc": standard.folder, "grid": grid}
    if predicted is not None:
        inputs["predicted"] = predicted

    def compute() -> pd.DataFrame:
        lesions = Volume.read(predicted, "uint16") if predicted is not None else None
        kind = "GT" if predicted is None else "Pred"
        return describe_scan(standard, lesions, grid=grid, type=kind)

    code, uid = [describe_cached], standard.scan.uid
    table = cache.table(step, uid, inputs, compute, code=code, name="features.tsv")
    return table.fillna({"reason": ""})


def concatenated(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table from many; empty ones are left out, unless all are (the columns stay)."""
    return pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)


class CohortStage:
    """Scans, splits, standard grid and features of a study."""

    def __init__(self, study):
        self._study = study

    @property
    def _params(self):
        return self._study.params

    def folder(self, dataset: str) -> Path:
        """Raw folder of a dataset; the synthetic one is made on first use."""
        if dataset in self._params.cohort.bids:
            return self._study.root / self._params.cohort.bids[dataset].root
        root = self._params.cohort.roots.get(dataset)
        if root:
            return self._study.root / root
        return self._synthetic_folder(dataset)

    def _synthetic_folder(self, dataset: str) -> Path:
        from cmbkit.phantom.cohort import build

        count = self._params.cohort.phantom_scans[dataset]
        momeni = self.folder("MOMENI") if dataset == "sMOMENI" else None
        model = self._params.cohort.phantom_model
        inputs = {"scans": count, "seed": self._params.seed, "model": model}
        if momeni:
            inputs["momeni"] = momeni
        return self._study.raw.get(
            "synthetic",
            dataset,
            inputs,
            lambda folder: build(
                dataset,
                count,
                self._params.seed,
                folder,
                momeni_folder=momeni,
                workers=self._params.workers,
                model=model,
            ),
            code=[build],
        )

    def _make_synthetic(self) -> None:
        """Make what is missing of the embedded cohort, datasets side by side in one pool.

        sMOMENI waits for MOMENI, which it is made from.
        """
        cohort = self._params.cohort
        names = [n for n in cohort.datasets if n not in cohort.roots and n != "sMOMENI"]
        if self._params.workers > 1 and names:
            with ThreadPoolExecutor(len(names)) as pool:
                for made in [pool.submit(self.folder, name) for name in names]:
                    made.result()

    @cached_property
    def scans(self) -> list[Scan]:
        """All scans, as the readers found them."""
        from cmbkit.datasets.registry import read_dataset, read_own

        self._make_synthetic()
        own, scans = self._params.cohort.bids, []
        for name in self._params.cohort.names:
            if name in own:
                scans += read_own(name, self.folder(name), own[name].leave_out)
            else:
                scans += read_dataset(name, self.folder(name))
        return scans

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per scan, with its split; CMBs counted after label refinement."""
        from cmbkit.datasets.registry import scan_table
        from cmbkit.datasets.splits import assign_splits

        table = scan_table(self.scans)
        table["n_cmb"] = [len(s.microbleeds()) for s in self.standard]
        table["cmb_level"] = table["n_cmb"].map(cmb_level)
        cohort = self._params.cohort
        table = assign_splits(
            table, cohort.validation_fraction, self._params.seed, cohort.own_splits
        )
        return table if cohort.folds is None else self._cross_validated(table)

    def _cross_validated(self, table: pd.DataFrame) -> pd.DataFrame:
        """Write ``folds.tsv``; with a fold chosen, it is the validation split."""
        from cmbkit.datasets.folds import assign_folds, foldable, split_by_fold

        cohort = self._params.cohort
        folds = assign_folds(foldable(table, cohort.own_splits), cohort.folds, self._params.seed)
        folds.to_csv(self._study.cache.root / "folds.tsv", sep="\t", index=False)
        return table if cohort.fold is None else split_by_fold(table, folds, cohort.fold)

    @cached_property
    def standard(self) -> list[StandardScan]:
        """All scans on the standard grid, in the order of `scans`."""
        inputs = self._study.cache, self._params.preprocessing
        function = partial(preprocess_cached, *inputs, root=self._study.root)
        folders = map_cached(
            self._study.cache,
            function,
            self.scans,
            step="preprocessing",
            workers=self._params.workers,
            name=lambda scan: scan.uid,
            cluster=self._params.cluster,
        )
        return [StandardScan(s, f) for s, f in zip(self.scans, folders, strict=True)]

    @cached_property
    def by_uid(self) -> dict[str, StandardScan]:
        """Standard scans by uid."""
        return {s.scan.uid: s for s in self.standard}

    def split(self, *names: str, datasets=None) -> list[StandardScan]:
        """Standard scans of the named splits, optionally of some datasets only."""
        chosen = self.table[self.table["split"].isin(names)]
        if datasets is not None:
            chosen = chosen[chosen["dataset"].isin(datasets)]
        return [self.by_uid[uid] for uid in chosen["uid"]]

    @cached_property
    def features(self) -> pd.DataFrame:
        """One row per annotated CMB of every scan, on the standard grid."""
        return self._features("standard", "features")

    @cached_property
    def native_features(self) -> pd.DataFrame:
        """One row per annotated CMB of every scan, on the scan's own grid."""
        return self._features("native", "features-native")

    def _features(self, grid: str, step: str) -> pd.DataFrame:
        tables = map_cached(
            self._study.cache,
            partial(describe_cached, self._study.cache, grid),
            [(standard, None, step) for standard in self.standard],
            step=step,
            workers=self._params.workers,
            name=lambda item: item[0].scan.uid,
            cluster=self._params.cluster,
        )
        told = self.microbleeds[["uid", "id", *refinement.TRUTH]]
        return concatenated(tables).merge(told, on=["uid", "id"], validate="one_to_one")

    @cached_property
    def microbleeds(self) -> pd.DataFrame:
        """One row per annotated CMB with its way through preprocessing.

        radius_true_mm and radius_visible_mm are missing where no truth is known; leaked: its
        grown region did (`cmbkit.phantom.truth`).
        """
        names = self._params.cohort.names
        told = {name: truth.read_truth(self.folder(name)) for name in names}
        params = self._params.preprocessing
        return self._of_each_scan(
            lambda s: refinement.microbleeds_of(s, told[s.scan.dataset], params)
        )

    @cached_property
    def refinement_trials(self) -> pd.DataFrame:
        """Every point and scribble grown with every setting (`refinement.trials`)."""
        return refinement.trials(self._study)

    @cached_property
    def mimics(self) -> pd.DataFrame:
        """What raters marked as looking like a CMB, one row each (CRB, CRBneg).

        Returns
        -------
        DataFrame
            uid, dataset, kind (as the rater named it), x_mm, y_mm, z_mm (RAS mm, the space in
            which features and matches have their centres).
        """
        rows = []
        for standard in self.standard:
            marked = standard.scan.annotation.mimics
            native = np.array(standard.record()["native"]["affine"]) if marked else None
            for mimic in marked:
                who = (standard.scan.uid, standard.scan.dataset, mimic.kind)
                rows.append((*who, *apply_affine(native, mimic.voxel)))
        columns = ["uid", "dataset", "kind", "x_mm", "y_mm", "z_mm"]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """What preprocessing changed: uid, dataset and `cmbkit.preprocessing.changes`' columns."""
        return self._of_each_scan(StandardScan.changes)

    def _of_each_scan(self, read: Callable[[StandardScan], pd.DataFrame]) -> pd.DataFrame:
        tables = [read(s).assign(uid=s.scan.uid, dataset=s.scan.dataset) for s in self.standard]
        return concatenated(tables)

    @cached_property
    def census(self) -> pd.DataFrame:
        """One row per scan: CMBs in each state, raters' marks, methods used.

        Returns
        -------
        DataFrame
            uid, dataset, annotated (raters' marks), refined, resampled, pruned, final (labels),
            collapsed (components of the final labels' binary mask), brain_mask, parcellation.
        """
        rows = []
        for record in (standard.record() for standard in self.standard):
            row = {name: record[name] for name in ("uid", "dataset", "annotated")}
            row |= record["counts"] | {"collapsed": record["components"]["final"]}
            rows.append(row | record["methods"])
        return pd.DataFrame(rows)
