"""Faults of every kind on a small study: after each, a rerun ends with the undisturbed tables.

``make faults`` runs all of them, `tests/faults/test_faults.py` a few; some by their names:

    .venv/bin/python tests/faults/faults.py damages at_stages        # without a network
    .venv/bin/python tests/faults/faults.py scratch at_stages        # with one
    .venv/bin/python tests/faults/faults.py training                 # its two phases alone
    .venv/bin/python tests/faults/faults.py noticed FOLDER           # of a cache, e.g. the demo's

A line per fault says what was done and what the rerun told; the exit code is 1 if a table, a
leftover or a process was wrong.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from damaged_files import DAMAGES, noticed, rounds

SCRIPT = Path(__file__).with_name("small_study.py")
DERIVED = "data/derivatives/small"
STAGES = (
    "preproc/*/*/provenance.json",
    "features/*/*/provenance.json",
    "predictions/dark blobs/*/*/provenance.json",
    "evaluation/dark blobs/*/*/provenance.json",
)
IN_TRAINING = (
    "models/scratch-pretrain/.unfinished-*/checkpoint.npz",
    "models/scratch-finetune/.unfinished-*/config.json",
    "models/scratch-finetune/.unfinished-*/checkpoint.npz",
    "maps/scratch/*/*/provenance.json",
)
BEGUN = "models/scratch-pretrain/.unfinished-*"
END_S = 30


def start(root: Path, models=(), limit: int | None = None, stage: str = "") -> subprocess.Popen:
    """Begin a run of the small study; ``limit``: bytes that a file may have.

    ``stage``: it waits to be stopped once it has kept a new result of that stage.
    """
    environment = {**os.environ, "CMBKIT_ROOT": str(root), "XDG_CACHE_HOME": str(root / "cache")}
    environment |= {"TMPDIR": str(root / "tmp"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment |= {"WAITS_AT": stage}
    (root / "tmp").mkdir(exist_ok=True)
    small = (resource.RLIMIT_FSIZE, (limit, limit))
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(root), *models],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: resource.setrlimit(*small)) if limit else None,
    )


def finish(root: Path, models=(), **options) -> tuple[int, str]:
    """Run to the end; exit code and what was told."""
    with start(root, models, **options) as run:
        told = run.communicate()[1]
    return run.returncode, told


def kill(root: Path, models=(), *, stage="", after_s=0.0, number=signal.SIGKILL) -> bool:
    """Stop the process of a run, and it alone, some seconds after a stage has a new result.

    Returns
    -------
    bool
        Whether it was there to be stopped.
    """
    run = start(root, models, stage=stage)
    wait_for(root, run, stage)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(after_s)
    hit = run.poll() is None
    run.send_signal(number)
    run.communicate()
    return hit


def wait_for(root: Path, run: subprocess.Popen, stage: str) -> None:
    """Return once a stage has a new result, at once where none is named, or as the run ends."""
    before = set((root / DERIVED).glob(stage)) if stage else set()
    while stage and run.poll() is None and not set((root / DERIVED).glob(stage)) - before:
        time.sleep(0.01)


def ends(root: Path) -> bool:
    """Whether no process of a study is left within ``END_S``."""
    deadline = time.monotonic() + END_S
    while processes(root):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def processes(root: Path) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"CMBKIT_ROOT={root}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def tables(root: Path) -> dict[str, bytes]:
    """Every file of the gallery, by name."""
    folder = root / "figures/small"
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def leftovers(root: Path) -> list[Path]:
    return [*root.rglob(".part-*"), *(root / "tmp").glob("cmbkit-part-*")]


class Trial:
    """One root, its undisturbed tables, and a count of what became of each kind of fault."""

    def __init__(self, folder: Path, models=(), workers: int = 1):
        from small_study import make

        self.root, self.models = make(folder, workers), models
        self.counts: Counter = Counter()
        self.seconds = time.monotonic()
        code, told = finish(self.root, models)
        if code:
            raise RuntimeError(told)
        self.seconds = time.monotonic() - self.seconds
        self.expected = tables(self.root)

    def forget(self, *names: str) -> None:
        """Let all be computed again, or what these folders hold."""
        for name in names or ("data", "figures", "cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def rerun(self, kind: str, fault: str, good: bool = True, lines: int = 0) -> None:
        """Wait until nothing is left of what was stopped, run to the end, compare, tell."""
        good = good and ends(self.root)
        code, told = finish(self.root, self.models)
        same = code == 0 and tables(self.root) == self.expected
        alone = not leftovers(self.root) and ends(self.root)
        damaged = [line for line in told.splitlines() if "anew" in line or "goes on" in line]
        right = good and same and alone and len(damaged) >= lines
        outcome = "identical" if right else "WRONG"
        self.counts[kind, outcome] += 1
        print(f"{kind}: {fault}: {outcome}", *damaged, sep="\n  ", flush=True)
        if not right:
            print(f"  exit {code}, same {same}, alone {alone}, stopped {good}\n{told[-2000:]}")


def at_stages(trial: Trial) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        for stage in IN_TRAINING if trial.models else STAGES:
            trial.forget()
            good = kill(trial.root, trial.models, stage=stage, number=number)
            trial.rerun(f"{number.name} at a stage", stage, good)


def at_random(trial: Trial, count: int = 12) -> None:
    chance = random.Random(0)
    for _ in range(count):
        trial.forget()
        after = chance.uniform(0.1, 0.9) * trial.seconds
        hit = kill(trial.root, trial.models, after_s=after)
        kind = "SIGKILL at any time" if hit else "run that had ended before"
        trial.rerun(kind, f"after {after:.1f} s")


def in_training(trial: Trial, count: int = 10) -> None:
    """SIGKILL and SIGTERM by turns, at any time of both phases, by the processor's clock."""
    chance, networks = random.Random(0), (f"{DERIVED}/models", f"{DERIVED}/networks", "figures")

    def train(stop_s: float = math.inf, number=signal.SIGKILL) -> float:
        trial.forget(*networks)
        run, used = start(trial.root, trial.models), 0.0
        wait_for(trial.root, run, BEGUN)
        before = processor_s(run)
        while run.poll() is None and used < stop_s:
            time.sleep(0.01)
            used = max(used, processor_s(run) - before)
        run.send_signal(number)
        run.communicate()
        return used

    whole = train()
    for number in (signal.SIGKILL, signal.SIGTERM) * (count // 2):
        stop = chance.uniform(0, 0.9) * whole
        kind = f"{number.name} in training"
        if train(stop, number) < stop:
            kind = "training that had ended before"
        trial.rerun(kind, f"after {stop:.1f} of {whole:.1f} s")


def processor_s(run: subprocess.Popen) -> float:
    """Processor time that a run has had so far, its threads' too; 0 once it has ended."""
    with contextlib.suppress(psutil.Error):
        return sum(psutil.Process(run.pid).cpu_times()[:2])
    return 0.0


def damages(trial: Trial) -> None:
    params = trial.root / "params/small.yaml"  # a pool takes longer to start than one scan
    params.write_text(params.read_text().replace("workers: 2", "workers: 1"))
    for number, chosen in enumerate(rounds(trial.root / DERIVED)):
        names = [f"{p.relative_to(trial.root / DERIVED)} {d.__name__}" for p, d in chosen]
        for path, damage in chosen:
            damage(path)
        trial.rerun(f"{len(chosen)} damaged files", f"round {number}", lines=len(chosen))
        trial.counts["damaged file of the cache", "tried"] += len(chosen)
        print(*names, sep="\n", flush=True)


def notes(trial: Trial) -> None:
    """What the cache and the gallery note beside their results: hashes, code, users, entries."""
    derived, gallery = trial.root / DERIVED, trial.root / "figures/small"
    for damage in DAMAGES:
        found = [derived / ".code.json", derived / ".file_hashes.tsv"]
        found += [*derived.rglob(".used/*"), *gallery.glob(".entries/*"), *gallery.glob("*.csv")]
        for path in found:
            damage(path)
        trial.rerun("damaged notes beside results", f"{len(found)} files {damage.__name__}")


def full_disks(trial: Trial) -> None:
    """A file may have 2 kB, 20 kB, or a byte less than the largest of the cache."""
    largest = max(path.stat().st_size for path in (trial.root / DERIVED).rglob("*"))
    for limit in (2_000, 20_000, largest - 1):
        trial.forget()
        code, _ = finish(trial.root, trial.models, limit=limit)
        trial.rerun("no room for a file", f"of {limit} bytes", code != 0)


def two_at_once(trial: Trial) -> None:
    trial.forget()
    with start(trial.root, trial.models) as one, start(trial.root, trial.models) as two:
        one.communicate(), two.communicate()
    trial.rerun("two runs at once", "all missing", (one.returncode, two.returncode) == (0, 0))


KINDS = (at_stages, at_random, full_disks, two_at_once, damages, notes)


def main(words: list[str]) -> int:
    """All faults, without and with a network; how many of each kind ended identical."""
    if words[:1] == ["noticed"]:
        return int(noticed(Path(words[1])) > 0)
    chosen = tuple(each for each in KINDS if each.__name__ in words) or KINDS
    models = tuple(name for name in ("scratch", "training") if name in words)
    counts: Counter = Counter()
    for model in models or ("",) if words else ("", "scratch", "training"):
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(Path(folder), (model,) if model else (), workers=2)
            for each in chosen if model != "training" else (in_training,):
                each(trial)
            counts += trial.counts
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind}: {count} {outcome}")
    return int(any(outcome == "WRONG" for _, outcome in counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
