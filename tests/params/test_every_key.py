"""Every key of the parameter model arrives through papermill's cell, and takes effect.

`OTHER` (every_key.yaml) holds for each key a value that `BASE` has not; `TAKES_EFFECT` where each
key takes effect: an observation that must come out differently, or the file whose code must read
the key. A new key without either fails.
"""

import ast
import copy
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, get_args, get_origin
from unittest.mock import MagicMock, patch

import distributed  # noqa: F401  (before `cluster` has modules put back that came in meanwhile)
import numpy as np
import pytest
import yaml
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from scipy.special import logit

from cmbkit.commands.reproduce import notebooks
from cmbkit.detector.inference.candidates import candidates
from cmbkit.detector.inference.engines import Engine
from cmbkit.detector.inference.tiled import Predictor, predict_logits
from cmbkit.detector.network import unet
from cmbkit.detector.network.losses import combined_loss
from cmbkit.detector.patches.augmentation import augment
from cmbkit.detector.patches.sampling import ScanMemory
from cmbkit.detector.training.validation import inference_for
from cmbkit.evaluation.scan import evaluate_scan
from cmbkit.params import Parameters, check_parameters
from cmbkit.params.cohort import OwnDataset
from cmbkit.params.from_notebook import notebook_parameters
from cmbkit.params.inference import POSTPROCESSING
from cmbkit.params.sections import Section
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.running import dask_cluster
from cmbkit.study import Study
from cmbkit.study.slice_experiment import SliceExperimentStage
from cmbkit.volume import Volume

ROOT = Path(__file__).parents[2]
BASE = yaml.safe_load("""
profile: walked
cohort:
  datasets: [DOU, MOMENI]
  phantom_scans: {DOU: 1, MOMENI: 4}
  bids: {MINE: {root: data/raw/MINE}}
  folds: 3
  fold: 1
network: {patch_size: [8, 8, 8], filters_per_depth: [2, 3], filters_out_bottom_conv: 4}
training:
  networks: train
  augmentation: {spatial: 1, affine: 1, elastic: 1, intensity: 1, noise: 1, salt_pepper: 1,
                 gamma: 1, inversion: 0.5, blur: 1, elastic_nodes: 3}
inference: {weighting: mean, overlap: 0.25, batch_size: 4, threshold: 0.5}
""")
THICK = {"training": {"augmentation": {"thick_slices": 1.0}}}
NEEDS = {
    "cluster": {"cluster": {"address": "tcp://127.0.0.1:9"}},
    "cluster.slurm": {"cluster": {"slurm": {}}},
    "training.augmentation.thick_slices_": THICK,
    "inference.screen_threshold": {"inference": {"two_passes": True}},
    "inference.coarser_margin": {"inference": {"coarser": [0.5]}},
    "cohort.validation_fraction": {"cohort": {"folds": None, "fold": None}},
}
"""What else has to be said for some keys to matter, by the beginning of the key."""
OTHER = yaml.safe_load((ROOT / "tests/params/every_key.yaml").read_text())


def flat(values: Mapping, path="") -> dict:
    """Dotted keys of nested dicts, down to the keys of the parameter model."""
    found = {}
    for name, value in values.items():
        key = f"{path}{name}"
        if isinstance(value, Mapping) and key not in DICTS:
            found |= flat(value, f"{key}.")
        else:
            found[key] = value
    return found


def keys(model, path="") -> list[str]:
    """Dotted keys of a model that can have more than one value."""
    found = []
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, Section)]
        if OwnDataset in inner:
            found += keys(OwnDataset, f"{path}{name}.MINE.")
        elif inner:
            found += keys(inner[0], f"{path}{name}.")
        elif not (get_origin(field.annotation) is Literal and len(kinds) == 2):
            found.append(f"{path}{name}")
    return found


DICTS = {
    *("cohort.roots", "cohort.phantom_scans", "cohort.splits", "training.source_rename"),
    "preprocessing.prune_tolerance_voxels",
}
KEYS = keys(Parameters)
VALUES = flat(OTHER)


def nested(key: str, value) -> dict:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def joined(values: Mapping, parts: Mapping) -> dict:
    """Written here anew, for the test not to lean on what it tests."""
    found = copy.deepcopy(dict(values))
    for name, part in parts.items():
        old = found.get(name)
        both = isinstance(old, Mapping) and isinstance(part, Mapping)
        found[name] = joined(old, part) if both else part
    return found


def base_of(key: str) -> dict:
    needed = [parts for begin, parts in NEEDS.items() if key.startswith(begin)]
    return joined(BASE, needed[-1]) if needed else BASE


def changed(key: str) -> tuple[Parameters, Parameters]:
    """Parameters with and without the other value of a key."""
    base = base_of(key)
    return check_parameters(base), check_parameters(joined(base, nested(key, VALUES[key])))


def test_every_key_of_the_model_has_another_value():
    assert sorted(VALUES) == sorted(KEYS) and len(KEYS) > 150
    for key in KEYS:
        before, after = changed(key)
        assert before != after, key


@cache
def parameter_cell():
    """A notebook, cut down to its cell of parameters, which is the same in all seven."""
    book = load_notebook_node(str(notebooks(ROOT)[0]))
    book.cells = [c for c in book.cells if "parameters" in c.metadata.get("tags", [])]
    return book


def given_to_a_notebook(values: dict, folder: Path) -> Parameters:
    """What papermill's two cells leave to `notebook_parameters`."""
    made = parameterize_notebook(parameter_cell(), values)
    namespace: dict = {"In": [cell.source for cell in made.cells]}
    for cell in made.cells:
        exec(cell.source, namespace)
    return notebook_parameters(namespace, folder)


@pytest.mark.parametrize("key", KEYS)
def test_each_key_arrives_through_papermill_and_reproduce(key, tmp_path):
    """One replaced part beside the profile's file (papermill); a whole file (reproduce)."""
    _, after = changed(key)
    (tmp_path / "walked.yaml").write_text(yaml.safe_dump(base_of(key)))
    whole = joined(base_of(key), nested(key, VALUES[key]))
    assert given_to_a_notebook(whole, tmp_path / "elsewhere") == after
    if key != "profile":
        part = {"profile": "walked"} | nested(key, VALUES[key])
        assert given_to_a_notebook(part, tmp_path) == after


def places(params: Parameters):
    study = Study("root", **params.model_dump())
    return study.cache.root, study.gallery.folder


def processes(params: Parameters):
    study = Study("root", **params.model_dump())
    study.results.__dict__["scans"] = []
    with patch("cmbkit.study.results.map_cached") as mapped:
        study.results.candidate_folders("dark blobs")
    return mapped.call_args.kwargs["workers"]


def baseline(params: Parameters):
    study = Study("root", **params.model_dump())
    study.results.__dict__["scans"] = []
    with patch("cmbkit.study.results.map_cached") as mapped:
        study.results.candidate_folders("dark blobs")
    return mapped.call_args.args[1].args[1]


def cluster(params: Parameters):
    """What is asked of Dask, whose client and cluster of jobs note it."""
    asked = []
    noted = SimpleNamespace(SLURMCluster=lambda **options: asked.append(options) or MagicMock())
    with (
        patch.dict(sys.modules, dask_jobqueue=noted),
        patch("distributed.Client", lambda *given, **options: asked.append((given, options))),
        ExitStack() as stack,
    ):
        dask_cluster._connect(params.cluster, 1, stack)
    return repr([each for each in asked if isinstance(each, dict)] or asked)


def cohort(params: Parameters):
    """Folders and their scans (invented), and in which split each is."""
    read = []

    def scans_of(name, folder, leave_out=()):
        read.append((name, str(folder), leave_out))
        about = ("SWI", Path("x.nii"), Annotation("points"), Acquisition((0.5, 0.5), 1.0))
        return [Scan(name, str(n), str(n), *about) for n in range(9)]

    study = Study("root", **params.model_dump())
    study.raw.get = lambda step, item, inputs, compute, code: f"{item} {inputs}"
    names = ("read_dataset", "read_own")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(patch(f"cmbkit.datasets.registry.{name}", scans_of))
        one = SimpleNamespace(microbleeds=lambda: [1])
        study.cohort.__dict__["standard"] = [one] * len(study.cohort.scans)
        table = study.cohort.table
    return repr((read, table[["uid", "split"]].to_numpy().tolist()))


def network(params: Parameters):
    made = unet.build(params.network, seed=params.seed)
    epsilon = [getattr(layer, "epsilon", 0) for layer in made.layers]
    slopes = [getattr(layer, "negative_slope", 0) for layer in made.layers]
    penalties = [getattr(layer, "kernel_regularizer", None) for layer in made.layers]
    weights = [(w.shape, float(np.sum(w))) for w in made.get_weights()]
    kinds = [type(layer).__name__ for layer in made.layers]
    axes = [str(getattr(layer, "axis", 0)) for layer in made.layers]
    l2 = [float(p.l2) for p in penalties if p]
    inputs = made.input_shape, made.output_shape
    return repr((epsilon, slopes, l2, weights, kinds, axes, inputs))


def augmented(params: Parameters):
    image = np.random.default_rng(0).normal(size=(60, 60, 60)).astype(np.float32)
    mask = (image > 2).astype(np.uint8)
    given = params.training.augmentation
    draws = (np.random.default_rng(n) for n in range(6))
    return repr([augment(image, mask, (8, 8, 8), given, rng)[0].sum() for rng in draws])


def loss(params: Parameters):
    truth = np.arange(64).reshape(1, 4, 4, 4) % 5 == 0
    said = np.linspace(0.05, 0.9, 64).reshape(1, 4, 4, 4)
    pair = np.stack([1 - said, said], -1).astype(np.float32)
    return float(combined_loss(params.training)(truth.astype(np.int32), pair))


def validation(params: Parameters):
    return inference_for(params.training, params.inference)


def memory(params: Parameters):
    return vars(ScanMemory.of(params.training))


def probability(params: Parameters):
    """What a network says that knows left from right but nothing over 2.5, and of how many tiles at
    a time."""
    batches = []

    def run(patches):
        batches.append(len(patches))
        said = np.where(patches > 2.5, -1, patches) + np.arange(8).reshape(8, 1, 1, 1) / 10
        return np.concatenate([-said, said], -1)

    engine = Engine((8, 8, 8, 1), (8, 8, 8, 2), lambda: run)
    image = np.zeros((30, 16, 16), np.float32) + np.linspace(-4, 3, 30)[:, None, None]
    brain = np.zeros(image.shape, np.uint8)
    brain[:, :5, :5] = 1
    predictor = Predictor(engine, params.inference)
    found = predict_logits(predictor, image, brain=brain, background=-3)
    return found.tobytes(), batches


def found(params: Parameters):
    """Candidates of one voxel, of two that touch at a corner, and of three outside the brain."""
    soft, labels = np.zeros((12, 6, 6)), np.full((12, 6, 6), 2)
    soft[1, 1, 1], soft[3, 1, 1], soft[4, 2, 2], soft[8:11, 3, 3] = 0.95, 0.8, 0.95, 0.99
    labels[7:] = 0
    return candidates(logit(soft + 1e-9), labels, 1.0, params.inference)[0].tobytes()


def matched(params: Parameters):
    """Two that touch; two in reach of two; and a scan where nothing is in reach."""
    truth, said, far = (np.zeros((30, 8, 8), np.uint16) for _ in range(3))
    truth[2:5, 4, 4], truth[12, 4, 4], truth[16, 4, 4] = 1, 2, 3
    said[4:7, 4, 4], said[15, 4, 4], said[20, 4, 4] = 1, 2, 3
    far[28, 4, 4] = 1
    given = {"uid": "a", "dataset": "DOU", "patient": "p", "params": params.evaluation}
    pairs = [[Volume(v, np.eye(4)) for v in (truth, other)] for other in (said, far)]
    results = [evaluate_scan(*pair, **given) for pair in pairs]
    return repr([(m[["match", "gt_id", "pred_id"]].to_numpy().tolist(), row) for m, row in results])


def experiment(params: Parameters):
    stage = SliceExperimentStage(Study("root", **params.model_dump()))
    return repr((stage.conditions.to_numpy().tolist(), stage.n_scans))


def reads(*files: str):
    """An observation of the code: whether one of these files reads the key."""

    def observed(key: str) -> bool:
        name = key.rpartition(".")[2]
        trees = (ast.walk(ast.parse((ROOT / "cmbkit" / file).read_text())) for file in files)
        nodes = (node for tree in trees for node in tree)
        return any(name in (getattr(n, "attr", None), getattr(n, "value", None)) for n in nodes)

    return observed


TOOLS = reads("anatomy/programs.py")
PHASES = reads("detector/training/phase.py", "study/models.py", "study/trained_phases.py")
ENGINES = reads("detector/inference/engines.py")
STREAM = reads("detector/patches/stream.py")
TAKES_EFFECT = {
    **dict.fromkeys(("profile", "data_dir", "figures_dir"), places),
    "workers": processes,
    "cluster": cluster,
    **dict.fromkeys(("seed", "cohort"), cohort),
    "cohort.bids.MINE.labels": reads("commands/check.py"),
    "preprocessing": reads(
        *("preprocessing/pipeline.py", "preprocessing/region_growing.py"),
        *("preprocessing/seeds.py", "preprocessing/intensities.py"),
    ),
    **dict.fromkeys(("preprocessing.synthstrip.", "preprocessing.synthseg."), TOOLS),
    "network": network,
    **dict.fromkeys(("training.networks", "training.models", "training.seed"), PHASES),
    **dict.fromkeys(("training.source_", "training.pretrain", "training.finetune"), PHASES),
    **dict.fromkeys(("training.patches_per_scan", "training.class_", "training.queue_"), STREAM),
    **dict.fromkeys(("training.memory_gb", "training.dark_background"), memory),
    "training.validation_": validation,
    **dict.fromkeys(("training.validation_share", "training.tensorboard"), PHASES),
    **dict.fromkeys(("training.cross_", "training.tversky_", "training.loss_weights"), loss),
    "training.augmentation": augmented,
    "inference": probability,
    **dict.fromkeys((f"inference.{name}" for name in POSTPROCESSING), found),
    **dict.fromkeys(("inference.engine", "inference.precision"), ENGINES),
    "evaluation": matched,
    "evaluation.dark_blobs": baseline,
    "evaluation.scan_thresholds": reads("chapters/evaluation/tables.py"),
    "evaluation.bootstrap_samples": reads("scoring/page_tables.py"),
    "evaluation.test_datasets": reads("chapters/literature_comparison.py"),
    "evaluation.slice_experiment": experiment,
    **dict.fromkeys(
        (
            f"evaluation.slice_experiment.{name}"
            for name in ("in_plane_mm", "slab_mm", "tesla", "te_ms")
        ),
        reads("study/slice_experiment.py", "study/slice_conditions.py"),
    ),
}
"""Where a key takes effect, by the beginning of the key; the longest that fits counts."""


@pytest.mark.parametrize("key", KEYS)
def test_each_key_takes_effect(key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    observe = TAKES_EFFECT[max((b for b in TAKES_EFFECT if key.startswith(b)), key=len)]
    if observe.__name__ == "observed":
        assert observe(key), f"{key}: nobody reads it where it is said to take effect"
        return
    before, after = changed(key)
    first = observe(before)
    assert first == observe(before) and first != observe(after)
