"""Train the second look of weights on what they find in synthetic scans full of microbleeds.

    python benchmarks/train_look.py WEIGHTS OPINION --out FOLDER [--root DIR]

Makes scans of `SCANS`, full of microbleeds, of seeds that no other scan has, and takes away
Gaussians and balls of signal at `IMPLANTS` more places, as `implants.py` does, and in the
ventricles at `CALCIFIED`, which are none. Each scan is shown as it is, mostly with fluid of another
contrast, and with crooked holes that give no signal, as masks and vessels leave them: fluid, its
edges and holes are where the generators differ most. What WEIGHTS find there on each of their grids
down to a low threshold trains the network of whole candidates (`cmbkit.detector.network.look`) to
tell the real ones; OPINION are the weights of the other U-Net in it, which stay as they are. FOLDER
gets WEIGHTS with the look in it; operating point and calibration are then settled by
bench_operating.py. Patches are kept below ``--root``, one folder for one set of weights.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from implants import implanted
from scipy import ndimage

from cmbkit.atomic import whole_file
from cmbkit.boxes import cut_box
from cmbkit.detector.inference.ready import predictor_for
from cmbkit.detector.inference.second_look import components, patches_at
from cmbkit.detector.inference.tiled import predict_logits, sampled_coarsely
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
IMPLANTS, CALCIFIED = 15, 6
"""Of a scan at most: more microbleeds, and what is like them in its ventricles."""
WIDTHS_MM, CALCIFIED_MM = (2.0, 10.0), (2.0, 5.5)
"""Full width at half maximum, or diameter of a ball; the first drawn evenly in the logarithm."""
DARKNESS, CALCIFIED_DARKNESS, LONGER, BALLS = (0.4, 1.0), (0.5, 1.0), (1.0, 2.0), 0.35
"""Signal lost at the centre, length of Gaussians along z against x and y, share of balls."""
VENTRICLES, DEEP, UNLIKE = (4, 43), 2, 0.7
"""Labels; voxels from their edge; quartile distances from the brain's median, which fluid has."""
OTHER_FLUID = 0.6
"""Share of scans that are also seen with fluid of another contrast."""
MOST_WRONG = 60  # candidates of one scan and grid, but for what was put in
SHARE = 0.15
APART_MM, CALCIFIED_APART_MM, HOLES_APART_MM = 12.0, 6.0, 8.0
DEPTH_MM, RIM_MM = 4.0, 2.0  # of implants below the brain's surface; the latter beside holes
BRIGHTER = 1.1, 1.6  # ventricles against the brain's median
NEAR_MM, UNREAL_NEAR_MM = 2.5, 3.0
SHIFT = 2  # voxels, either way
EPOCHS, BATCH, RATE, DECAY, WARMUP, SMOOTHING = 7, 32, 3e-3, 1e-3, 50, 0.02


def study_of(seed: int, root: Path) -> Study:
    model, n = SCANS[seed]
    values = yaml.safe_load(Path("params/operating_wide.yaml").read_text())
    scans = {"DOU": n // 2, "RODEJA": n // 4, "VALDO": n // 4}
    cohort = values["cohort"] | {"phantom_model": model, "phantom_scans": scans}
    changed = {"profile": f"look{seed}", "seed": seed, "workers": 1, "cohort": cohort}
    return Study(**values | changed, root=root)


def places_for_implants(brain: Volume, lesions: Volume, taken, depth_mm: float, rng) -> np.ndarray:
    """Places in mm, shape (n, 3): in the brain, apart from each other and from all else."""
    inside = rng.permutation(np.argwhere(brain.data > 0))[:3000]
    steps = np.vstack([np.eye(3), -np.eye(3)]) * depth_mm / brain.spacing
    around = (inside[:, None] + np.rint(steps).astype(int)).clip(0, np.array(brain.shape) - 1)
    deep = inside[(brain.data[tuple(np.moveaxis(around, -1, 0))] > 0).all(axis=1)]
    taken = np.vstack([lesions.to_mm(np.argwhere(lesions.data > 0)), taken])
    return spread(brain.to_mm(deep), taken, IMPLANTS, APART_MM)


def places_in_ventricles(labels: Volume, image: Volume, brain: Volume, taken, rng) -> np.ndarray:
    """Places in mm, shape (n, 3), where ventricles look like fluid, apart and from ``taken``."""
    inside = ndimage.binary_erosion(np.isin(labels.data, VENTRICLES), iterations=DEEP)
    low, median, high = np.percentile(image.data[brain.data > 0], (25, 50, 75))
    away = (ndimage.gaussian_filter(image.data, 1.5) - median) / (high - low)
    side = np.sign(np.median(away[inside])) if inside.any() else 0
    voxels = rng.permutation(np.argwhere(inside & (side * away > UNLIKE)))[:2000]
    return spread(image.to_mm(voxels), taken, CALCIFIED, CALCIFIED_APART_MM)


def spread(places, taken, count: int, apart_mm: float) -> np.ndarray:
    """The first ``count`` of ``places`` that lie apart from each other and from ``taken``."""
    chosen: list[np.ndarray] = []
    for place in places:
        others = np.vstack([taken, *chosen])
        if np.linalg.norm(others - place, axis=1).min(initial=np.inf) >= apart_mm:
            chosen.append(place)
        if len(chosen) == count:
            break
    return np.array(chosen).reshape(-1, 3)


def with_less_signal(signal: Volume, places, widths, darkness, rng) -> Volume:
    """Signal with a Gaussian or a ball taken away at each place."""
    for place, width in zip(places, widths, strict=True):
        dark, ball = rng.uniform(*darkness), rng.random() < BALLS
        shape = width if ball else width * np.array([1, 1, rng.uniform(*LONGER)])
        signal = implanted(signal, [place], shape, dark, ball, parts=2)
    return signal


def with_other_fluid(image: Volume, brain: Volume, background: float, rng) -> np.ndarray:
    """Image in which what is darker than brain is darker still, or what is brighter is dark."""
    low, median, high = np.percentile(image.data[brain.data > 0], (25, 50, 75))
    spread_of_brain = (high - low) / 1.35  # standard deviation, were it Gaussian
    smooth = ndimage.gaussian_filter(image.data, 0.8)
    if rng.random() < 0.5:
        by = rng.uniform(0.5, 3)
        edge = median - rng.uniform(0.5, 1.5) * spread_of_brain
        less = by * np.maximum(0, edge - smooth)
    else:
        edge = median + rng.uniform(0.3, 1.5) * spread_of_brain
        by = 1 + rng.uniform(0.8, 3)
        less = by * np.maximum(0, smooth - edge)
    return np.maximum(image.data - less, np.minimum(image.data, background)).astype(np.float32)


class Version(NamedTuple):
    """Of a scan: z-scores, places in mm of microbleeds, their radii, and of what is like them."""

    image: Volume
    truth: np.ndarray
    radii: np.ndarray
    unreal: np.ndarray


def with_implants(seen: Volume, scan, taken, depth_mm: float, rng) -> Version:
    """A scan's image, as it is ``seen``, with microbleeds and calcified places put in."""
    brain, lesions = scan.brain(), scan.lesions()
    background = np.float32(scan.record()["background_value"])
    places = places_for_implants(brain, lesions, taken, depth_mm, rng)
    low, high = WIDTHS_MM
    widths = low * (high / low) ** rng.uniform(size=len(places))
    unreal = places_in_ventricles(scan.labels(), seen, brain, np.vstack([taken, places]), rng)
    signal = seen.with_data(seen.data - background)
    signal = with_less_signal(signal, places, widths, DARKNESS, rng)
    for place in unreal:
        width = [rng.uniform(*CALCIFIED_MM)]
        signal = with_less_signal(signal, [place], width, CALCIFIED_DARKNESS, rng)
    bled = lesions.to_mm(np.argwhere(lesions.data > 0))
    return Version(
        signal.with_data(signal.data + background),
        np.vstack([bled, places]),
        np.append(np.zeros(len(bled)), widths / 2),
        np.vstack([taken, unreal]),
    )


def with_fluids(scan, rng) -> Iterator[Version]:
    """A scan as it is, and mostly with fluid of another contrast; with other implants in each."""
    image, brain, nothing = scan.image(), scan.brain(), np.empty((0, 3))
    background = float(scan.record()["background_value"])
    yield with_implants(image, scan, nothing, DEPTH_MM, rng)
    if rng.random() < 1 - OTHER_FLUID:
        return
    made = with_implants(image, scan, nothing, DEPTH_MM, rng)
    before, left = image.data - background, np.ones_like(image.data)
    np.divide(made.image.data - background, before, out=left, where=np.abs(before) > 1e-3)
    fluid = with_other_fluid(image, brain, background, rng) - background
    yield made._replace(image=image.with_data(fluid * left.clip(0, 1) + np.float32(background)))


def with_holes(scan, rng) -> Iterator[Version]:
    """A scan with places that give no signal, and mostly with brighter ventricles."""
    image, brain, labels = scan.image(), scan.brain(), scan.labels()
    background = np.float32(scan.record()["background_value"])
    signal, middle = image.data - background, np.median(image.data[brain.data > 0]) - background
    ventricles = np.isin(labels.data, VENTRICLES)
    if rng.random() < 0.7 and ventricles.any():
        wanted = middle * rng.uniform(*BRIGHTER) / np.median(signal[ventricles])
        inside = ndimage.gaussian_filter(ventricles.astype(np.float32), 1)
        signal = signal * (1 + (wanted - 1) * inside)
    near = ndimage.binary_dilation(ventricles, iterations=5) & (brain.data > 0)
    rim = (brain.data > 0) & ~ndimage.binary_erosion(brain.data > 0, iterations=16)
    bled, places = scan.lesions(), np.empty((0, 3))
    taken = bled.to_mm(np.argwhere(bled.data > 0))
    for where, count in ((near, 6), (rim, 8), (brain.data > 0, 6)):
        voxels = rng.permutation(np.argwhere(where))[:500]
        others = np.vstack([taken, places])
        places = np.vstack([places, spread(image.to_mm(voxels), others, count, HOLES_APART_MM)])
    floor = rng.choice([0, rng.uniform(0.01, 0.06)]) * middle
    left = np.ones_like(signal)
    for place in places:
        hollow(left, image.to_voxels(place), image.spacing, rng)
    noise = floor * rng.rayleigh(size=signal.shape).astype(np.float32)
    signal = signal * left + noise * (1 - left)
    yield with_implants(image.with_data(signal + background), scan, places, RIM_MM, rng)


def hollow(left: np.ndarray, place, spacing, rng) -> None:
    """Take a crooked hole of two to five balls out of ``left``, shares of the signal, in place.

    Half of the holes have the steps of slices: what one slice holds, its neighbours do.
    """
    steps = np.cumsum(rng.normal(0, 1.4, (rng.integers(2, 6), 3)), axis=0)
    radii = rng.uniform(0.6, 2.2, len(steps))
    centres = place + (steps - steps.mean(axis=0)) / spacing
    low = np.maximum(np.floor(centres.min(axis=0) - 4).astype(int), 0)
    high = np.minimum(np.ceil(centres.max(axis=0) + 5).astype(int), left.shape)
    if (high <= low).any():
        return
    grid = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1).astype(float)
    if rng.random() < 0.5:
        thick = rng.uniform(0.8, 3) / spacing[2]
        grid[..., 2] = (np.floor(grid[..., 2] / thick) + 0.5) * thick
    away = np.linalg.norm((grid[..., None, :] - centres) * spacing, axis=-1)
    share = (0.5 + (radii - away) / rng.uniform(0.4, 1)).clip(0, 1).max(axis=-1)
    left[tuple(map(slice, low, high))] *= (1 - share).astype(np.float32)


def found_in(predictor, scan, versions, rng) -> dict:
    """Patches of a scan's candidates, with a margin for shifts, and whether each is real."""
    brain, background, parts = scan.brain(), float(scan.record()["background_value"]), []
    for image, truth, radii, unreal in versions(scan, rng):
        for share in (1.0, *predictor.params.coarser):
            voxels, at, logits, sampled = found_on_grid(predictor, share, image, brain, background)
            away = np.linalg.norm(at[:, None] - truth, axis=-1)
            real = (away <= np.maximum(NEAR_MM, radii)).any(axis=1)
            sure = real | (away > radii + 2 * NEAR_MM).all(axis=1)
            near = np.linalg.norm(at[:, None] - unreal, axis=-1) <= UNREAL_NEAR_MM
            wrong = np.flatnonzero(sure & ~real & ~near.any(axis=1))
            if len(wrong) > MOST_WRONG:
                sure[rng.permutation(wrong)[MOST_WRONG:]] = False
            patches = patches_at(voxels[sure], sampled, logits, background, SIDE + 2 * SHIFT)
            parts.append({"patches": patches.astype(np.float16), "real": real[sure]})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def found_on_grid(predictor, share: float, image: Volume, brain: Volume, background: float):
    """Candidates on a grid with ``share`` of the voxels along each axis.

    Returns
    -------
    ndarray, ndarray, ndarray, ndarray
        Places in voxels and in mm (n, 3), map of logits, and image on that grid.
    """
    data, inside, grid = image.data, brain.data, predictor.on_one_grid()
    if share != 1:
        data, inside = sampled_coarsely(share, data, inside)
        grid = predictor.on_one_grid(flips=False)
    logits = predict_logits(grid, data, brain=inside, background=background)
    voxels = components(logits, image.spacing).places
    at = image.to_mm((voxels + 0.5) / np.divide(data.shape, image.shape) - 0.5)
    return voxels, at, logits, data


SHOWN = (with_fluids, ()), (with_holes, (1,))
"""How each scan is shown, with the end of its seed."""


def harvest(name: str, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Patches and truth of all scans."""
    profiles.cmb_counts = lambda _, n, rng: rng.integers(FEWEST, MOST, n, endpoint=True).tolist()
    predictor = predictor_for(name)
    predictor.look = None
    kept = root / "patches" / describe_weights(name)[1].sha256[:12]
    kept.mkdir(parents=True, exist_ok=True)
    every = []
    for seed in SCANS:
        scans = study_of(seed, root).cohort.split("test")
        for (number, scan), (versions, end) in product(enumerate(scans), SHOWN):
            path = kept / f"{seed}_{scan.scan.uid}_{versions.__name__}.npz"
            if not path.is_file():
                rng = np.random.default_rng([seed, number, *end])
                found = found_in(predictor, scan, versions, rng)
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
