"""What ``cmbkit cache`` does: sizes of what is kept and its removal; `why` stands beside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cmbkit.commands.why import why
from cmbkit.params import ParameterError, Parameters, read_parameters
from cmbkit.params.names import no_such_name
from cmbkit.running.ledger import entries, parameter_set
from cmbkit.study import find_root
from cmbkit.study.given_networks import with_given_networks

KINDS = ("raw", "derivatives")


def parameter_files(root: Path) -> dict[Path, Parameters]:
    """Parameter files of a study's root, read.

    Raises
    ------
    ParameterError
        If there are none, or one is not valid.
    """
    files = sorted((root / "params").glob("*.yaml"))
    if not files:
        raise ParameterError(f"{root / 'params'}: expected parameter files, found none")
    return {file: with_given_networks(read_parameters(file), root) for file in files}


def kept(root: Path, profile: str | None = None) -> pd.DataFrame:
    """Everything in the caches of the parameter files in ``params/``.

    Parameters
    ----------
    root : Path
    profile : str, optional
        Only of this one.

    Returns
    -------
    DataFrame
        One row per result: profile, kind (raw or derivatives), step, item, size (bytes),
        finished, reached (by a parameter file), entry.
    """
    files = parameter_files(root).values()
    users = {parameter_set(params) for params in files}
    data = {params.data_dir for params in files}
    rows = [
        {
            "profile": folder.name,
            "kind": folder.parent.name,
            **{name: getattr(entry, name) for name in ("step", "item", "size", "finished")},
            "reached": entry.reached(users),
            "entry": entry,
        }
        for folder in _folders(root, data, profile)
        for entry in entries(folder)
    ]
    columns = ["profile", "kind", "step", "item", "size", "finished", "reached", "entry"]
    return pd.DataFrame(rows, columns=columns)


def _folders(root: Path, data: set[str], profile: str | None) -> Iterator[Path]:
    for place in (root / name / kind for name in sorted(data) for kind in KINDS):
        yield from sorted(path for path in place.glob(profile or "*") if path.is_dir())


def remove(table: pd.DataFrame) -> pd.DataFrame:
    """Delete the results of `kept` that no parameter file reaches; returns their rows."""
    gone = table[~table["reached"].astype(bool)]
    for entry in gone["entry"]:
        entry.remove()
    return gone


def cache_command(
    profile: str | None, *, remove_unreached: bool, asked: tuple[str, str] | None, console
) -> None:
    """List what is kept; or say why a result is made anew; or remove what is not reached.

    Parameters
    ----------
    profile : str, optional
        Of one parameter file in ``params/``; for ``asked`` demo by default.
    remove_unreached : bool
    asked : (str, str), optional
        Step and item.
    console : rich.console.Console
    """
    root = find_root()
    if asked:
        for line in why(root, profile or "demo", *asked):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return
    table = kept(root, profile)
    names = {file.stem for file in (root / "params").glob("*.yaml")}
    if profile and table.empty and profile not in names:
        raise ParameterError(f"{profile}: {no_such_name(profile, names, 'profile')}")
    if remove_unreached:
        table = remove(table)
        console.print(f"removed {len(table)} results that no file in params/ reaches:")
    listed = _listed(table)
    wide = console.measure(listed, options=console.options.update(max_width=1000)).maximum
    console.width = max(console.width, wide)  # names in full, as --why takes them
    console.print(listed)


def _listed(table: pd.DataFrame):
    """Sizes by step, as a table for the terminal."""
    from rich.table import Table

    shown = Table("profile", "step", box=None)
    for name in ("items", "results", "MB", "not reached", "MB "):
        shown.add_column(name, justify="right")
    for (profile, _, step), part in table.groupby(["profile", "kind", "step"], sort=True):
        rest = part[~part["reached"].astype(bool)]
        counts = [part["item"].nunique(), len(part), part["size"], len(rest), rest["size"]]
        cells = [str(c) if isinstance(c, int) else f"{c.sum() / 1e6:,.1f}" for c in counts]
        shown.add_row(profile, step, *cells)
    shown.add_section()
    rest = table.loc[~table["reached"].astype(bool), "size"]
    sizes = [f"{size.sum() / 1e6:,.1f}" for size in (table["size"], rest)]
    shown.add_row("all", "", "", str(len(table)), sizes[0], str(len(rest)), sizes[1])
    return shown
