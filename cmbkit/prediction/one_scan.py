"""One scan from its file to its microbleeds, in memory."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path

import numpy as np

from cmbkit.anatomy.rating_scales import lines_not_seen
from cmbkit.atomic import temporary_folder
from cmbkit.datasets.sources import read_header
from cmbkit.params import ParameterError, Preprocessing, Tool
from cmbkit.params.names import no_such_name
from cmbkit.prediction.echoes import one_echo
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import fields_beside
from cmbkit.prediction.fitness_image import BRAIN_ML, judge_brain
from cmbkit.prediction.given_image import GivenImage
from cmbkit.prediction.microbleed_table import microbleed_table
from cmbkit.prediction.plain_errors import about_scan
from cmbkit.prediction.result import Prediction
from cmbkit.prediction.scan_warnings import MANY, is_stand_in, scan_remarks
from cmbkit.prediction.settings import PredictOptions, make_settings
from cmbkit.prediction.sources import Source, find_sources, source_in_memory
from cmbkit.prediction.stage_clock import STEP, Clock
from cmbkit.records import Acquisition, Annotation, Scan
from cmbkit.running.file_hashes import file_hash
from cmbkit.running.provenance import software_versions
from cmbkit.running.report import report_progress
from cmbkit.running.source import definitions
from cmbkit.running.user_cache import user_cache
from cmbkit.volume import Volume


def predict(scan, **options):
    """Find the microbleeds of one scan; see `cmbkit.predict`."""
    known = signature(make_settings).parameters
    for name in options:
        if name not in known:
            raise ParameterError(f"cmbkit.predict: {name}: {no_such_name(name, known, 'option')}")
    settings = make_settings(**options)
    source = _one_source(scan)
    report_progress(STEP, 0, 1)
    try:
        return detect(source, settings)
    finally:
        report_progress(STEP, 1, 1)


def _one_source(scan) -> Source:
    if not isinstance(scan, str | os.PathLike):
        return source_in_memory(scan)
    sources = find_sources([scan])
    if len(sources) > 1:
        names = ", ".join(source.name for source in sources[:5])
        raise ValueError(
            f"{scan}: expected one scan, found {len(sources)} ({names}); name one of them, or use "
            "the command cmbkit predict"
        )
    if sources[0].problem:
        raise ValueError(sources[0].problem)
    return sources[0]


def detect(source: Source, settings: PredictOptions) -> Prediction:
    """Find the microbleeds of one scan, whose source has no problem.

    Raises
    ------
    cmbkit.prediction.fitness.UnfitScan
        If it is no scan to count on, unless ``settings.anyway``.
    ValueError, RuntimeError
        With one line that names the file.
    """
    clock = Clock(source.name)
    with (
        temporary_folder() as folder,
        about_scan(source, str(folder)),
    ):
        clock.start("reading")
        return _detect(source, read_given(source, settings.echo, folder), settings, folder, clock)


def code_hashes() -> dict[str, str]:
    """Hashes of the code that a prediction is made by; what follows it is kept for the user."""
    return definitions(detect, memory=user_cache("code.json"))


def read_given(source: Source, echo: int | None, folder: Path) -> GivenImage:
    """Convert or write what was given, where it is no NIfTI file; of several echoes take one."""
    if source.series:
        from cmbkit.prediction.dicom import convert

        return convert(source.files, folder, echo)
    if source.volume is not None:
        return GivenImage(source.volume.write(folder / f"{source.name}.nii"), {}, [], [])
    fields = fields_beside(source.path)
    path, notes = one_echo(source.path, folder, fields, echo)
    return GivenImage(path, fields, notes, [])


def _detect(source: Source, given: GivenImage, settings: PredictOptions, folder: Path, clock):
    from cmbkit.anatomy.parcellation import parcellate
    from cmbkit.detector.inference.candidates import candidates
    from cmbkit.detector.inference.tiled import predict_logits
    from cmbkit.prediction.crops import overview
    from cmbkit.prediction.number import number_range
    from cmbkit.preprocessing.grid import to_native
    from cmbkit.preprocessing.pipeline import prepare

    began = datetime.now(UTC).isoformat(timespec="seconds")
    image = given.image
    volume = Volume.read(image)
    fitness = given.fitness(source.name, volume).require(source.path, settings.anyway)
    clock.start("brain mask and standard grid")
    scan = _scan(source, image)
    grid = _grid(volume.shape, volume.affine, source.path)
    preprocessing = _with_files(settings, scan.uid, source.name, folder, grid)
    done = prepare(scan, preprocessing)
    whole, brain = overview(volume, done.brain)
    header = source.volume or volume
    fitness += Fitness(doubts=tuple(f"header: {doubt}" for doubt in header.doubts))
    clock.start("brain regions")
    labels, method = parcellate(
        done.image,
        done.brain,
        preprocessing.parcellation,
        preprocessing.synthseg,
        scan.uid,
        preprocessing.atlas_registration,
    )
    done.record["methods"]["parcellation"] = method
    background = float(done.record["background_value"])
    fitness += judge_brain(done.image, done.brain, labels, background)
    fitness.require(source.path, settings.anyway)
    clock.start("network: loading")
    predictor = _predictor(settings)
    clock.start("network: logits")
    logits = predict_logits(
        predictor, done.image.data, brain=done.brain.data, background=background
    )
    clock.start("microbleeds")
    scores = logits, labels.data, done.image.spacing, settings.inference
    numbered, found = candidates(*scores)
    calibration = settings.description.calibration
    number = number_range(*scores, calibration)
    instances = done.image.with_data(numbered)
    native = _grid(**done.record["native"])
    mask = to_native(instances, done.record)
    table, features = microbleed_table(
        done.image, instances, labels, done.brain, found, native, given.slice_mm, calibration
    )
    if not header.sides_known:
        table["side"], features["side"] = "unknown", "midline"
    on_native = _logits_on(done.image.with_data(logits), native)
    clock.stop()
    brain_ml = int((done.brain.data > 0).sum()) * done.brain.voxel_volume_mm3 / 1000
    part_of_brain = is_stand_in(method) and brain_ml < BRAIN_ML[0]
    not_seen = lines_not_seen(() if part_of_brain else np.unique(labels.data))
    if len(table) > MANY:
        fitness += Fitness(doubts=(f"{len(table)} microbleeds: suspect artefacts",))
    remarks = scan_remarks(
        done.record["methods"],
        done.changes,
        native.spacing,
        given.slice_mm,
        settings.description.preprocessing,
        settings.preprocessing,
        not_seen,
    )
    above = f"{source.path.parent}{os.sep}"  # where the scan lies is nobody else's business
    remarks = [line.replace(above, "") for line in (*given.notes, *given.remarks, *remarks)]
    files = {_name_within(path, source): path for path in source.files} or {source.path.name: image}
    record = {
        "scan": source.name,
        "key": settings.key(list(files.values()), code_hashes()),
        "source": {
            "path": source.path.name,
            "files": {name: file_hash(path) for name, path in files.items()},
            "series": source.series or None,
        },
        "sequence": source.sequence,
        "fitness": {"verdict": fitness.verdict, "reasons": list(fitness.reasons)},
        "notes": given.notes,
        "microbleeds": len(table),
        "number": number,
        "dropped": found.loc[~found["kept"], "reason"].value_counts().to_dict(),
        "weights": settings.description.model_dump(include={"name", "trained_on", "sha256"})
        | {
            "digest": settings.description.digest,
            "parameters": settings.description.all_parameters,
        },
        "engine": {"name": predictor.engine.name, "precision": predictor.engine.precision},
        "methods": done.record["methods"],
        "brain_ml": round(brain_ml, 1),
        "not_seen": not_seen,
        "native": done.record["native"],
        "standard": done.record["standard"],
        "parameters": {
            "preprocessing": settings.preprocessing.model_dump(mode="json"),
            "inference": settings.inference.model_dump(mode="json"),
        },
        "remarks": remarks,
        "software": software_versions(),
        "began": began,
        "stages": clock.stages,
    }
    return Prediction(
        name=source.name,
        mask=mask,
        logits=on_native,
        table=table,
        features=features,
        remarks=remarks,
        fitness=fitness,
        record=record,
        standard=done.image,
        standard_mask=instances,
        whole=whole,
        brain=brain,
        source=source,
        phase=Volume.read(given.phase) if given.phase else None,
    )


def _scan(source: Source, image: Path) -> Scan:
    header = read_header(image)
    small, middle, large = sorted(float(mm) for mm in header.spacing)
    acquisition = Acquisition((small, middle), large)
    name = source.name
    return Scan(
        "SCAN", name, name, source.sequence or "T2S", image, Annotation("none"), acquisition
    )


def _grid(shape, affine, named: Path | None = None) -> Volume:
    """A grid without its voxels, named as the user did."""
    return Volume(np.broadcast_to(np.zeros((), np.uint8), shape), np.array(affine, float), named)


def _with_files(
    settings: PredictOptions, uid: str, name: str, folder: Path, grid: Volume
) -> Preprocessing:
    """Preprocessing that reads the brain mask and the labels that were made beforehand.

    ``grid`` is the scan's own, on which a brain mask lies.
    """
    changes: dict[str, Tool | str] = {}
    for option, tool in (("brain_mask", "synthstrip"), ("labels", "synthseg")):
        given = getattr(settings, option)
        if given is None:
            continue
        path = given
        if isinstance(given, Path) and given.is_dir():
            beside = (given / f"{name}{ending}" for ending in (".nii.gz", ".nii"))
            path = next(filter(Path.is_file, beside), None)
            if path is None:
                raise ValueError(f"{given / name}.nii.gz: expected a file, found nothing")
        place, made = folder / option, Volume.of(path)
        if option == "brain_mask":
            made = made.in_order_of(grid)
        made.write(place / f"{uid}.nii.gz")
        changes[tool] = Tool(folder=str(place))
        changes["brain_mask" if option == "brain_mask" else "parcellation"] = "auto"
    return settings.preprocessing.model_copy(update=changes)


_READY: dict = {}


def _predictor(settings: PredictOptions):
    """The network set up for prediction; kept for the next scan of this process."""
    from cmbkit.detector.inference.ready import predictor_for

    look = settings.description.model_dump_json(include={"look"})
    key = (settings.description.sha256, look, settings.inference.model_dump_json())
    if key not in _READY:
        _READY.clear()
        _READY[key] = predictor_for(settings.weights, settings.inference)
    return _READY[key]


def _logits_on(logits: Volume, native: Volume) -> Volume:
    """Logits on the scan's own grid, interpolated linearly; the lowest beyond the standard grid."""
    from cmbkit.detector.inference.files import LOWEST_LOGIT
    from cmbkit.preprocessing.grid import resample_linear

    axes = native.reoriented("RAS")
    lowest = logits.with_data(np.maximum(logits.data, LOWEST_LOGIT))
    found = resample_linear(lowest, axes.shape, axes.affine, fill=LOWEST_LOGIT)
    return Volume(found.reoriented(native.orientation).data, native.affine)


def _name_within(path: Path, source: Source) -> str:
    """Name of one of a scan's files, in the folder of a series with its place there."""
    within = path.is_relative_to(source.path) and path != source.path
    return path.relative_to(source.path).as_posix() if within else path.name
