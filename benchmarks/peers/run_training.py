"""Gradient steps of UNetApollo3D's levels in PyTorch, as one would write them there.

bench_training.py runs it in an environment with requirements-torch.txt. Takes JSON (levels,
normalization, axis, epsilon, slope, batch, patch, weights of the cross-entropy), answers each line
of its input, the name of a way, with the seconds of a step. Strided convolutions pad
on both sides, Keras's on one, and the loss has no L2 term: nearly the same work, other numbers.
"""

import json
import sys
import time

import torch
from torch import nn

WAYS = {
    "float32": {},
    "float32, channels last": {"last": True},
    "bfloat16, channels last": {"last": True, "half": True},
}


class Scaled(nn.Module):
    """Statistics over all of a patch, one scale and one offset."""

    def __init__(self, channels, epsilon):
        super().__init__()
        self.norm = nn.GroupNorm(1, channels, epsilon, affine=False)
        self.scale, self.offset = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.norm(x) * self.scale + self.offset


class Network(nn.Module):
    """The levels of `cmbkit.detector.network.levels.levels`."""

    def __init__(self, given):
        super().__init__()
        self.given = given
        *down, head = given["levels"]
        self.first = self.norm(1)
        self.blocks, self.ups = nn.ModuleDict(), nn.ModuleDict()
        channels, across = 1, []
        for row in down:
            if row["side"] == "decoder":
                up = nn.ConvTranspose3d(channels, row["filters"][0], 2, stride=2)
                self.ups[row["name"]] = nn.Sequential(up, self.norm(row["filters"][0]), self.act())
                channels = row["filters"][0] + across.pop()
            parts = []
            for filters, stride in zip(row["filters"], row["strides"], strict=True):
                convolution = nn.Conv3d(channels, filters, 3, stride=stride, padding=1)
                parts.append(nn.Sequential(convolution, self.norm(filters)))
                channels = filters
            self.blocks[row["name"]] = nn.ModuleList(parts)
            if row["side"] == "encoder":
                across.append(channels)
        self.head = nn.Conv3d(channels, head["filters"][0], 1)
        self.activate = self.act()

    def norm(self, channels):
        epsilon = self.given["epsilon"]
        if self.given["normalization"] == "batch":
            return nn.BatchNorm3d(channels, epsilon)
        if self.given["axis"] == "channel":
            return nn.InstanceNorm3d(channels, epsilon, affine=True)
        return Scaled(channels, epsilon)

    def act(self):
        return nn.LeakyReLU(self.given["slope"], inplace=True)

    def forward(self, x):
        x, across = self.first(x), []
        for row in self.given["levels"][:-1]:
            if row["side"] == "decoder":
                x = torch.cat([across.pop(), self.ups[row["name"]](x)], dim=1)
            for i, part in enumerate(self.blocks[row["name"]]):
                if row["side"] == "encoder" and i == len(row["filters"]) - 1:
                    across.append(x)
                y = part(x)
                if i == self.given["residual"] > 0 and y.shape == x.shape:
                    y = y + x
                x = self.activate(y)
        return self.head(x)


def loss_of(logits, masks, weights):
    """Focal Tversky (alpha = beta = 0.5, gamma 1) and weighted cross-entropy, in float32."""
    found = logits.float().softmax(1)
    true = nn.functional.one_hot(masks, found.shape[1]).movedim(-1, 1).float()
    axes = (0, 2, 3, 4)
    hits = (true * found).sum(axes)
    index = (hits + 1e-7) / (0.5 * true.sum(axes) + 0.5 * found.sum(axes) + 1e-7)
    entropy = -(weights.view(1, -1, 1, 1, 1) * true * found.clamp_min(1e-7).log()).sum(1).mean()
    return (1 - index).sum() + entropy


def steps_of(given, images, masks, *, last=False, half=False):
    torch.manual_seed(0)
    network = Network(given)
    if last:
        network = network.to(memory_format=torch.channels_last_3d)
        images = images.to(memory_format=torch.channels_last_3d)
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    weights = torch.tensor(given["weights"])

    def step():
        adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = network(images)
        lost = loss_of(logits, masks, weights)
        lost.backward()
        adam.step()
        return lost.item()

    return step, sum(p.numel() for p in network.parameters())


def main():
    given = json.loads(sys.argv[1])
    rng = torch.Generator().manual_seed(0)
    images = torch.randn((given["batch"], 1, *given["patch"]), generator=rng)
    masks = (images[:, 0] < -2.5).long()
    ways = {name: steps_of(given, images, masks, **way) for name, way in WAYS.items()}
    parameters = next(iter(ways.values()))[1]
    about = {"torch": torch.__version__, "parameters": parameters, "ways": list(WAYS)}
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        ways[line.strip()][0]()
        print(json.dumps(time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
