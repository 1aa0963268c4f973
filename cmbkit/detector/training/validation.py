"""How well the network does on validation scans after an epoch (section 6.5.4).

The counts here serve model selection only; who matches whom is `cmbkit.evaluation.matching`'s.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from cmbkit.boxes import cut_box
from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.tiled import Predictor, predict_standard
from cmbkit.detector.inference.tiles import holds_any, tile_starts
from cmbkit.detector.patches.sampling import SampledScan, random_start
from cmbkit.evaluation.matching import match
from cmbkit.params import Evaluation, Inference, Training
from cmbkit.records import StandardScan

LOSS_TILES = 4


def inference_for(training: Training, inference: Inference) -> Inference:
    """Inference settings that validation goes by.

    Threshold and smallest size are those of ``training``, so that those of inference can change
    without another training. Patches are predicted by Keras (for a few of them per epoch,
    converting the network to another engine would not pay), scans as at inference.
    """
    changes: dict = {
        "threshold": training.validation_threshold,
        "minimum_voxels": training.validation_minimum_voxels,
    }
    if training.validation_patches_per_scan is not None:
        changes |= {"engine": "keras", "precision": "float32"}
    return inference.model_copy(update=changes)


def depends_on(training: Training, inference: Inference, evaluation: Evaluation) -> dict:
    """The settings of inference and matching that the metrics of validation depend on.

    Not on batch size and engine; of patches, tiling and brain do not matter either.
    """
    used = inference_for(training, inference).model_dump(
        mode="json", exclude={"batch_size", "engine"}
    )
    if training.validation_patches_per_scan is not None:
        used = {name: used[name] for name in ("threshold", "connectivity", "minimum_voxels")}
    return used | evaluation.of_matching


def balanced_subset(
    scans: list[StandardScan], share: float, rng: np.random.Generator
) -> list[StandardScan]:
    """Draw a share of the scans, as many healthy as unhealthy ones where there are enough."""
    if share >= 1:
        return list(scans)
    wanted = max(2, round(share * len(scans)))
    ill = [scan for scan in scans if len(scan.microbleeds())]
    healthy = [scan for scan in scans if not len(scan.microbleeds())]
    n_ill = min(len(ill), max(wanted // 2, wanted - len(healthy)))
    n_healthy = min(len(healthy), wanted - n_ill)
    chosen = [ill[i] for i in sorted(rng.permutation(len(ill))[:n_ill])]
    return chosen + [healthy[i] for i in sorted(rng.permutation(len(healthy))[:n_healthy])]


@dataclass
class Tally:
    """Running sums over scans or patches; `evaluation` says how to match."""

    evaluation: Evaluation
    tp: int = 0
    fp: int = 0
    fn: int = 0
    pair_dice: list[float] = field(default_factory=list)
    shared_voxels: int = 0
    voxels: int = 0
    losses: list[float] = field(default_factory=list)

    def add(self, truth: np.ndarray, found: np.ndarray, spacing_mm: float) -> None:
        """Count one pair of instance-labelled arrays on a grid of ``spacing_mm``."""
        matches = match(
            truth,
            found,
            spacing_mm,
            rule=self.evaluation.matching,
            max_distance_mm=self.evaluation.max_distance_mm,
            assignment=self.evaluation.assignment,
        )
        self.tp += int((matches["match"] == "TP").sum())
        self.fp += int((matches["match"] == "FP").sum())
        self.fn += int((matches["match"] == "FN").sum())
        self.pair_dice += matches["dice"].dropna().tolist()
        self.shared_voxels += int(np.sum((truth > 0) & (found > 0)))
        self.voxels += int(np.sum(truth > 0) + np.sum(found > 0))

    def metrics(self) -> dict[str, float]:
        """``loss``, ``count_f1``, ``count_precision``, ``segmentation_f1``, ``dice``.

        NaN where undefined: F1 without any CMB or candidate, precision without a candidate,
        ``segmentation_f1`` (mean Dice of the matched pairs) without a pair, ``dice`` (over all
        voxels) without a voxel.
        """
        calls = 2 * self.tp + self.fp + self.fn
        found = self.tp + self.fp
        return {
            "loss": float(np.mean(self.losses)) if self.losses else np.nan,
            "count_f1": 2 * self.tp / calls if calls else np.nan,
            "count_precision": self.tp / found if found else np.nan,
            "segmentation_f1": float(np.mean(self.pair_dice)) if self.pair_dice else np.nan,
            "dice": 2 * self.shared_voxels / self.voxels if self.voxels else np.nan,
        }


def _loss_of(probability: np.ndarray, truth: np.ndarray, loss) -> float:
    """Loss of patches taken together as one batch; both arrays (n, x, y, z)."""
    classes = np.stack([1 - probability, probability], axis=-1)
    return float(loss((truth > 0).astype(np.int32), classes))


def add_scan(tally: Tally, predictor: Predictor, scan: StandardScan, loss) -> None:
    """Predict a whole scan, as at inference, and count; the loss is a mean over tiles."""
    image, logits = predict_standard(predictor, scan)
    brain, lesions = scan.brain().data, scan.lesions().data
    labels = scan.labels().data
    probability = expit(logits)
    found, _ = candidates(logits, labels, image.spacing, predictor.params)
    tally.add(lesions, found, float(image.spacing.mean()))
    starts = tile_starts(image.shape, predictor.tile, 0)
    starts = starts[holds_any(brain, starts, predictor.tile)]
    values = []
    for first in range(0, len(starts), LOSS_TILES):
        chosen = starts[first : first + LOSS_TILES]
        pieces = [
            [cut_box(x, s, predictor.tile, 0) for s in chosen] for x in (probability, lesions)
        ]
        values.append(_loss_of(*map(np.stack, pieces), loss))
    tally.losses.append(float(np.mean(values)))


def add_patches(
    tally: Tally, predictor: Predictor, scan: SampledScan, n: int, loss, rng: np.random.Generator
) -> None:
    """Predict ``n`` patches: up to half around CMBs (centred), the others anywhere."""
    tile = np.array(predictor.tile)
    chosen = rng.permutation(len(scan.ids))[: (n + 1) // 2]
    starts = [np.rint(scan.centres[i] - tile / 2).astype(int) for i in chosen]
    starts += [random_start(scan.image.shape, tile, rng) for _ in range(n - len(starts))]
    images = [cut_box(scan.image, s, tile, scan.background) for s in starts]
    truths = np.stack([cut_box(scan.lesions, s, tile, 0) for s in starts])
    logits = predictor.evidence(np.stack(images).astype(np.float32))
    for own, truth in zip(logits, truths, strict=True):
        found, _ = candidates(own, None, scan.spacing_mm, predictor.params)
        tally.add(truth, found, scan.spacing_mm)
    tally.losses.append(_loss_of(expit(logits), truths, loss))


def validate(
    predictor: Predictor,
    scans: list[StandardScan],
    training: Training,
    evaluation: Evaluation,
    loss,
    memory,
    seed: int,
) -> dict[str, float]:
    """Metrics over ``scans`` (see `Tally.metrics`).

    Whole scans, as in the thesis, or ``training.validation_patches_per_scan`` patches of each at
    the same places from epoch to epoch (``seed``); ``memory`` keeps their scans.
    """
    tally = Tally(evaluation)
    for scan in scans:
        if training.validation_patches_per_scan is None:
            add_scan(tally, predictor, scan, loss)
        else:
            rng = np.random.default_rng([seed, *scan.scan.uid.encode()])
            n = training.validation_patches_per_scan
            add_patches(tally, predictor, memory.get(scan), n, loss, rng)
    return tally.metrics()
