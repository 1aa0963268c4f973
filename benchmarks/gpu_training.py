"""Train on a GPU what `cmbkit train` trains on a processor: same patches, network, loss, rates.

Keras runs on JAX here, and patches are made by as many processes as there are cores: the seed of
a patch says what it holds, not who makes it. Pre-training, then rounds of fine-tuning around the
false alarms of the network before.

    python benchmarks/gpu_training.py params/compact.yaml --out weights/trained --rounds 3

Needs JAX with CUDA beside cmbkit's own packages. ``--prepare`` makes the scans and stops.
"""

import argparse
import multiprocessing as mp
import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"
from cmbkit.detector.patches.hard_negatives import ALARM, APART_MM, MOST, NO_ALARMS, FalseAlarms
from cmbkit.detector.patches.sampling import SampledScan
from cmbkit.detector.patches.stream import epoch_batches
from cmbkit.params import read_parameters
from cmbkit.study import Study

EPOCH = 25  # steps; one process makes the patches of one epoch
TILES = int(os.environ.get("TILES", 128))
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


def produce(queue, number, step, args):
    """Put the batches of epochs number + 1, number + 1 + step, ... into the queue."""
    scans, training, phase, patch, seed, memory, alarms = args
    for epoch in count(number + 1, step):
        if (epoch - 1) * EPOCH >= phase.epochs * phase.steps_per_epoch:
            return
        for image, mask in epoch_batches(
            scans, training, patch, phase.batch_size, EPOCH,
            seed=seed, epoch=epoch, memory=memory, alarms=alarms,
        ):  # fmt: skip
            queue.put((image.astype(np.float16), mask.astype(np.uint8)))


class Steps:
    """Compiled gradient steps of a network; the rate is given, so one compilation serves all phases."""

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
            (lost, kept), slope = jax.value_and_grad(value, has_aux=True)(trained, kept, image, mask)
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


def learn(all_steps, phase, queues, name):
    """One phase of each network, on the same patches."""
    losses, rates = [], rates_of(phase)
    for steps in all_steps:
        steps.begin()
    for number, rate in enumerate(rates):
        image, mask = queues[number // EPOCH % len(queues)].get()
        losses.append([steps(image, mask, rate) for steps in all_steps])
        if (number + 1) % 250 == 0 or number in (0, 50):
            recent = np.array(losses[-250:], float)
            say(name, number + 1, "of", len(rates), "loss", recent.mean(axis=0).round(4))
            if not np.isfinite(recent).all():
                raise FloatingPointError(name)
    for steps in all_steps:
        steps.end()


def find_alarms(model, memory):
    """False alarms of the network in every scan of the memory, as `find_false_alarms` defines."""
    import cc3d
    import jax

    from cmbkit.boxes import cut_box
    from cmbkit.detector.inference.tiles import holds_any, tile_starts
    from cmbkit.detector.network.unet import logits_model

    logits = logits_model(model)
    values = [[v.value for v in group]
              for group in (logits.trainable_variables, logits.non_trainable_variables)]  # fmt: skip
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


def on_device(networks, training, memory, queues, alarms, out, rounds, seed):
    """What the process with the GPU does: phases and searches in turn."""
    import jax
    import keras

    from cmbkit.detector.network.unet import build, save_weights

    jax.config.update("jax_compilation_cache_dir", "/tmp/jax_cache")
    say("devices", jax.devices(), "keras", keras.__version__, keras.backend.backend())
    models = {name: build(network, seed=seed) for name, network in networks.items()}
    steps = [Steps(model, training) for model in models.values()]
    names = ["pretrain", *(f"round{n + 1}" for n in range(rounds))]
    for name, phase in zip(names, [training.pretrain] + [training.finetune] * rounds, strict=True):
        if name != "pretrain":
            found = [find_alarms(model, memory) for model in models.values()]
            alarms.put({key: np.concatenate([f[key] for f in found]) for key in found[0]})
        learn(steps, phase, queues, name)
        for which, model in models.items():
            save_weights(model, out / f"{which}-{name}.weights.h5")
        say(name, "written")
    alarms.put(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", type=Path, nargs="+", help="the first says all but networks")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, nargs=2, help="of pre-training and of a round")
    parser.add_argument("--processes", type=int, default=max(os.cpu_count() - 2, 1))
    parser.add_argument("--prepare", action="store_true")
    args = parser.parse_args()
    study = Study.read(args.parameters[0], root=args.root, workers=os.cpu_count())
    scans = study.cohort.split("train")
    say(f"{len(scans)} training scans")
    if args.prepare:
        return
    training = study.params.training
    networks = {path.stem: read_parameters(path).network for path in args.parameters}
    (patch,) = {tuple(network.patch_size) for network in networks.values()}
    if args.steps:
        for name, steps in zip(("pretrain", "finetune"), args.steps, strict=True):
            phase = getattr(training, name)
            changed = phase.model_copy(update={"epochs": steps // EPOCH, "steps_per_epoch": EPOCH})
            training = training.model_copy(update={name: changed})
    args.out.mkdir(parents=True, exist_ok=True)
    memory = Loaded(scans, args.processes)
    say(f"{sum(s.nbytes for s in memory.kept.values()) / 1e9:.1f} GB in memory")
    queues = [mp.Queue(8) for _ in range(args.processes)]
    alarms = mp.Queue()
    device = mp.Process(target=on_device, args=(
        networks, training, memory, queues, alarms, args.out, args.rounds, args.seed))  # fmt: skip
    device.start()
    found = NO_ALARMS
    for number, phase in enumerate([training.pretrain] + [training.finetune] * args.rounds):
        given = (scans, training, phase, patch, args.seed + number, memory, found)
        workers = [mp.Process(target=produce, args=(queue, i, len(queues), given), daemon=True)
                   for i, queue in enumerate(queues)]  # fmt: skip
        for worker in workers:
            worker.start()
        while (places := _next(alarms, device)) is False:
            pass
        for worker in workers:
            worker.join()
        if places is None:
            break
        uids = {str(scan.folder): scan.scan.uid for scan in scans}
        found = FalseAlarms(
            training.finetune.false_alarms, {uids[key]: at for key, at in places.items()}
        )
    device.join()
    say("done")


def _next(queue, device):
    """What the device's process has to say; False if nothing within a second."""
    import queue as errors

    try:
        return queue.get(timeout=1)
    except errors.Empty:
        if not device.is_alive() and queue.empty():
            raise SystemExit(f"the device's process ended with {device.exitcode}") from None
        return False


if __name__ == "__main__":
    mp.set_start_method("fork")
    main()
