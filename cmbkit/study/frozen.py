"""Frozen networks: trained once and committed, so that any machine comes to the same tables.

Training ends with other weights on another processor. ``weights/<profile>/`` holds what a study
needs of its trained phases, each in a folder as the cache has it, and ``manifest.json``: hashes
of all files, the parameters that they were trained with, the commit and the processor. Weights
are HDF5, snapshots npz and all else is text: none of it can hold code.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from pydantic import BaseModel

from cmbkit.params import Parameters
from cmbkit.running.file_hashes import sha256
from cmbkit.running.provenance import software_versions

MANIFEST = "manifest.json"
SECTIONS = ("seed", "cohort", "preprocessing", "network", "training")
"""What networks depend on; of ``training`` not `FREE`, which change no weight."""
FREE = ("models", "networks", "tensorboard", "memory_gb")
KEPT = {
    "source": ("source.weights.h5", "config.json", "history.csv"),
    "scratch-pretrain": ("history.csv", "steps.csv", "snapshots/*.npz"),
    "tl-pretrain": ("history.csv", "steps.csv", "transfer.csv"),
    "scratch-finetune": ("history.csv", "steps.csv", "false_alarms.csv"),
    "tl-finetune": ("history.csv", "steps.csv", "false_alarms.csv"),
}
"""Files of each phase that are frozen; of fine-tuning also the weights that it keeps."""
TRAIN = "training: {networks: train} trains anew"


class FrozenError(ValueError):
    """Frozen networks cannot be used; one line that says why and what to do."""


def frozen_folder(root: Path, params: Parameters) -> Path:
    """The folder of a profile's frozen networks, once everything in it has been checked.

    Parameters
    ----------
    root : Path
        That of the study.
    params : Parameters
        Of what networks depend on, every value must be the one that they were trained with;
        inference and evaluation may differ.

    Raises
    ------
    FrozenError
        No such networks, trained with other parameters, a file missing or changed.
    """
    place = Path("weights") / params.profile
    folder = Path(root) / place
    if not (folder / MANIFEST).is_file():
        raise FrozenError(f"{place / MANIFEST}: expected frozen networks, found nothing; {TRAIN}")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    trained = manifest["parameters"]
    found = [text for name in SECTIONS for text in _differences(params, trained, name)]
    lacking = sorted(set(params.training.models) - set(trained["training"]["models"]))
    found += [f"no model {name}" for name in lacking]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise FrozenError(f"{place}: trained with {'; '.join(found[:3])}{more}; {TRAIN}")
    for name, expected in manifest["files"].items():
        path = folder / name
        actual = sha256(path) if path.is_file() else "nothing"
        if actual != expected:
            raise FrozenError(
                f"{place / name}: expected sha256 {expected[:12]}, found {actual[:12]}; "
                f"git checkout {place} brings it back, {TRAIN}"
            )
    return folder


def freeze(study) -> Path:
    """Copy what a study needs of its trained phases to ``weights/<profile>``.

    Phases that are not in the cache are trained first. What was frozen before is replaced.

    Parameters
    ----------
    study : cmbkit.study.Study
        With ``training.networks`` "train".

    Returns
    -------
    Path
        The folder.
    """
    models, params = study.models, study.params
    folders = {
        f"{model}-{phase}": models.folder(model, phase)
        for model, phase in product(params.training.models, ("pretrain", "finetune"))
    }
    if "tl" in params.training.models and not params.training.source_weights:
        folders["source"] = models.source().parent
    weights = {models.weights(model) for model in params.training.models}
    target = study.root / "weights" / params.profile
    shutil.rmtree(target, ignore_errors=True)
    for name, folder in folders.items():
        files = {path for pattern in KEPT[name] for path in folder.glob(pattern)}
        for path in sorted(files | {path for path in weights if path.parent == folder}):
            copy = target / name / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    manifest = {
        "profile": params.profile,
        "commit": commit_of(study.root),
        "processor": processor(),
        "software": software_versions(),
        "parameters": params.model_dump(mode="json", include={*SECTIONS, "inference"}),
        "files": {
            path.relative_to(target).as_posix(): sha256(path)
            for path in sorted(target.rglob("*"))
            if path.is_file()
        },
    }
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return target


def _differences(section: BaseModel, trained: Mapping, name: str, path: str = "") -> Iterator[str]:
    """Each parameter below ``name`` that is not as trained, with both values.

    One that was no parameter then counts as its default, one that is none now for nothing.
    """
    now, path = getattr(section, name), path + name
    default = type(section).model_fields[name].get_default(call_default_factory=True)
    if isinstance(now, BaseModel):
        then = trained.get(name) or {}
        names = [key for key in type(now).model_fields if path != "training" or key not in FREE]
        for key in names:
            yield from _differences(now, then, key, f"{path}.")
        return
    now = section.model_dump(mode="json", include={name})[name]
    then = trained.get(name, default)
    if now != then:
        yield f"{path} {then}, found {now}"


def commit_of(root: Path) -> str | None:
    """Hash of the commit that is checked out; None outside a repository."""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def made_at(root: Path) -> str:
    """The commit, and whether code or parameters are changed since; empty outside a repository."""
    commit = commit_of(root)
    if not commit:
        return ""
    compared = ["git", "-C", str(root), "diff", "--quiet", "HEAD", "--", "cmbkit", "params"]
    return commit + ", with changes" * bool(
        subprocess.run(compared, capture_output=True).returncode
    )


def processor() -> str:
    """Name of the processor, as the kernel tells it where it does."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
