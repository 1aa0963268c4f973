"""Networks of a study: its own after training, or given ones; what they are and what they left."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from pathlib import Path

import pandas as pd

from cmbkit.params import Network
from cmbkit.study.given_networks import describe_given
from cmbkit.study.trained_phases import TrainedPhases

PHASES = ("pretrain", "finetune")
REPORT = ["tensor", "source_shape", "target_shape", "action", "parameters"]
"""Columns of a transfer report (`cmbkit.detector.network.transfer.carry_weights`)."""


class ModelStage(TrainedPhases):
    """Networks of a study: phases in the cache or frozen, or given ones in their own folders."""

    @cached_property
    def given(self) -> dict:
        """Folder and description of each network that is only evaluated, by name."""
        return describe_given(self._study.params, self._study.root)

    @property
    def names(self) -> list[str]:
        """What the networks are called; the first is the one that is looked at closely."""
        return list(self.given) or list(self._training.models)

    @property
    def phases(self) -> list[tuple[str, str]]:
        """Model and phase of every training; none where networks are given."""
        return [] if self.given else list(product(self._training.models, PHASES))

    def network(self, model: str) -> Network:
        """Parameters of one network."""
        return self.given[model][1].network if self.given else self._study.params.network

    def parameter_count(self) -> int:
        """Number of parameters of the network, counted by building it once."""
        from cmbkit.detector.network import unet as network

        def compute(folder: Path) -> None:
            count = network.build(self._study.params.network).count_params()
            (folder / "parameters.txt").write_text(str(count))

        inputs = {"network": self._study.params.network}
        folder = self._study.cache.get("models", "size", inputs, compute, code=[network.build])
        return int((folder / "parameters.txt").read_text())

    def load(self, model: str):
        """The network of a model; of one that is trained, after fine-tuning."""
        from cmbkit.detector.network.weights import read_weights
        from cmbkit.detector.training import phase as training

        if self.given:
            return read_weights(self.given[model][0]).model
        keep = self.phase(model, "finetune").keep
        folder = self.folder(model, "finetune")
        return training.load(folder, self._study.params.network, keep)

    def predictor(self, model: str):
        """The final network of a model, set up with the study's inference parameters.

        Converted for OpenVINO, where that runs it, and kept for notebooks to come: these are
        spared the import of TensorFlow.
        """
        from cmbkit.detector.inference.engines import engine_for
        from cmbkit.detector.inference.ready import predictor_for
        from cmbkit.detector.inference.tiled import Predictor

        if self.given:
            return predictor_for(self.given[model][0], self._study.params.inference)
        kept = self._kept(self.weights(model), lambda: self.load(model), self.network(model))
        engine = engine_for(*kept)
        return Predictor(engine, self._study.params.inference)

    def weights(self, model: str) -> Path:
        """Weight file that `load` reads: the given one, or that of fine-tuning."""
        from cmbkit.detector.network.weights import FILE

        if self.given:
            return self.given[model][0] / FILE
        return self.phase_weights(model, "finetune")

    def as_input(self, model: str) -> dict:
        """What a map of a network depends on: its parameters, weights and second look."""
        found = {"weights": self.weights(model), "network": self.network(model)}
        if self.given and self.given[model][1].look:
            found["look"] = self.given[model][1].look.digest
        return found

    @cached_property
    def weight_hashes(self) -> dict[str, str]:
        """SHA-256 of each model's final weights (of file, or of both networks; see `digest`)."""
        from cmbkit.running.file_hashes import sha256

        if self.given:
            return {model: found.digest for model, (_, found) in self.given.items()}
        return {model: sha256(self.weights(model)) for model in self.names}

    def history(self, model: str, phase: str) -> pd.DataFrame:
        """One row per epoch of a phase."""
        return pd.read_csv(self.folder(model, phase) / "history.csv")

    def step_losses(self, model: str, phase: str) -> pd.DataFrame:
        """Training loss at each gradient step of a phase: step, train_loss.

        No rows where a phase was frozen before these were kept.
        """
        from cmbkit.detector.training.phase import STEPS

        path = self.folder(model, phase) / STEPS
        return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["step", "train_loss"])

    def transfer_report(self) -> pd.DataFrame:
        """What became of each tensor of the source network; no rows where none is carried."""
        if ("tl", "pretrain") not in self.phases:
            return pd.DataFrame(columns=REPORT)
        return pd.read_csv(self.folder("tl", "pretrain") / "transfer.csv")

    def snapshots(self, model: str, phase: str) -> dict:
        """Followed CMBs of a phase (`detector.training.snapshots`); none without such a phase."""
        from cmbkit.detector.training.snapshots import read_snapshots

        return read_snapshots(self.folder(model, phase)) if (model, phase) in self.phases else {}

    def false_alarms(self, model: str, phase: str) -> int:
        """Number of places that a phase drew patches from because a network was wrong there."""
        from cmbkit.detector.patches.hard_negatives import places_in

        return places_in(self.folder(model, phase))


PREDICTOR = (ModelStage.predictor, TrainedPhases._kept, ModelStage.load)
"""Code that sets a trained network up for prediction."""
