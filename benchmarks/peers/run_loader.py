"""Seconds per patch of a TorchIO queue (JSON to stdout); bench_loader.py runs it.

Transforms act on the whole volume, as TorchIO's Queue means them to (and as the thesis did), or
on each patch after sampling.
"""

import json
import sys
import time
from statistics import median

import torch
import torchio as tio

SHAPE, PER_SCAN, QUEUE = (200, 240, 200), 30, 60


def transforms(kind, p):
    if kind == "crop and flip":
        return tio.RandomFlip(axes=(0, 1, 2), flip_probability=0.5)
    spatial = [
        tio.RandomAffine(scales=0.05, degrees=11.5, p=0.4 * 0.6),
        tio.RandomElasticDeformation(num_control_points=6, max_displacement=4, p=0.4 * 0.3),
    ]
    values = [
        tio.RandomNoise(std=(0, 0.5), p=0.6 * 0.25),
        tio.RandomGamma(log_gamma=0.4, p=0.6 * 0.5),
        tio.RandomBlur(std=(0.5 * p, 2.5 * p), p=0.25),
    ]
    return tio.Compose(spatial + values)


def subjects(n):
    made = []
    for i in range(n):
        torch.manual_seed(i)
        mask = torch.zeros((1, *SHAPE), dtype=torch.uint8)
        mask[0, 90:96, 110:116, 100:106] = 1
        image = torch.randn((1, *SHAPE))
        parts = dict(image=tio.ScalarImage(tensor=image), mask=tio.LabelMap(tensor=mask))
        made.append(tio.Subject(**parts))
    return made


def seconds_per_patch(kind, size, where, n, rounds):
    change = transforms(kind, 0.5)
    data = tio.SubjectsDataset(subjects(3), transform=change if where == "volume" else None)
    sampler = tio.LabelSampler(size, "mask", label_probabilities={0: 0.1, 1: 0.9})
    times = []
    for _ in range(rounds):
        queue = tio.Queue(data, QUEUE, PER_SCAN, sampler, num_workers=0, shuffle_subjects=True)
        start = time.process_time()
        for i in range(n):
            patch = queue[i % len(queue)]
            if where == "patch":
                change(patch)
        times.append((time.process_time() - start) / n)
    return median(times)


def main():
    torch.set_num_threads(1)
    cases, rounds = json.loads(sys.argv[1]), int(sys.argv[2])
    found = [[*case, seconds_per_patch(*case, rounds)] for case in cases]
    print(
        json.dumps(
            {"versions": f"TorchIO {tio.__version__}, torch {torch.__version__}", "found": found}
        )
    )


if __name__ == "__main__":
    main()
