"""Seconds per patch of a TorchIO queue (JSON to stdout); bench_loader.py runs it.

Transforms act on the whole volume, as TorchIO's Queue means them to (and as the thesis did), or
on each patch after sampling. What is equal to cmbkit's and what is not: benchmarks/loader.md.
"""

import json
import random
import sys
import time

import numpy as np
import SimpleITK
import torch
import torchio as tio

SHAPE, SPACING_MM, PER_SCAN, QUEUE, BATCH = (200, 240, 200), 0.5, 30, 60, 6
NODE_EVERY = 32  # voxels; 4 nodes along a patch of 96


class QuarterTurns(tio.Transform):
    """0 to 3 quarter turns about each axis, half turns where sides are unequal."""

    def apply_transform(self, subject):
        for first, second in ((1, 2), (0, 2), (0, 1)):
            turns = random.randrange(4)
            if subject.spatial_shape[first] != subject.spatial_shape[second]:
                turns -= turns % 2
            for image in subject.get_images(intensity_only=False):
                turned = torch.rot90(image.data, turns, (first + 1, second + 1))
                image.set_data(turned.contiguous())
        return subject


def salt_and_pepper(image):
    places = torch.randint(image.numel(), (int(random.uniform(0, 0.15) * image.numel()),))
    white = torch.rand(len(places)) < 0.5
    changed = image.clone()
    changed.view(-1)[places] = torch.where(white, image.max(), image.min())
    return changed


def inverted(image):
    return image.max() + image.min() - image


def elastic(shape):
    """Displacements with the same root mean square as cmbkit's, of sd 0 to 2 voxels."""
    nodes = tuple(max(4, round(n / NODE_EVERY) + 1) for n in shape)
    return tio.RandomElasticDeformation(
        nodes, max_displacement=2 * SPACING_MM, locked_borders=0, p=0.3
    )


def transforms(kind, shape):
    """The published probabilities and strengths (section 6.3), each stage with its own chance."""
    if kind == "quarter turns":
        return QuarterTurns()
    affine = tio.RandomAffine(scales=0.05, degrees=float(np.degrees(0.2)))
    values = dict(types_to_apply=[tio.INTENSITY])
    changes = [
        tio.RandomNoise(std=(0, 0.5), p=0.25),
        tio.Lambda(salt_and_pepper, **values, p=0.25),
        tio.RandomGamma(log_gamma=0.4 * 3**0.5, p=0.5),
        tio.Lambda(inverted, **values, p=0.25),
        tio.ZNormalization(),
    ]
    blur = tio.RandomBlur(std=(0.5 * SPACING_MM, 2.5 * SPACING_MM))
    return tio.Compose(
        [
            tio.Compose([tio.Compose([QuarterTurns(), affine], p=0.6), elastic(shape)], p=0.4),
            tio.Compose(changes, p=0.6),
            tio.Compose([blur, tio.ZNormalization()], p=0.25),
        ]
    )


def subjects(n):
    made, affine = [], np.diag([SPACING_MM] * 3 + [1])
    for i in range(n):
        torch.manual_seed(i)
        mask = torch.zeros((1, *SHAPE), dtype=torch.uint8)
        mask[0, 90:96, 110:116, 100:106] = 1
        image = tio.ScalarImage(tensor=torch.randn((1, *SHAPE)), affine=affine)
        made.append(tio.Subject(image=image, mask=tio.LabelMap(tensor=mask, affine=affine)))
    return made


class Changed(torch.utils.data.Dataset):
    """A queue whose patches are transformed one by one."""

    def __init__(self, queue, change):
        self.queue, self.change = queue, change

    def __len__(self):
        return len(self.queue)

    def __getitem__(self, index):
        return self.change(self.queue[index])


def batches(kind, size, where):
    """Batches of 6 patches without end, from three scans in memory."""
    on_volume = transforms(kind, SHAPE) if where == "volume" else None
    data = tio.SubjectsDataset(subjects(3), transform=on_volume)
    sampler = tio.LabelSampler(size, "mask", label_probabilities={0: 0.1, 1: 0.9})
    patches = tio.Queue(data, QUEUE, PER_SCAN, sampler, num_workers=0)
    if where == "patch":
        patches = Changed(patches, transforms(kind, [size] * 3))
    while True:
        for batch in tio.SubjectsLoader(patches, batch_size=BATCH, num_workers=0):
            yield batch["image"][tio.DATA], batch["mask"][tio.DATA].int()


def seconds_per_patch(kind, size, where, n):
    """Processor time of ``n`` patches after a first queue of them."""
    random.seed(0)
    stream = batches(kind, size, where)
    for _ in range(QUEUE // BATCH):
        next(stream)
    torch.manual_seed(0)
    start = time.process_time()
    for _ in range(n // BATCH):
        images, masks = next(stream)
    assert images.shape == masks.shape == (BATCH, 1, size, size, size)
    assert images.dtype == torch.float32
    return (time.process_time() - start) / n


def main():
    torch.set_num_threads(1)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    found = [[*case, seconds_per_patch(*case)] for case in json.loads(sys.argv[1])]
    versions = f"TorchIO {tio.__version__}, torch {torch.__version__}"
    print(json.dumps({"versions": versions, "found": found}))


if __name__ == "__main__":
    main()
