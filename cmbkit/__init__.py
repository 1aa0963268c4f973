"""cmbkit: cerebral microbleeds on T2*-weighted and SWI MRI.

Readers, label refinement, a standard grid, a detector, an evaluation and the
notebooks that regenerate a thesis from them. For research only.
"""

__version__ = "0.1.0"


def predict(scan, **options):
    """Find the microbleeds of one scan; the result shows itself in Jupyter.

    Parameters
    ----------
    scan : path-like, nibabel image or cmbkit.volume.Volume
        A NIfTI file, or the folder (or a file) of a DICOM series; or an image in memory.
    **options
        weights ("compact", or a folder), params (a parameter file), brain_mask, labels,
        threshold, engine, echo, anyway; see `cmbkit.prediction.settings.make_settings`.

    Returns
    -------
    cmbkit.prediction.result.Prediction
        ``.fitness`` (fit, or doubtful and why), ``.mask``, ``.logits`` (on the scan's own
        grid), ``.table``, ``.form()``,
        ``.report()``, ``.write(folder)``. Mask and logits go to nilearn and nibabel as
        ``.mask.to_nifti()``.

    Raises
    ------
    ValueError, RuntimeError
        One line that names the file, what was expected and what was found.

    Examples
    --------
    A ball with a dark one of 3 mm in it, at (6, 0, -4) mm; of a scan's file,
    ``cmbkit.predict("scan.nii.gz")`` does. What is no head is counted on, and called doubtful.

    >>> import numpy as np
    >>> import cmbkit
    >>> from cmbkit.volume import Volume
    >>> x, y, z = np.indices((52, 52, 52)) - 26
    >>> brain = x**2 + y**2 + z**2 <= 20**2
    >>> dark = (x - 6) ** 2 + y**2 + (z + 4) ** 2 <= 3**2
    >>> scan = np.where(dark, 60, 400 * brain) + np.random.default_rng(0).normal(0, 4, brain.shape)
    >>> affine = np.eye(4)
    >>> affine[:3, 3] = -26
    >>> masks = {"brain_mask": Volume(brain, affine), "labels": Volume(2 * brain, affine)}
    >>> found = cmbkit.predict(Volume(scan, affine), **masks)
    >>> found.table[["x_mm", "y_mm", "z_mm", "diameter_mm"]].round().astype(int)
       x_mm  y_mm  z_mm  diameter_mm
    0     6     0    -4            6
    >>> found.fitness.verdict
    'doubtful'
    >>> found.mask.to_nifti().shape
    (52, 52, 52)
    """
    from cmbkit.prediction.one_scan import predict

    return predict(scan, **options)
