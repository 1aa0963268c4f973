"""The state of an unfinished training phase on disk, and what its metrics reached so far."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cmbkit.atomic import whole_file
from cmbkit.running.report import report_line

METRICS = ("loss", "count_f1", "count_precision", "segmentation_f1", "dice")
FILE = "checkpoint.npz"
PROGRESS = "progress"


class CheckpointError(ValueError):
    """A checkpoint cannot be taken up; the message names file, expected and found."""


@dataclass
class Progress:
    """How far a phase has come.

    Attributes
    ----------
    best : dict
        Best rank of each metric: (value, tie break), higher is better.
    improved : list of str
        Validation metrics that the last epoch improved.
    """

    keep: str  # metric of the phase; while it or a loss improves, the phase goes on
    history: list[dict] = field(default_factory=list)  # one row per finished epoch
    losses: list[float] = field(default_factory=list)  # training loss of each gradient step
    # best rank of each metric: (value, tie break), higher is better
    best: dict[str, tuple[float, float]] = field(default_factory=dict)
    waited: int = 0  # epochs since the training loss, the validation loss or ``keep`` improved
    improved: list[str] = field(default_factory=list)  # by the last epoch, on validation

    @property
    def epoch(self) -> int:
        """The last finished epoch, 0 before the first."""
        return len(self.history)

    def add(self, train_loss: float, metrics: dict[str, float], row: dict) -> None:
        """Enter an epoch. Of equal metrics the one with the lower loss counts as better."""
        ranks = {name: (metrics[name], -metrics["loss"]) for name in METRICS if name != "loss"}
        ranks["loss"] = (-metrics["loss"], 0.0)
        ranks["train_loss"] = (-train_loss, 0.0)
        better = [
            name
            for name, rank in ranks.items()
            if np.isfinite(rank[0]) and rank > self.best.get(name, (-np.inf, 0.0))
        ]
        self.best |= {name: ranks[name] for name in better}
        self.waited = 0 if {"train_loss", "loss", self.keep} & set(better) else self.waited + 1
        self.improved = [name for name in better if name != "train_loss"]
        self.history.append(row)


def write_checkpoint(folder: Path, state: dict[str, np.ndarray], progress: Progress, config: dict):
    """Write ``checkpoint.npz`` in one go: an earlier one stays whole until the new one is.

    ``state`` is that of `cmbkit.detector.training.steps.GradientSteps`, ``config`` what the
    training depends on, which `read_checkpoint` compares.
    """
    text = json.dumps({"config": config, "progress": vars(progress)})
    with whole_file(folder / FILE) as part, open(part, "wb") as stream:
        np.savez(stream, **state, **{PROGRESS: np.array(text)})
        stream.flush()
        os.fsync(stream.fileno())


def read_checkpoint(folder: Path, config: dict) -> tuple[dict[str, np.ndarray], Progress] | None:
    """State and progress of the unfinished training in ``folder``; None where there is none.

    Of a damaged one a line is told: the phase begins anew.

    Raises
    ------
    CheckpointError
        If it belongs to another training.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            state = {name: stored[name] for name in stored.files if name != PROGRESS}
            found = json.loads(str(stored[PROGRESS]))
    except Exception as error:  # also of zipfile and zlib
        found = str(error).partition("\n")[0] or type(error).__name__
        report_line(f"{path}: expected a checkpoint, found: {found}; the phase begins anew")
        return None
    wanted = json.loads(json.dumps(config))
    other = sorted(k for k in wanted | found["config"] if wanted.get(k) != found["config"].get(k))
    if other:
        raise CheckpointError(
            f"{path}: expected the checkpoint of this training, found one with another "
            f"{', '.join(other)}; use another folder, or delete the file"
        )
    told = found["progress"]
    told["best"] = {name: tuple(rank) for name, rank in told["best"].items()}
    return state, Progress(**told)
