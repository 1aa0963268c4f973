"""3D renders of masks: VTK off screen where it works, else the same mesh drawn by matplotlib."""

import os
from concurrent.futures import BrokenExecutor
from functools import lru_cache

import numpy as np

from cmbkit.boxes import bounding_box

WINDOW_CLASSES = ("vtkEGLRenderWindow", None, "vtkOSOpenGLRenderWindow")
_VARIABLE = "VTK_DEFAULT_OPENGL_WINDOW"
_VIEW = (25.0, -60.0)  # elevation and azimuth in degrees
_MARGIN = 1.15
PASS_BAND = 0.1
"""Of the smoothing: undulations shorter than about 20 edges go."""
THIN, FINE_PARTS = 2, 3
"""Masks at most so many voxels thick have each voxel split into so many along each axis."""


@lru_cache(maxsize=1)
def _vtk_process():
    """Process in which VTK draws, with the first window class that draws a ball; None without.

    A bad class crashes, and so does drawing beside TensorFlow's libraries.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    chosen, ball = os.environ.get(_VARIABLE), mesh(np.ones((3, 3, 3)), 1.0)
    for name in dict.fromkeys((*filter(None, [chosen]), *WINDOW_CLASSES)):
        pool = ProcessPoolExecutor(1, env={_VARIABLE: name} if name else {})
        try:
            picture = pool.submit(_draw_vtk, *ball, (0, 0, 0), 16, 8.0).result(timeout=60)
        except (BrokenExecutor, TimeoutError):
            pool.shutdown(kill_workers=True)
            continue
        if picture.min() < 100:
            return pool
    return None


def renderer_name() -> str:
    """``"VTK"`` or ``"matplotlib"``: what `render_mask` draws with here; for captions."""
    return "VTK" if _vtk_process() else "matplotlib"


def mesh(mask, spacing, smoothing: int = 20):
    """Surface of a mask by VTK's flying edges, smoothed without shrinking (windowed sinc).

    Voxels of thin masks are split into smaller ones first: smoothing would shrink a single
    voxel to a point and a row of voxels to a needle.

    Parameters
    ----------
    mask : ndarray, shape (i, j, k)
        Voxels > 0 are inside.
    spacing : float or (3,)
        mm.
    smoothing : int
        Rounds of smoothing; 0 leaves the stair steps.

    Returns
    -------
    vertices : ndarray, shape (n, 3)
        mm, centred on the middle of the bounding box.
    faces : ndarray of int, shape (m, 3)
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkWindowedSincPolyDataFilter

    inside = np.asarray(mask) > 0
    inside = inside[bounding_box(inside)]
    parts = FINE_PARTS if min(inside.shape) <= THIN else 1
    inside = np.pad(inside.repeat(parts, 0).repeat(parts, 1).repeat(parts, 2), 1)
    grid, edges = vtkImageData(), vtkFlyingEdges3D()
    grid.SetDimensions(*inside.shape)
    grid.SetSpacing(*np.broadcast_to(np.asarray(spacing, float) / parts, 3))
    values = numpy_to_vtk(inside.astype(np.float32).ravel(order="F"), deep=True)
    grid.GetPointData().SetScalars(values)
    edges.SetInputData(grid)
    edges.SetValue(0, 0.5)
    surface = edges
    if smoothing:
        surface = vtkWindowedSincPolyDataFilter()
        surface.SetInputConnection(edges.GetOutputPort())
        surface.SetNumberOfIterations(smoothing)
        surface.SetPassBand(PASS_BAND)
        surface.NormalizeCoordinatesOn()
    surface.Update()
    vertices = vtk_to_numpy(surface.GetOutput().GetPoints().GetData()).astype(float)
    faces = vtk_to_numpy(surface.GetOutput().GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vertices - (vertices.max(axis=0) + vertices.min(axis=0)) / 2, faces.astype(int)


def width_mm(mask, spacing) -> float:
    """Width in mm of a view that holds the mask from any side."""
    vertices, _ = mesh(mask, spacing, smoothing=0)
    return float(2 * np.linalg.norm(vertices, axis=1).max() * _MARGIN)


def render_mask(mask, spacing, colour: str, size_px: int = 320, view_mm=None, renderer=None):
    """Draw one mask in 3D.

    Parameters
    ----------
    mask : ndarray, shape (i, j, k)
    spacing : float or (3,)
        mm.
    view_mm : float, optional
        Width of the view in mm (default: the mask fits). Give the same to compare sizes.

    Returns
    -------
    ndarray of uint8, shape (size_px, size_px, 3)
        On white.
    """
    from matplotlib.colors import to_rgb

    vertices, faces = mesh(mask, spacing)
    view_mm = view_mm or width_mm(mask, spacing)
    renderer = renderer or renderer_name()
    request = (vertices, faces, to_rgb(colour), int(size_px), float(view_mm))
    if renderer == "VTK":
        return _vtk_process().submit(_draw_vtk, *request).result()
    return _draw_matplotlib(*request)


def _direction():
    elevation, azimuth = np.deg2rad(_VIEW)
    return np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )


def _draw_vtk(vertices, faces, rgb, size_px, view_mm):
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (registers the window classes)
    from vtkmodules import vtkRenderingCore as rendering
    from vtkmodules.util.numpy_support import (
        numpy_to_vtk,
        numpy_to_vtkIdTypeArray,
        vtk_to_numpy,
    )
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkPolyDataNormals

    points, cells, surface = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(vertices), deep=True))
    packed = np.hstack([np.full((len(faces), 1), 3), faces]).astype(np.int64).ravel()
    cells.SetCells(len(faces), numpy_to_vtkIdTypeArray(packed, deep=True))
    surface.SetPoints(points)
    surface.SetPolys(cells)
    normals = vtkPolyDataNormals()
    mapper, actor = rendering.vtkPolyDataMapper(), rendering.vtkActor()
    normals.SetInputData(surface)
    normals.SplittingOff()
    mapper.SetInputConnection(normals.GetOutputPort())
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*rgb)
    actor.GetProperty().SetAmbient(0.25)
    actor.GetProperty().SetDiffuse(0.75)
    scene, screen = rendering.vtkRenderer(), rendering.vtkRenderWindow()
    grab = rendering.vtkWindowToImageFilter()
    scene.SetBackground(1, 1, 1)
    scene.AddActor(actor)
    screen.SetOffScreenRendering(1)
    screen.SetMultiSamples(0)
    screen.SetSize(2 * size_px, 2 * size_px)
    screen.AddRenderer(scene)
    camera = scene.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(0, 0, 0)
    camera.SetPosition(*(_direction() * 10 * view_mm))
    camera.SetViewUp(0, 0, 1)
    camera.SetParallelScale(view_mm / 2)
    scene.ResetCameraClippingRange()
    screen.Render()
    grab.SetInput(screen)
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
    pixels = pixels[::-1, :, :3].astype(float)
    screen.Finalize()
    return _halve(pixels)


def _draw_matplotlib(vertices, faces, rgb, size_px, view_mm):
    """Project along the view, paint triangles from back to front, shade by their normal."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    towards = _direction()
    right = np.cross([0, 0, 1], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    smooth = np.zeros_like(vertices)
    for column in range(3):
        np.add.at(smooth, faces[:, column], normals)
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)
    order = np.argsort(corners.mean(axis=1) @ towards, kind="stable")
    light = 0.25 + 0.75 * np.abs(smooth @ towards)[faces].mean(axis=1)
    colours = np.clip(light[:, None] * np.asarray(rgb), 0, 1)[order]
    flat = np.stack([corners @ right, corners @ up], axis=-1)[order]
    figure = Figure(figsize=(2, 2), dpi=size_px)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-view_mm / 2, view_mm / 2)
    axes.set_ylim(-view_mm / 2, view_mm / 2)
    axes.add_collection(
        PolyCollection(flat, facecolors=colours, edgecolors=colours, linewidths=0.4)
    )
    canvas.draw()
    return _halve(np.asarray(canvas.buffer_rgba())[..., :3].astype(float))


def _halve(pixels):
    """Mean of 2 x 2 pixels: smooth edges whatever the renderer."""
    small = (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) / 4
    return np.rint(small).astype(np.uint8)
