"""``cmbkit train``: phases of a parameter file without a notebook; ``cmbkit freeze`` keeps them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cmbkit.atomic import sweep
from cmbkit.params import Parameters, check_parameters, read_parameters
from cmbkit.study import Study, find_root
from cmbkit.study.frozen import freeze

SUMMARY = ("epoch", "val_loss", "count_f1", "count_precision", "segmentation_f1", "dice")


def train_command(
    parameter_file: Path,
    *,
    model: str = "scratch",
    phase: str | None = None,
    start: str | None = None,
    out: Path | None = None,
    fold: str | None = None,
    tell: Callable[[str], None] = print,
) -> list[Path]:
    """Train one phase, and what has to come before it, and say where the weights are.

    Parameters
    ----------
    model : {"scratch", "tl"}
    phase : {"pretrain", "finetune"}, optional
        Default "finetune". It starts from pre-training, which runs first, unless ``start`` is
        given.
    start : str, optional
        Weights to start from: a folder with ``network.json``, the name of shipped weights, or a
        weight file of the parameter file's network.
    out : Path, optional
        Folder for the chosen weights (`cmbkit.detector.network.weights.write_weights`); with
        several folds, ``fold<k>`` in it.
    fold : str, optional
        A number from 1 to ``cohort.folds``, or "all".

    Returns
    -------
    list of Path
        Folder of the phase, one for each fold.

    Raises
    ------
    ValueError, OSError, RuntimeError
        One line about what does not fit.
    """
    params = read_parameters(parameter_file)
    phase = phase or "finetune"
    for name, value, known in (
        ("--model", model, ("scratch", "tl")),
        ("--phase", phase, ("pretrain", "finetune")),
    ):
        if value not in known:
            raise ValueError(f"{name}: expected {' or '.join(known)}, found {value!r}")
    file = None
    if start is not None:
        params, file = _started_from(params, start, parameter_file)
    folders, rows = [], []
    for number in _folds(params, fold, parameter_file):
        values = params.model_dump()
        values["cohort"]["fold"] = number
        values["training"]["networks"] = "train"
        study = Study(find_root(parameter_file), **values)
        sweep(study.cache.root, study.raw.root)
        folder = _one(study, model, phase, file, parameter_file)
        folders.append(folder)
        keep = study.models.phase(model, phase).keep
        rows.append(_best_epoch(folder, keep) | {"fold": number})
        if out is not None:
            target = Path(out) if fold != "all" else Path(out) / f"fold{number}"
            _write(study, model, phase, folder, target, start)
            tell(f"weights: {target}")
        tell(f"training: {folder}")
    table = pd.DataFrame(rows).set_index("fold")
    tell(table.to_string() if fold else table.to_string(index=False))
    if fold == "all":
        tell(table[list(SUMMARY[1:])].agg(["mean", "std"]).to_string())
    return folders


def freeze_command(parameter_file: Path) -> str:
    """Freeze the trained networks of a parameter file; train first what is not in the cache.

    Returns a line for the user: folder, number of files and their size. Errors: as `train_command`.
    """
    folder = freeze(Study.read(parameter_file, training={"networks": "train"}))
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB"


def _folds(params: Parameters, fold: str | None, source) -> list[int | None]:
    count = params.cohort.folds
    if fold is None:
        return [params.cohort.fold]
    if count is None:
        raise ValueError(f"{source}: cohort.folds: expected a number for --fold, found none")
    if fold == "all":
        return list(range(1, count + 1))
    if not (fold.isdigit() and 1 <= int(fold) <= count):
        raise ValueError(f"--fold: expected 1 to {count} or all, found {fold!r}")
    return [int(fold)]


def _started_from(params: Parameters, start: str, source) -> tuple[Parameters, Path]:
    """Parameters with the network, grid and inference of the weights, and the weight file.

    What the parameter file says itself stays; it must agree where the weights depend on it.
    """
    if Path(start).is_file():
        return params, Path(start)
    from cmbkit.detector.network.weights import FILE, describe_weights

    folder, found = describe_weights(start)
    values = params.model_dump(exclude_unset=True)
    wanted = found.network.model_dump(exclude={"patch_size", "l2", "lesion_prior"})
    if "network" in values:
        given = params.network.model_dump()
        other = [name for name, value in wanted.items() if given[name] != value]
        if other:
            raise ValueError(
                f"{source}: network.{other[0]}: expected {wanted[other[0]]} as in {folder}, "
                f"found {given[other[0]]}; leave out the section network to use that of the weights"
            )
    spacing = found.preprocessing.spacing_mm
    if "preprocessing" in values and params.preprocessing.spacing_mm != spacing:
        raise ValueError(
            f"{source}: preprocessing.spacing_mm: expected {spacing} as in {folder}, "
            f"found {params.preprocessing.spacing_mm}"
        )
    inference = found.look.alone if found.look else found.inference
    wanted = {"network": found.network, "preprocessing": found.preprocessing}
    for name, section in (wanted | {"inference": inference}).items():
        values.setdefault(name, section.model_dump())
    training = values.setdefault("training", {})
    training.setdefault("validation_threshold", inference.threshold)
    training.setdefault("validation_minimum_voxels", inference.minimum_voxels)
    return check_parameters(values, source), folder / FILE


def _one(study: Study, model: str, phase: str, start: Path | None, source) -> Path:
    datasets = study.models.phase(model, phase).datasets
    for split, chosen in (("train", datasets), ("valid", None)):
        if not study.cohort.split(split, datasets=chosen):
            there = study.cohort.table.groupby("dataset")["split"].unique().map(list).to_dict()
            where = f" of {', '.join(datasets)}" if chosen else ""
            raise ValueError(f"{source}: expected scans{where} in split {split}, found {there}")
    return study.models.folder(model, phase, start)


def _best_epoch(folder: Path, keep: str) -> dict:
    from cmbkit.detector.training.phase import kept_epoch

    history = pd.read_csv(folder / "history.csv")
    return history.loc[kept_epoch(history, keep), list(SUMMARY)].to_dict()


def _write(study: Study, model: str, phase: str, folder: Path, out: Path, start) -> None:
    from cmbkit.detector.network.weights import write_weights
    from cmbkit.detector.training.phase import weight_file

    params, settings = study.params, study.models.phase(model, phase)
    scans = study.cohort.split("train", datasets=settings.datasets)
    names = sorted({s.scan.dataset for s in scans})
    made = " (synthetic)" if any(s.scan.synthetic for s in scans) else ""
    write_weights(
        out,
        folder / weight_file(settings.keep),
        name=f"{params.profile}-{model}-{phase}",
        trained_on=f"{len(scans)} scans of {', '.join(names)}{made}",
        network=params.network,
        preprocessing=params.preprocessing,
        inference=params.inference,
        training={
            "from": start and Path(start).name,
            "fold": params.cohort.fold,
            **_best_epoch(folder, settings.keep),
        },
    )
