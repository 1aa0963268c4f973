"""cmbkit: cerebral microbleeds on T2*-weighted and SWI MRI.

Readers, label refinement, a standard grid, a detector, an evaluation and the
notebooks that regenerate a thesis from them. For research only.
"""

__version__ = "0.1.0"


def predict(scan, **options):
    """Find the microbleeds of one scan; the result shows itself in Jupyter.

    Parameters
    ----------
    scan : path-like
        A NIfTI file, or the folder (or a file) of a DICOM series.
    **options
        weights ("compact", or a folder), params (a parameter file), brain_mask, labels,
        threshold, engine; see `cmbkit.prediction.settings.make_settings`.

    Returns
    -------
    cmbkit.prediction.result.Prediction
        ``.mask``, ``.probability`` (on the scan's own grid), ``.table``, ``.form()``,
        ``.report()``, ``.write(folder)``.

    Raises
    ------
    ValueError, RuntimeError
        One line that names the file, what was expected and what was found.
    """
    from cmbkit.prediction.one_scan import predict

    return predict(scan, **options)
