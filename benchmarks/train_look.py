"""Train the second look of weights on what they find in synthetic scans full of microbleeds.

    python benchmarks/train_look.py WEIGHTS OPINION --out FOLDER [--root DIR]

Makes scans of `SCANS`, full of microbleeds, of seeds that no other scan has, and takes
away Gaussians of signal at `IMPLANTS` more places, as `implants.py` does. What WEIGHTS find there
down to a low threshold trains the network of whole candidates (`cmbkit.detector.network.look`) to
tell the real ones; OPINION are the weights of the other U-Net in it, which stay as they are. FOLDER
gets WEIGHTS with the look in it; operating point and calibration are then settled by
bench_operating.py. Patches are kept below ``--root``, one folder for one set of constants.
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import yaml
from implants import implanted

from cmbkit.atomic import whole_file
from cmbkit.boxes import cut_box
from cmbkit.detector.inference.ready import predictor_for
from cmbkit.detector.inference.second_look import components, patches_at
from cmbkit.detector.inference.tiled import predict_logits
from cmbkit.detector.network.backend import make_deterministic, use_keras
from cmbkit.detector.network.look import SIDE, build_decider, build_look
from cmbkit.detector.network.unet import save_weights
from cmbkit.detector.network.weights import (
    DESCRIPTION,
    LOOK_FILE,
    Look,
    describe_weights,
    read_weights,
)
from cmbkit.phantom import profiles
from cmbkit.running.file_hashes import sha256
from cmbkit.study import Study
from cmbkit.volume import Volume

SCANS = {
    777001: ("wide", 60),
    777002: ("physical", 24),
    777003: ("contrast", 16),
}
"""By seed: model of the embedded cohort, and how many scans; half in the manner of DOU."""
FEWEST, MOST = 8, 25  # microbleeds of a scan
IMPLANTS = 15
WIDTHS_MM, DARKNESS, LONGER = (2.0, 6.0), (0.5, 1.0), (1.0, 2.0)
"""Of implants: full width at half maximum, share of the signal at the centre, z against x and y."""
SHARE = 0.2
APART_MM, DEPTH_MM = 10.0, 4.0
NEAR_MM = 2.5
SHIFT = 2  # voxels, either way
EPOCHS, BATCH, RATE, DECAY, WARMUP, SMOOTHING = 8, 32, 3e-3, 1e-3, 50, 0.02


def study_of(seed: int, root: Path) -> Study:
    model, n = SCANS[seed]
    values = yaml.safe_load(Path("params/operating_wide.yaml").read_text())
    scans = {"DOU": n // 2, "RODEJA": n // 4, "VALDO": n // 4}
    cohort = values["cohort"] | {"phantom_model": model, "phantom_scans": scans}
    changed = {"profile": f"look{seed}", "seed": seed, "workers": 1, "cohort": cohort}
    return Study(**values | changed, root=root)


def places_for_implants(brain: Volume, lesions: Volume, rng) -> np.ndarray:
    """Places in mm, shape (n, 3): in the brain, apart from each other and from microbleeds."""
    inside = rng.permutation(np.argwhere(brain.data > 0))[:3000]
    steps = np.vstack([np.eye(3), -np.eye(3)]) * DEPTH_MM / brain.spacing
    around = (inside[:, None] + np.rint(steps).astype(int)).clip(0, np.array(brain.shape) - 1)
    deep = inside[(brain.data[tuple(np.moveaxis(around, -1, 0))] > 0).all(axis=1)]
    taken = [lesions.to_mm(np.argwhere(lesions.data > 0))]
    chosen: list[np.ndarray] = []
    for place in brain.to_mm(deep):
        if all(np.linalg.norm(at - place, axis=1).min(initial=np.inf) >= APART_MM for at in taken):
            chosen.append(place)
            taken.append(place[None])
        if len(chosen) == IMPLANTS:
            break
    return np.array(chosen).reshape(-1, 3)


def found_in(predictor, scan, rng) -> dict:
    """Patches of a scan's candidates, with a margin for shifts, and whether each is real."""
    image, brain, lesions = scan.image(), scan.brain(), scan.lesions()
    background = float(scan.record()["background_value"])
    places = places_for_implants(brain, lesions, rng)
    widths = rng.uniform(*WIDTHS_MM, len(places))
    signal = image.with_data(image.data - background)
    for place, width in zip(places, widths, strict=True):
        shape = width * np.array([1, 1, rng.uniform(*LONGER)])
        signal = implanted(signal, [place], shape, rng.uniform(*DARKNESS))
    data = signal.data + np.float32(background)
    logits = predict_logits(predictor, data, brain=brain.data, background=background)
    voxels = components(logits, image.spacing).places
    patches = patches_at(voxels, data, logits, background, SIDE + 2 * SHIFT)
    truth = np.vstack([lesions.to_mm(np.argwhere(lesions.data > 0)), places])
    radii = np.append(np.zeros(len(truth) - len(places)), widths / 2)
    away = np.linalg.norm(image.to_mm(voxels)[:, None] - truth, axis=-1)
    real = (away <= np.maximum(NEAR_MM, radii)).any(axis=1)
    sure = real | (away > radii + 2 * NEAR_MM).all(axis=1)
    return {"patches": patches[sure].astype(np.float16), "real": real[sure]}


def harvest(name: str, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Patches and truth of all scans."""
    profiles.cmb_counts = lambda _, n, rng: rng.integers(FEWEST, MOST, n, endpoint=True).tolist()
    predictor = predictor_for(name).on_one_grid()
    predictor.look = None
    kept = root / "patches" / describe_weights(name)[1].sha256[:12]
    kept.mkdir(parents=True, exist_ok=True)
    every = []
    for seed in SCANS:
        scans = study_of(seed, root).cohort.split("test")
        for number, scan in enumerate(scans):
            path = kept / f"{seed}_{scan.scan.uid}.npz"
            if not path.is_file():
                rng = np.random.default_rng([seed, number])
                found = found_in(predictor, scan, rng)
                with whole_file(path) as part, part.open("wb") as file:
                    np.savez_compressed(file, **found)
            with np.load(path) as stored:
                every.append((stored["patches"], stored["real"]))
    return tuple(np.concatenate(part) for part in zip(*every, strict=True))


def varied(patch: np.ndarray, rng) -> np.ndarray:
    """A patch shifted, mirrored, with x and y exchanged, brighter or darker, and noisier."""
    start = rng.integers(0, 2 * SHIFT + 1, 3)
    x = cut_box(patch, (*start, 0), (SIDE, SIDE, SIDE, 2)).astype(np.float32)
    x = np.flip(x, [axis for axis in range(3) if rng.random() < 0.5])
    x = (x.swapaxes(0, 1) if rng.random() < 0.5 else x).copy()
    noise = rng.normal(0, abs(rng.normal(0, 0.15)), x.shape[:3])
    x[..., 0] = x[..., 0] * np.exp(rng.normal(0, 0.15)) + rng.normal(0, 0.2) + noise
    return x


def trained(patches: np.ndarray, real: np.ndarray, seed: int):
    """The network after `EPOCHS` over all patches."""
    keras = use_keras()
    make_deterministic(seed)
    model, rng = build_decider(seed), np.random.default_rng(seed)
    per_epoch = len(patches) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        RATE / WARMUP, EPOCHS * per_epoch - WARMUP, alpha=0.02, warmup_target=RATE,
        warmup_steps=WARMUP,
    )  # fmt: skip
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    adam = keras.optimizers.AdamW(rate, weight_decay=DECAY)
    model.compile(adam, loss, jit_compile=False)
    for epoch in range(EPOCHS):
        order, losses = rng.permutation(len(patches)), []
        for i in range(per_epoch):
            chosen = order[i * BATCH : (i + 1) * BATCH]
            batch = np.stack([varied(patches[j], rng) for j in chosen])
            losses.append(model.train_on_batch(batch, real[chosen].astype(np.float32)))
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.4f}", flush=True)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("opinion")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=SHARE)
    parser.add_argument("--root", type=Path, default=Path("data/look"))
    parser.add_argument("--seed", type=int, default=1618)
    given = parser.parse_args()
    if given.out.exists():
        parser.error(f"--out {given.out}: expected a new folder")
    patches, real = harvest(given.weights, given.root)
    print(f"{len(real)} candidates, {real.sum()} of them real", flush=True)
    decider = trained(patches, real, given.seed)
    (folder, described), other = describe_weights(given.weights), read_weights(given.opinion)
    network = other.description.network
    model = build_look(network, given.share)
    model.get_layer("decider").set_weights(decider.get_weights())
    model.get_layer("opinion").set_weights(other.model.get_weights())
    shutil.copytree(folder, given.out)
    save_weights(model, given.out / LOOK_FILE)
    look = Look(
        sha256=sha256(given.out / LOOK_FILE),
        parameters=model.count_params(),
        opinion=network,
        share=given.share,
        alone=described.look.alone if described.look else described.inference,
        training={"candidates": len(real), "real": int(real.sum()), "seed": given.seed},
    )
    described = described.model_copy(update={"look": look, "calibration": None})
    text = json.dumps(described.model_dump(mode="json"), indent=1)
    (given.out / DESCRIPTION).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
