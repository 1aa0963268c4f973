"""The image of a scan as it was given: from DICOM, memory or a file, with what its header says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cmbkit.prediction.echoes import one_echo
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import fields_beside, judge_header, number_of
from cmbkit.prediction.fitness_image import judge_values
from cmbkit.prediction.sources import Source
from cmbkit.volume import Volume


@dataclass(frozen=True)
class GivenImage:
    """NIfTI file of three axes, fields of its header, notes on echo and phase, warnings, phase."""

    path: Path
    fields: dict
    notes: list[str]
    remarks: list[str]
    phase: Path | None = None

    def fitness(self, name: str, volume: Volume) -> Fitness:
        """What header, name and values say."""
        return judge_header(self.fields, name, volume.spacing) + judge_values(volume)

    @property
    def slice_mm(self) -> float | None:
        """Slice thickness in mm, without the gap to the next; None where no header says it."""
        return number_of(self.fields, "SliceThickness") or None


def read_given(source: Source, echo: int | None, folder: Path) -> GivenImage:
    """Convert or write what was given, where it is no NIfTI file; of several echoes take one."""
    if source.series:
        from cmbkit.prediction.dicom import convert

        made = convert(source.files, folder, echo)
        return GivenImage(made.image, made.fields, made.notes, made.remarks, made.phase)
    if source.volume is not None:
        return GivenImage(source.volume.write(folder / f"{source.name}.nii"), {}, [], [])
    fields = fields_beside(source.path)
    path, notes = one_echo(source.path, folder, fields, echo)
    return GivenImage(path, fields, notes, [])
