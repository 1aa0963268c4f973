"""Section ``preprocessing``: chapter 5, and the tools it may use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cmbkit.params.sections import AnyDataset, Section


class Tool(Section):
    """Where SynthStrip or SynthSeg is.

    Attributes
    ----------
    program : str or None
        Name on the PATH or path of the program (in the image, if there is one); None:
        ``mri_synthstrip`` or ``mri_synthseg``.
    docker_image : str or None
        Run it in this docker image.
    folder : str or None
        Read ``<uid>.nii.gz`` from this folder (of the workers' machine; from the study's folder,
        unless absolute) instead of running it.
    """

    program: str | None = Field(None, min_length=1)
    docker_image: str | None = Field(None, min_length=1)
    folder: str | None = Field(None, min_length=1)

    @property
    def named(self) -> bool:
        """Whether the parameter file says where it is: then it must be there."""
        return any((self.program, self.docker_image, self.folder))

    @model_validator(mode="after")
    def _folder_alone(self):
        if self.folder and (self.program or self.docker_image):
            raise ValueError("expected either folder, or program and docker_image")
        return self


class Preprocessing(Section):
    """Chapter 5: label refinement and the standard grid (lengths in mm unless named).

    ``refinement_grid``: where points and scribbles are grown and their spheres drawn, on the
    scan's ``native`` grid as the thesis did, or on the ``standard`` one as its section 9.4
    recommends. ``atlas_registration``: how SynthSeg's stand-in fits its atlas; ``affine``, by
    the brain's outline alone, is much faster and places fewer CMBs in the right region.
    ``growing_guard``: whether a region ends before the first step of the tolerance that adds a
    ball of 1.8 mm at once, and over 26 voxels (`region_growing.LEAP_SHARE`); not published, halves
    leaks and more on the synthetic cohort.
    ``grid_alignment``: the standard grid begins at the first voxel's ``centres``, as published
    (masks then lie half a grid voxel low on axes whose spacing is an even multiple of the
    grid's), or at the ``edges`` of the field of view, where they do not. ``padding`` to a cube
    of ``pad_voxels``: of the ``image``, as published, so that tiles and random patches lie in the
    cube, or in the ``moments`` of the z-score alone, which spares its empty voxels. ``zscore``:
    by mean and standard deviation of that ``padded`` cube, as published, which depend on how much
    brain there is, or of the ``brain`` alone, as if it filled ``brain_share`` of the cube: 0.25 is
    the median of the synthetic cohort, on which the shipped networks were trained by the cube.
    """

    spacing_mm: float = Field(0.5, gt=0, le=3)
    grid_alignment: Literal["centres", "edges"] = "centres"
    pad_voxels: int = Field(400, gt=0)
    padding: Literal["image", "moments"] = "moments"
    zscore: Literal["padded", "brain"] = "padded"
    brain_share: float = Field(0.25, gt=0, le=1)
    brain_mask: Literal["auto", "synthstrip", "stand-in", "deepbet"] = "auto"
    parcellation: Literal["auto", "synthseg", "stand-in"] = "auto"
    synthstrip: Tool = Tool()
    synthseg: Tool = Tool()
    atlas_registration: Literal["elastic", "affine"] = "elastic"
    refinement_grid: Literal["native", "standard"] = "native"
    growing_connectivities: list[Literal[6, 26]] = [6, 26]
    growing_references: list[Literal["parent", "running"]] = ["parent", "running"]
    growing_differences: list[Literal["absolute", "relative"]] = ["absolute", "relative"]
    growing_max_radius_mm: float = Field(5.0, gt=0)
    growing_max_distance_mm: float = Field(10.0, gt=0)
    growing_guard: bool = False
    scribble_link_mm: float = Field(5.0, gt=0)
    prune_datasets: list[AnyDataset] = ["RODEJA", "CRB", "DOU"]
    prune_tolerance_voxels: dict[AnyDataset, float] = {"RODEJA": 2.0, "CRB": 2.0, "DOU": 1.5}
    closing_iterations: int = Field(2, ge=0)

    @property
    def folders(self) -> dict[str, str]:
        """Folders of results made beforehand, by the tool's section."""
        tools = {"synthstrip": self.synthstrip, "synthseg": self.synthseg}
        return {name: tool.folder for name, tool in tools.items() if tool.folder}

    def placed(self, root: Path) -> Preprocessing:
        """The same with these folders taken from ``root``."""
        placed = {name: Tool(folder=str(root / folder)) for name, folder in self.folders.items()}
        return self.model_copy(update=placed)

    @model_validator(mode="after")
    def _tools_are_used(self):
        pairs = {"brain_mask": "synthstrip", "parcellation": "synthseg"}
        for method, tool in pairs.items():
            name = getattr(self, method)
            if getattr(self, tool).named and name in ("stand-in", "deepbet"):
                raise ValueError(f"{method} is {name}, but {tool} says where to find it")
        return self
