"""Seeds as the raters left them, and the same places on another grid; places by hand."""

import numpy as np
import pytest

from cmbkit.params import Preprocessing
from cmbkit.preprocessing import seeds as mk
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.volume import Volume


def grid(shape, *diagonal, origin=(0, 0, 0)):
    affine = np.diag([*diagonal, 1.0])
    affine[:3, 3] = origin
    return Volume(np.zeros(shape, np.float32), affine)


def scan_of(annotation):
    return Scan("DOU", "p", "1", "SWI", "i.nii", annotation, Acquisition((1.0, 1.0), 2.0))


def test_points_are_numbered_seeds():
    annotation = Annotation("points", points=((1, 2, 3), (4, 5, 6)))
    found = mk.read_marks(scan_of(annotation), grid((9, 9, 9), 1, 1, 2), Preprocessing())
    assert found.source == "point" and found.numbers == (1, 2)
    assert [v.tolist() for v in found.voxels] == [[[1, 2, 3]], [[4, 5, 6]]]
    assert np.argwhere(found.painted(grid((9, 9, 9), 1, 1, 2)).data == 2).tolist() == [[4, 5, 6]]


def test_seeds_move_to_the_nearest_voxel_and_the_centre_exactly():
    """x = 10 - 0.2 i: seeds at 9.6, 9.4 and 9.0 mm; on a grid of 0.5 mm from 8 mm on: 3, 3, 2."""
    here = grid((9, 9, 9), -0.2, 1, 3, origin=(10, 0, 0))
    there = grid((5, 9, 49), 0.5, 1, 0.5, origin=(8, 0, 0))
    seeds = np.array([(2, 1, 1), (3, 1, 1), (5, 1, 1)])
    moved = mk.Seeds("scribble", (7,), (seeds,), (seeds.mean(axis=0),)).moved(here, there)
    assert moved.voxels[0].tolist() == [[2, 1, 6], [3, 1, 6]] and moved.numbers == (7,)
    np.testing.assert_allclose(moved.centres[0], [(28 / 3 - 8) / 0.5, 1, 6])


def test_masks_have_no_seeds():
    with pytest.raises(mk.LabelError, match=r"expected an annotation of kind .* found mask"):
        mk.read_marks(scan_of(Annotation("mask")), grid((3, 3, 3), 1, 1, 1), Preprocessing())
