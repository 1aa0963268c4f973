"""Make one folder of weights out of several: the mean of their logits.

Run from the repository's root: ``python benchmarks/join_weights.py OUT FIRST OTHER ...``. FIRST and
OTHER are folders with network.json or names of shipped weights; preprocessing must be the same, and
how scans are searched is as FIRST does it. ``bench_operating.py OUT --settle`` then chooses
threshold and smallest size and calibrates the scores.
"""

import argparse

from cmbkit.detector.network.unet import joined
from cmbkit.detector.network.weights import read_weights, write_weights


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out")
    arguments.add_argument("weights", nargs="+")
    options = arguments.parse_args()
    members = [read_weights(name) for name in options.weights]
    described = [member.description for member in members]
    first = described[0]
    for other in described[1:]:
        if other.preprocessing != first.preprocessing:
            raise SystemExit(f"{other.name}: expected the preprocessing of {first.name}")
    write_weights(
        options.out, joined([member.model for member in members]),
        name="+".join(one.name for one in described), network=first.network,
        others=[one.network for one in described[1:]],
        trained_on="; ".join(f"{one.name}: {one.trained_on}" for one in described),
        preprocessing=first.preprocessing, inference=first.inference,
        training={one.name: one.training for one in described},
    )  # fmt: skip


if __name__ == "__main__":
    main()
