"""Meshes against the volume and width of the solid; pictures against its projection."""

from concurrent.futures import BrokenExecutor

import numpy as np
import pytest
from joblib.externals import loky

from cmbkit.plotting import surfaces


def ball(radius_mm, spacing=0.5):
    reach = int(radius_mm / spacing) + 2
    axis = np.arange(-reach, reach + 1) * spacing
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return x**2 + y**2 + z**2 <= radius_mm**2


def mesh_volume(vertices, faces):
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return abs(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_mesh_of_a_ball_keeps_its_volume_through_smoothing():
    mask = ball(4.0)
    vertices, faces = surfaces.mesh(mask, 0.5)
    assert mesh_volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.05)
    np.testing.assert_allclose(vertices.max(axis=0), 4.0, atol=0.4)
    np.testing.assert_allclose(vertices.max(axis=0), -vertices.min(axis=0))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (3, 3, 2)])
def test_thin_masks_keep_their_volume(shape):
    volume = mesh_volume(*surfaces.mesh(np.ones(shape), 0.5))
    assert volume == pytest.approx(np.prod(shape) * 0.5**3, rel=0.25)


def test_spacing_stretches_the_mesh():
    vertices, _ = surfaces.mesh(np.ones((2, 2, 2)), (1.0, 1.0, 6.0), smoothing=0)
    # marching cubes puts the surface half a voxel outside the voxel centres
    np.testing.assert_allclose(np.ptp(vertices, axis=0), [2, 2, 12])


def test_empty_mask_is_an_error():
    with pytest.raises(ValueError, match="found none"):
        surfaces.mesh(np.zeros((3, 3, 3)), 1.0)


def renderers():
    return ["matplotlib"] + (["VTK"] if surfaces.renderer_name() == "VTK" else [])


def test_picture_shows_a_disc_of_the_right_size_with_every_renderer():
    for renderer in renderers():
        picture = surfaces.render_mask(ball(4.0), 0.5, "#0072B2", 100, 16.0, renderer)
        assert picture.shape == (100, 100, 3) and picture.dtype == np.uint8
        drawn = (picture < 250).any(axis=2)
        assert drawn.mean() == pytest.approx(np.pi * 4**2 / 16**2, rel=0.08), renderer
        rows, columns = np.nonzero(drawn)
        assert abs(rows.mean() - 49.5) < 1 and abs(columns.mean() - 49.5) < 1
        assert picture[50, 50, 2] > picture[50, 50, 0] + 50  # blue


def test_both_renderers_look_from_the_same_side():
    mask = np.zeros((12, 12, 12))
    mask[1:11, 5:7, 5:7] = 1
    mask[1:4, 5:7, 5:11] = 1
    pictures = [
        surfaces.render_mask(mask, 1.0, "#888888", size_px=64, renderer=r) for r in renderers()
    ]
    drawn = [(picture < 250).any(axis=2) for picture in pictures]
    overlap = (drawn[0] & drawn[-1]).sum() / (drawn[0] | drawn[-1]).sum()
    assert overlap > 0.9


def test_no_working_window_means_matplotlib(monkeypatch):
    class Crashes:
        def __init__(self, *_, **__): ...

        def submit(self, *_):
            raise BrokenExecutor("the process died")

        def shutdown(self, **_): ...

    surfaces._vtk_process.cache_clear()
    monkeypatch.setattr(loky, "ProcessPoolExecutor", Crashes)
    try:
        assert surfaces.renderer_name() == "matplotlib"
        assert surfaces.render_mask(ball(1.0), 0.5, "#888888", size_px=20).shape == (20, 20, 3)
    finally:
        surfaces._vtk_process.cache_clear()
