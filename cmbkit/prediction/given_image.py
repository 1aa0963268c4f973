"""The image of a scan as it was given: from DICOM, memory or a file, with what its header says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cmbkit.prediction.fitness import Fitness
from cmbkit.prediction.fitness_header import judge_header, number_of
from cmbkit.prediction.fitness_image import judge_values
from cmbkit.volume import Volume


@dataclass(frozen=True)
class GivenImage:
    """What was given of a scan, or made of its series."""

    image: Path  # NIfTI file of three axes: a magnitude image where a series has one
    fields: dict  # of its sidecar and the series' headers
    notes: list[str]  # which echo was taken, and that a phase is kept
    remarks: list[str]  # warnings of dcm2niix
    phase: Path | None = None  # of the same echo, where the series has it

    def fitness(self, name: str, volume: Volume) -> Fitness:
        """What header, name and values say."""
        return judge_header(self.fields, name, volume.spacing) + judge_values(volume)

    @property
    def slice_mm(self) -> float | None:
        """Slice thickness in mm, without the gap to the next; None where no header says it."""
        return number_of(self.fields, "SliceThickness") or None
