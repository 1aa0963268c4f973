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
    Not run as a test: the shipped network takes a minute for a scan.

    >>> import cmbkit
    >>> found = cmbkit.predict("scan.nii.gz", threshold=0.9)  # doctest: +SKIP
    >>> found.table[["x_mm", "y_mm", "z_mm", "volume_mm3"]]  # doctest: +SKIP
    >>> found.mask.to_nifti()  # doctest: +SKIP
    """
    from cmbkit.prediction.one_scan import predict

    return predict(scan, **options)
