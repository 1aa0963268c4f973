"""``cmbkit gallery``: the page of a run's tables and figures anew, and what of them is stale."""

from collections.abc import Callable
from contextlib import suppress

from cmbkit.reporting.gallery import write_index
from cmbkit.running.cache import NotMade
from cmbkit.study import Study
from cmbkit.study.scan_inputs import raw_hash


def gallery_command(parameter_file, tell: Callable[[str], None]) -> list[str]:
    """Write the page again from what a run left; say and return what is stale; compute nothing.

    Compared are code, parameters, raw scans and networks; of these two, those that are not there
    are passed over.

    Raises
    ------
    cmbkit.reporting.gallery.GalleryError
        If the run left no table or figure.
    """
    study, now = Study.read(parameter_file), {}
    with study.cache.making_nothing(), study.raw.making_nothing():
        with suppress(NotMade):
            now["Raw scans"] = raw_hash(study.cache, study.cohort.scans)
        with suppress(NotMade):
            hashes = study.models.weight_hashes
            now |= {f"Network {model}": digest for model, digest in hashes.items()}
    params = study.params
    executed = study.root / params.data_dir / "derivatives" / params.profile / "notebooks"
    index, stale = write_index(
        study.root / params.figures_dir / params.profile,
        study.root / "notebooks",
        executed if executed.is_dir() else None,
        now,
        study.made_with.parameters,
    )
    for line in stale:
        tell(f"stale: {line}")
    tell(f"{index}: {len(stale)} stale; compared: {', '.join(['code', 'parameters', *now])}")
    return stale
