"""Which echo of several is looked at, in DICOM series and in NIfTI files of four axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cmbkit.volume import Volume

TE_MS = (20.0, 40.0)
"""Window of echo times in which microbleeds are usually looked for."""
DECAY = 0.995
MOST_ECHOES = 16


def choose_echo(times_ms: Sequence[float], echo: int | None = None) -> int:
    """Index of the echo that was asked for, else of the one nearest to `TE_MS`.

    Of several within the window, or as far from it, the longest counts.

    Parameters
    ----------
    times_ms : sequence of float
        Echo times, rising.
    echo : int, optional
        Number of an echo, from 1.

    Raises
    ------
    ValueError
        If there is no echo of this number.
    """
    if echo is not None:
        if not 1 <= echo <= len(times_ms):
            raise ValueError(f"expected an echo from 1 to {len(times_ms)}, found --echo {echo}")
        return echo - 1
    low, high = TE_MS
    away = [max(low - te, te - high, 0.0) for te in times_ms]
    return max(range(len(away)), key=lambda n: (-away[n], n))


def said(echo: int, times_ms: Sequence[float]) -> str:
    """Remark on the echo that was taken (index from 0)."""
    of = ", ".join(f"{te:.3g}" for te in times_ms)
    return f"Echo {echo + 1} of {len(times_ms)} was taken (TE {of} ms); --echo takes another."


def one_echo(path: Path, folder: Path, fields: dict, echo: int | None) -> tuple[Path, list[str]]:
    """Image of three axes: the file itself, or one echo of a file of four, and a remark on it.

    Parameters
    ----------
    path : Path
        NIfTI file. Of four axes, its volumes must be echoes: EchoTime in ``fields`` lists as many
        (s), or each is darker than the one before.
    folder : Path
        For the echo's file.

    Raises
    ------
    ValueError
        If the volumes are no echoes and ``echo`` does not name one.
    """
    import nibabel as nib

    try:
        image = nib.load(path)
    except Exception:  # said when the voxels are read
        return path, []
    count = image.shape[3] if len(image.shape) == 4 else 1
    if count == 1:
        if echo not in (None, 1):
            raise ValueError(f"{path}: expected an echo from 1 to 1, found --echo {echo}")
        return path, []
    given = fields.get("EchoTime")
    times = [1000 * float(te) for te in given] if isinstance(given, list) else []
    data = np.asarray(image.dataobj, np.float32)
    if len(times) != count:
        means = data.reshape(-1, count).mean(axis=0)
        decays = count <= MOST_ECHOES and (means[1:] < DECAY * means[:-1]).all()
        if echo is None and not decays:
            raise ValueError(
                f"{path}: expected one volume, or echoes, each darker than the one before, found "
                f"{count} volumes; keep one of them, or name it with --echo"
            )
        times = []
    try:
        index = choose_echo(times, echo) if times else (echo or count) - 1
        chosen = data[..., index] if 0 <= index < count else choose_echo(range(count), echo)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    target = folder / f"echo{index + 1}.nii"
    Volume(chosen, np.asarray(image.affine, float)).write(target)
    if times:
        return target, [said(index, times)]
    return target, [f"Volume {index + 1} of {count} was taken; --echo takes another."]
