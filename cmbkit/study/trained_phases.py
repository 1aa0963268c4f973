"""Training: the source network, two phases from scratch and two from carried weights."""

from __future__ import annotations

import shutil
from functools import cached_property, partial
from pathlib import Path

from cmbkit.params import Network, Phase
from cmbkit.study.frozen import frozen_folder


class TrainedPhases:
    """Phases of a study, trained when first asked for and kept in the cache, or frozen."""

    def __init__(self, study):
        self._study = study

    @property
    def _training(self):
        return self._study.params.training

    def phase(self, model: str, phase: str) -> Phase:
        """Parameters of one phase of one model (``"scratch"`` or ``"tl"``)."""
        name = phase if model == "scratch" else f"{phase}_tl"
        return getattr(self._training, name)

    @property
    def _seed(self) -> int:
        """What weights, patches and augmentation are drawn by; the cohort has the study's seed."""
        return self._training.seed if self._training.seed is not None else self._study.params.seed

    @cached_property
    def _frozen(self) -> Path | None:
        """Folder of the frozen networks; None where networks are trained here or given."""
        if self._training.networks != "frozen":
            return None
        return frozen_folder(self._study.root, self._study.params)

    @cached_property
    def _memory(self):
        """Training scans in memory, shared by the phases."""
        from cmbkit.detector.patches.sampling import ScanMemory

        return ScanMemory.of(self._training)

    def source(self) -> Path:
        """Source network (3 inputs, 5 classes): the user's, or one that stands in for Apollo."""
        from cmbkit.detector.network.transfer import WEIGHTS
        from cmbkit.detector.training import source_task

        params = self._study.params
        if params.training.source_weights:
            path = self._study.root / params.training.source_weights
            return path / WEIGHTS if path.is_dir() else path
        if self._frozen:
            return self._frozen / "source" / WEIGHTS
        inputs = {
            "network": params.network,
            "steps": params.training.source_steps,
            "spacing": params.training.source_spacing_mm,
            "seed": self._seed,
        }
        folder = self._study.cache.get(
            "models",
            "source",
            inputs,
            lambda folder: source_task.train_source(
                params.network,
                params.training,
                folder,
                seed=self._seed,
                step="training source",
            ),
            code=[source_task.train_source],
            resumable=True,
        )
        return folder / WEIGHTS

    def folder(self, model: str, phase: str, start: Path | None = None) -> Path:
        """Folder of a trained phase; trains it first if it is neither frozen nor in the cache.

        Parameters
        ----------
        model : {"scratch", "tl"}
        phase : {"pretrain", "finetune"}
        start : Path, optional
            Weight file of this study's network to start from, instead of what comes before the
            phase.
        """
        if self._frozen and start is None:
            return self._frozen / f"{model}-{phase}"
        from cmbkit.detector.inference.engines import keep
        from cmbkit.detector.patches.hard_negatives import FILE, NO_ALARMS, FalseAlarms
        from cmbkit.detector.training import phase as training
        from cmbkit.detector.training.validation import depends_on

        study, params = self._study, self._study.params
        settings = self.phase(model, phase)
        train_scans = study.cohort.split("train", datasets=settings.datasets)
        valid_scans = study.cohort.split("valid")
        given, start = start is not None, start or self._start(model, phase)
        item = f"{model}-{phase}" + ("-from" if given else "")
        if params.cohort.fold is not None:
            item += f"-fold{params.cohort.fold}of{params.cohort.folds}"
        inputs = {
            "train": [s.folder for s in train_scans],
            "valid": [s.folder for s in valid_scans],
            "network": params.network,
            "phase": settings,
            "training": params.training.shared,
            "validation": depends_on(params.training, params.inference, params.evaluation),
            "start": start,
            "given": given,
            "rename": params.training.source_rename,
            "seed": self._seed,
        }

        share = getattr(settings, "false_alarms", 0)
        if share:
            initial = partial(self._initial, model, phase, start, given)
            inputs["alarms"] = self._false_alarms(f"{item}-alarms", initial, start, train_scans)

        def compute(folder: Path) -> None:
            network = self._initial(model, phase, start, given, folder)
            alarms = NO_ALARMS
            if share:
                shutil.copyfile(inputs["alarms"], folder / FILE)
                alarms = FalseAlarms.read(folder / FILE, share)
            training.train(
                network,
                train_scans,
                valid_scans,
                settings,
                params.training,
                params.inference,
                params.evaluation,
                folder,
                seed=self._seed,
                step=f"training {item}",
                snapshots=self.watched(),
                memory=self._memory,
                alarms=alarms,
            )
            if phase == "finetune":
                kept = partial(training.load, folder, params.network, settings.keep)
                keep(
                    *self._kept(folder / training.weight_file(settings.keep), kept, params.network)
                )

        code = [training.train, TrainedPhases._initial]
        return study.cache.get("models", item, inputs, compute, code=code, resumable=True)

    def phase_weights(self, model: str, phase: str) -> Path:
        """Weight file of a trained phase: what its ``keep`` chose."""
        from cmbkit.detector.training.phase import weight_file

        return self.folder(model, phase) / weight_file(self.phase(model, phase).keep)

    def _start(self, model: str, phase: str) -> Path | None:
        """Weight file that a phase starts from; None for random weights."""
        if phase == "finetune":
            return self.phase_weights(model, "pretrain")
        return self.source() if model == "tl" else None

    def _initial(self, model: str, phase: str, start: Path | None, given: bool, folder: Path):
        """The network at the start of a phase; writes the transfer report when it applies."""
        from cmbkit.detector.network import transfer, weights
        from cmbkit.detector.network import unet as network

        params = self._study.params
        fresh = network.build(params.network, seed=self._seed)
        if given or phase == "finetune":
            weights.load_whole(fresh, start)
        elif model == "tl":
            source = transfer.read_source(start, params.network, params.training.source_rename)
            report = transfer.carry_weights(source, fresh)
            report.to_csv(folder / "transfer.csv", index=False)
        return fresh

    def _false_alarms(self, item: str, initial, start: Path, scans) -> Path:
        """Table of places where the network that ``initial`` builds from ``start`` is wrong."""
        from cmbkit.detector.inference.tiled import Predictor
        from cmbkit.detector.patches import hard_negatives as false_alarms

        params = self._study.params
        search = false_alarms.searched(params.inference)
        inputs = {
            "start": start,
            "network": params.network,
            "inference": search,
            "scans": [scan.folder for scan in scans],
        }

        def compute(folder: Path) -> None:
            predictor = Predictor.of(initial(folder), search)
            found = false_alarms.find_false_alarms(predictor, scans, step="false alarms")
            found.to_csv(folder / false_alarms.FILE, index=False)

        code = [false_alarms.find_false_alarms, TrainedPhases._initial]
        folder = self._study.cache.get("models", item, inputs, compute, code=code)
        return folder / false_alarms.FILE

    def watched(self, count: int = 2) -> list[tuple[str, int]]:
        """CMBs of validation scans whose prediction is followed over the epochs (Figure 7.2).

        Of each scan the one with the highest contrast, and of these the highest: a faint one is
        never found and shows nothing. A phase in the cache does not depend on this choice, which
        takes reading every validation scan: a new rule shows in the phases trained after it.
        """
        from cmbkit.features.clearest import clearest_of

        found = []
        for standard in self._study.cohort.split("valid"):
            clearest = clearest_of(standard)
            if clearest is not None:
                id, contrast = clearest
                found.append((-contrast, standard.scan.uid, id))
        return [(uid, id) for _, uid, id in sorted(found)[:count]]

    def _kept(self, weights: Path, build, network: Network) -> tuple:
        """Arguments of `engines.keep` for a weight file."""
        from cmbkit.running.file_hashes import file_hash

        return file_hash(weights), network.patch_size, self._study.params.inference, build
