"""The image of a scan as it was given: from DICOM, memory or a file, with what its header says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cmbkit.prediction.echoes import one_echo
from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import fields_beside, judge_header
from cmbkit.prediction.fitness_image import judge_values
from cmbkit.prediction.sources import Source
from cmbkit.volume import Volume


@dataclass(frozen=True)
class GivenImage:
    """NIfTI file of three axes, fields of its header, notes on its echo, warnings."""

    path: Path
    fields: dict
    notes: list[str]
    remarks: list[str]

    def fitness(self, name: str, volume: Volume) -> Fitness:
        """What header, name and values say."""
        return judge_header(self.fields, name, volume.spacing) + judge_values(volume)


def read_given(source: Source, echo: int | None, folder: Path) -> GivenImage:
    """Convert or write what was given, where it is no NIfTI file; of several echoes take one."""
    if source.series:
        from cmbkit.prediction.dicom import convert

        made = convert(source.files, folder, echo)
        return GivenImage(made.image, made.fields, made.notes, made.remarks)
    if source.volume is not None:
        return GivenImage(source.volume.write(folder / f"{source.name}.nii"), {}, [], [])
    fields = fields_beside(source.path)
    path, notes = one_echo(source.path, folder, fields, echo)
    return GivenImage(path, fields, notes, [])
