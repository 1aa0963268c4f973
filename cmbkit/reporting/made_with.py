"""With which settings a table or a figure was made: a line for its foot.

A line names only what the table or figure depends on (`DEPENDS`), and every such setting that is
not as in the profile's parameter file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cmbkit.params import Evaluation, Parameters
from cmbkit.params.inference import POSTPROCESSING
from cmbkit.running.ledger import parameter_set
from cmbkit.running.steps import counted
from cmbkit.running.syntax import digest

PART_OF = {
    "seed": "raw",
    "cohort": "raw",
    "preprocessing": "grid",
    "network": "network",
    "training": "training",
    "inference": "maps",
    **{f"inference.{key}": "candidates" for key in POSTPROCESSING},
    "evaluation.dark_blobs": "candidates",
    "evaluation": "matches",
    "evaluation.slice_experiment": "experiment",
}
"""The part of a study that a parameter changes, by its key or the beginning of its key."""

SCANS = ("raw", "grid")
TRAINED = (*SCANS, "network", "training", "weights")
CANDIDATES = (*TRAINED, "maps", "candidates")
FOUND = (*CANDIDATES, "matches")
EXPERIMENT = (*FOUND, "experiment")
UNLISTED = tuple(dict.fromkeys(PART_OF.values()))
"""Of a table or figure that `DEPENDS` does not list: every parameter; weights are not asked for."""


def _listed(kind: str, numbers: str, parts: tuple[str, ...]) -> dict:
    return {(kind, number): parts for number in numbers.split()}


DEPENDS = {
    **_listed("table", "2.1 4.2 S13 S15 S23 S32b S40", ()),
    **_listed("table", "4.1 5.1", ("raw",)),
    **_listed("table", "7.1 B.1 S2 S2b S2c S3 S4 S4b S5 S6 S14 S20 S21 S22 S24 S25 S26", SCANS),
    **_listed("table", "S27 S37b", SCANS),
    **_listed("table", "S7 S8", TRAINED),
    **_listed("table", "7.2 7.3 7.4 7.5 8.1 8.2 8.3 8.3b 8.4 S9 S10 S11 S30 S31 S33 S34", FOUND),
    **_listed("table", "S36 S37 S41 S43 S44 S45 S49", FOUND),
    **_listed("table", "S42 S42b", CANDIDATES),
    **_listed("table", "S32", EXPERIMENT),
    **_listed("data", "S35", FOUND),
    **_listed("view", "S70", FOUND),
    **_listed("figure", "7.1 S63", ()),
    **_listed("figure", "2.1 4.1 S1", ("raw",)),
    **_listed("figure", "4.2 4.3 4.4 5.1 A.8 S51 S52 S53 S54 S55 S58 S59 S60 S61", SCANS),
    **_listed("figure", "6.1 A.7", ("network",)),
    **_listed("figure", "A.6", (*SCANS, "training")),
    **_listed("figure", "6.2", (*SCANS, "network", "training", "maps")),
    **_listed("figure", "7.2 7.3 A.1", TRAINED),
    **_listed("figure", "A.5", (*TRAINED, "candidates")),
    **_listed("figure", "7.4 7.5 8.1 8.2 8.3 S12 S38 S56 S57 S64 S65 S66 S69", FOUND),
    **_listed("figure", "S62", EXPERIMENT),
}
"""The parts that each table and figure depends on."""


@dataclass(frozen=True)
class MadeWith:
    """The settings of a study, for the feet of its tables and figures.

    Attributes
    ----------
    params : Parameters
        In force; ``of_file``: of the profile's file, None where there is none.
    weights : callable
        Hashes (sha256, hexadecimal) of the networks' weight files by model.
    raw : callable
        Hash of all raw scans and annotations; empty where none was read.
    commit : str
        Of the study's repository; empty outside one.
    """

    params: Parameters
    of_file: Parameters | None
    weights: Callable[[], Mapping[str, str]]
    raw: Callable[[], str] = str
    commit: str = ""

    @property
    def digest(self) -> str:
        """Hash of all settings that change a result."""
        return parameter_set(self.params)

    @property
    def replaced(self) -> str:
        """`digest` of what the profile's file makes, where this run makes something else."""
        own = parameter_set(self.of_file) if self.of_file else self.digest
        return "" if own == self.digest else own

    def inputs(self, kind: str, number: str) -> dict[str, str]:
        """Hashes of the raw scans and networks that one table or figure depends on, by name."""
        parts = DEPENDS.get((kind, str(number)), UNLISTED)
        raw = self.raw() if "raw" in parts else ""
        found = {"Raw scans": raw} if raw else {}
        if "weights" in parts:
            found |= {f"Network {model}": digest for model, digest in self.weights().items()}
        return found

    def parameters(self, kind: str, number: str) -> str:
        """Hash of the parameters that one table or figure depends on, 16 hexadecimal digits."""
        parts = DEPENDS.get((kind, str(number)), UNLISTED)
        values = leaves(self.params.model_dump(mode="json"))
        return digest("\n".join(f"{key} {v!r}" for key, v in values if part_of(key) in parts))

    def foot(self, kind: str, number: str) -> str:
        """The line of one table or figure; empty where it depends on no setting that is shown."""
        parts = DEPENDS.get((kind, str(number)), UNLISTED)
        told = [self._told(part) for part in parts]
        settings = "; ".join(filter(None, told))
        other = "; ".join(self._changed(parts))
        lines = [
            f"Settings: {settings}." if settings else "",
            f"Not as in params/{self.params.profile}.yaml: {other}." if other else "",
        ]
        return " ".join(filter(None, lines))

    def _told(self, part: str) -> str:
        params = self.params
        if part == "grid":
            return f"grid {params.preprocessing.spacing_mm:g} mm"
        if part == "weights":
            named = (f"{model} {digest[:8]}" for model, digest in self.weights().items())
            return f"networks {', '.join(named)}"
        if part == "candidates":
            found = params.inference
            smallest = counted(found.minimum_voxels, "voxel")
            return f"threshold {found.threshold:g}, at least {smallest}"
        return rule_text(params.evaluation) if part == "matches" else ""

    def _changed(self, parts: tuple[str, ...]) -> Iterator[str]:
        if self.of_file is None:
            return
        now, then = (dict(leaves(p.model_dump(mode="json"))) for p in (self.params, self.of_file))
        for key in dict.fromkeys([*now, *then]):
            value, other = now.get(key), then.get(key)
            if value != other and part_of(key) in parts:
                yield f"{key} {value} (there {other})"


def part_of(key: str) -> str | None:
    """Part that a dotted key changes; None for one that changes no result (``workers``)."""
    while key and key not in PART_OF:
        key = key.rpartition(".")[0]
    return PART_OF.get(key)


def leaves(values: Mapping, path: str = "") -> Iterator[tuple[str, object]]:
    """Dotted key and value of everything in nested dicts."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def rule_text(params: Evaluation) -> str:
    """Matching rule in words."""
    rule = "overlap of 1 voxel"
    if params.matching == "distance":
        rule = f"centre distance < {params.max_distance_mm:g} mm"
    return f"{rule}, {params.assignment}, one to one"
