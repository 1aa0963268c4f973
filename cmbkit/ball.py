"""The ball that has a microbleed's volume: its radius tells size in mm."""

import numpy as np


def ball_radius(volume: float) -> float:
    """Radius of the ball with this volume, e.g. in mm for mm^3: (3 V / 4 pi)^(1/3)."""
    return float((3 * volume / (4 * np.pi)) ** (1 / 3))
