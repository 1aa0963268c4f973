"""What `cmbkit train` does, on a GPU: its patches, network, loss, rates and false alarms.

Keras runs on JAX, and patches are made by as many processes as there are cores, in epochs of 25
steps; their seed says what they hold, not who makes them. Five gradient steps on the same patches
end within 1e-4 of TensorFlow's weights.

    python benchmarks/train_on_gpu.py params/compact.yaml --out FOLDER

writes the network after pre-training and after fine-tuning. Needs JAX with CUDA beside cmbkit.
"""

import argparse
import multiprocessing as mp
import os
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"
from cmbkit.detector.patches.hard_negatives import ALARM, APART_MM, MOST, NO_ALARMS, FalseAlarms
from cmbkit.detector.patches.sampling import SampledScan
from cmbkit.detector.patches.stream import epoch_batches
from cmbkit.study import Study

EPOCH = 25  # steps; one process makes the patches of one epoch
TILES = 128
PHASES = ("pretrain", "finetune")
STARTED = time.time()


def say(*words):
    print(f"{time.time() - STARTED:6.1f} s", *words, flush=True)


class Loaded:
    """All scans, in the place of a `ScanMemory`."""

    dark = True

    def __init__(self, scans, threads: int):
        with ThreadPoolExecutor(threads) as pool:
            found = pool.map(lambda scan: SampledScan.load(scan, dark=True), scans)
            self.kept = {str(s.folder): f for s, f in zip(scans, found, strict=True)}

    def get(self, scan):
        return self.kept[str(scan.folder)]

    def holds(self, scan):
        return True


def produce(batches, number, step, args):
    """Put the batches of epochs number + 1, number + 1 + step, ... into the queue."""
    scans, training, phase, patch, seed, memory, alarms = args
    for epoch in count(number + 1, step):
        if (epoch - 1) * EPOCH >= phase.epochs * phase.steps_per_epoch:
            return
        for image, mask in epoch_batches(
            scans, training, patch, phase.batch_size, EPOCH,
            seed=seed, epoch=epoch, memory=memory, alarms=alarms,
        ):  # fmt: skip
            batches.put((image.astype(np.float16), mask.astype(np.uint8)))


class Steps:
    """Compiled gradient steps of a network; the rate is given: one compilation for all phases."""

    def __init__(self, model, training):
        import jax
        import keras

        from cmbkit.detector.network.losses import combined_loss

        adam, loss = keras.optimizers.Adam(1.0), combined_loss(training)
        adam.build(model.trainable_variables)
        self.model = model
        self.fresh = [np.array(variable.value) for variable in adam.variables]
        (place,) = [i for i, v in enumerate(adam.variables) if v.path.endswith("learning_rate")]

        def value(trained, kept, image, mask):
            found, kept, losses = model.stateless_call(
                trained, kept, image.astype("float32"), training=True, return_losses=True
            )
            return loss(mask.astype("int32"), found) + sum(losses), kept

        def step(trained, kept, state, image, mask, rate):
            (lost, kept), slope = jax.value_and_grad(value, has_aux=True)(
                trained, kept, image, mask
            )
            state = [*state[:place], rate, *state[place + 1 :]]
            trained, state = adam.stateless_apply(state, slope, trained)
            return trained, kept, state, lost

        self.step = jax.jit(step, donate_argnums=(0, 1, 2))
        self.begin()

    def _groups(self):
        return self.model.trainable_variables, self.model.non_trainable_variables

    def begin(self):
        """Forget the optimizer's state."""
        self.state = [[np.array(v.value) for v in group] for group in self._groups()] + [self.fresh]

    def __call__(self, image, mask, rate):
        *self.state, lost = self.step(*self.state, image, mask, rate)
        return lost

    def end(self):
        """Give the network its new weights."""
        for variables, values in zip(self._groups(), self.state[:2], strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)


def rates_of(phase):
    """Learning rate at each step of a phase, float32."""
    import jax

    from cmbkit.detector.training.phase import learning_rate

    steps = np.arange(phase.epochs * phase.steps_per_epoch)
    return np.asarray(jax.jit(jax.vmap(learning_rate(phase)))(steps), np.float32)


def learn(steps, phase, queues, name):
    """One phase."""
    losses, rates = [], rates_of(phase)
    steps.begin()
    for number, rate in enumerate(rates):
        losses.append(steps(*queues[number // EPOCH % len(queues)].get(), rate))
        if (number + 1) % 250 == 0:
            recent = np.array(losses[-250:], float)
            say(name, number + 1, "of", len(rates), f"loss {recent.mean():.4f}")
            if not np.isfinite(recent).all():
                raise FloatingPointError(name)
    steps.end()


def find_alarms(model, memory):
    """False alarms of the network in every scan of the memory, as `find_false_alarms` defines."""
    import cc3d
    import jax

    from cmbkit.boxes import cut_box
    from cmbkit.detector.inference.tiles import holds_any, tile_starts
    from cmbkit.detector.network.unet import logits_model

    logits = logits_model(model)
    groups = (logits.trainable_variables, logits.non_trainable_variables)
    values = [[v.value for v in group] for group in groups]
    level = np.log(ALARM["threshold"] / (1 - ALARM["threshold"]))

    @jax.jit
    def sure(trained, kept, image):
        found, _ = logits.stateless_call(trained, kept, image.astype("float32"), training=False)
        return found[..., 1] - found[..., 0] > level

    tile = model.input_shape[1:4]

    def of_scan(scan):
        shape = [max(n, t) for n, t in zip(scan.image.shape, tile, strict=True)]
        image = cut_box(scan.image, (0, 0, 0), shape, scan.background)
        starts = tile_starts(shape, tile, 0.0)
        outside = np.float16(scan.background).view(np.uint16)
        starts = starts[holds_any(image.view(np.uint16) != outside, starts, tile)]
        above = np.zeros(shape, bool)
        for first in range(0, len(starts), TILES):
            part = starts[first : first + TILES]
            cuts = [tuple(slice(s, s + t) for s, t in zip(x, tile, strict=True)) for x in part]
            patches = np.zeros((TILES, *tile, 1), np.float16)
            for i, cut in enumerate(cuts):
                patches[i, ..., 0] = image[cut]
            found = np.asarray(sure(*values, patches))
            for i, cut in enumerate(cuts):
                above[cut] = found[i]
        voxels = np.argwhere(above)
        labels = cc3d.connected_components(above, connectivity=26)[tuple(voxels.T)]
        sizes = np.bincount(labels, minlength=1)
        lesions = cut_box(scan.lesions, (0, 0, 0), shape, 0)[tuple(voxels.T)]
        wrong = np.setdiff1d(np.flatnonzero(sizes >= ALARM["minimum_voxels"]), labels[lesions > 0])
        wrong = wrong[np.argsort(-sizes[wrong], kind="stable")]
        sums = [np.bincount(labels, voxels[:, axis], minlength=1)[wrong] for axis in range(3)]
        centres = (np.array(sums) / sizes[wrong]).T
        apart = np.linalg.norm((centres[:, None] - scan.centres[None]) * scan.spacing_mm, axis=2)
        return centres[(apart >= APART_MM).all(axis=1)][:MOST]

    with ThreadPoolExecutor(6) as pool:
        places = dict(zip(memory.kept, pool.map(of_scan, memory.kept.values()), strict=True))
    say(f"false alarms: {sum(map(len, places.values()))} in {len(places)} scans")
    return places


def on_device(params, memory, queues, alarms, out):
    """What the process with the GPU does: phases and the search between them."""
    import jax

    from cmbkit.detector.network.unet import build, save_weights

    say(jax.devices())
    model = build(params.network, seed=params.seed)
    steps = Steps(model, params.training)
    for name in PHASES:
        if name != PHASES[0]:
            alarms.put(find_alarms(model, memory))
        learn(steps, getattr(params.training, name), queues, name)
        save_weights(model, out / f"{name}.weights.h5")
    alarms.put(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parameters", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", type=Path)
    args = parser.parse_args()
    processes = max(os.cpu_count() - 2, 1)
    study = Study.read(args.parameters, root=args.root, workers=os.cpu_count())
    scans, training = study.cohort.split("train"), study.params.training
    memory = Loaded(scans, processes)
    say(f"{len(scans)} scans, {sum(s.nbytes for s in memory.kept.values()) / 1e9:.1f} GB")
    args.out.mkdir(parents=True, exist_ok=True)
    queues, alarms = [mp.Queue(8) for _ in range(processes)], mp.Queue()
    device = mp.Process(target=on_device, args=(study.params, memory, queues, alarms, args.out))
    device.start()
    found = NO_ALARMS
    for number, name in enumerate(PHASES):
        phase, patch = getattr(training, name), study.params.network.patch_size
        given = (scans, training, phase, patch, study.params.seed + number, memory, found)
        workers = [
            mp.Process(target=produce, args=(queue, i, processes, given), daemon=True)
            for i, queue in enumerate(queues)
        ]
        for worker in workers:
            worker.start()
        places = _next(alarms, device)
        for worker in workers:
            worker.join()
        if places:
            uids = {str(scan.folder): scan.scan.uid for scan in scans}
            places = {uids[key]: at for key, at in places.items()}
            found = FalseAlarms(training.finetune.false_alarms, places)
    device.join()


def _next(waiting, device):
    """What the device's process has to say next."""
    while True:
        try:
            return waiting.get(timeout=1)
        except queue.Empty:
            if not device.is_alive() and waiting.empty():
                raise SystemExit(f"the device's process ended with {device.exitcode}") from None


if __name__ == "__main__":
    mp.set_start_method("fork")
    main()
