"""Commands about a parameter file: reproduce, check, init, cache, params, train, freeze."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ParameterFile = Annotated[Path, typer.Argument(help="A parameter file such as params/demo.yaml.")]


def reproduce(
    parameter_file: ParameterFile = Path("params/demo.yaml"),
    retrain: Annotated[
        bool, typer.Option(help="Train the networks anew, into figures/retrained.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="Number of a notebook, e.g. 03.")] = None,
    update_notebooks: Annotated[
        bool, typer.Option(help="Write the outputs back into notebooks/.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Notebooks at a time; two by default.")
    ] = None,
) -> None:
    """Execute the notebooks headless into figures/<profile>, and compare with what was there.

    figures/reproduction.html says which tables and figures came out the same, and which not.
    """
    from cmbkit.commands.execution import without_iris
    from cmbkit.commands.reproduce import reproduce

    without_iris()
    reproduce(
        parameter_file,
        retrain=retrain,
        only=only,
        update_notebooks=update_notebooks,
        jobs=jobs,
    )


def check(parameter_file: ParameterFile) -> None:
    """Look through the scans and the plan of a parameter file; list all problems, write nothing.

    Says what the run will not show, and what time, memory and disk it will take. The exit code
    is 1 if there is a problem.
    """
    from cmbkit.commands.check import check_command

    count = check_command(parameter_file, typer.echo, lambda line: typer.echo(line, err=True))
    if count:
        raise typer.Exit(1)


def _folder_of(dataset: str):
    return typer.Option(f"--{dataset.lower()}", help=f"Folder of {dataset} (data/README.md).")


def init(
    name: Annotated[str, typer.Argument(help="Of the parameter file: params/NAME.yaml.")],
    bids: Annotated[
        Path | None, typer.Option(help="Folder of scans of your own, arranged by BIDS.")
    ] = None,
    valdo: Annotated[Path | None, _folder_of("VALDO")] = None,
    momeni: Annotated[Path | None, _folder_of("MOMENI")] = None,
    dou: Annotated[Path | None, _folder_of("DOU")] = None,
    crb: Annotated[Path | None, _folder_of("CRB")] = None,
    rodeja: Annotated[Path | None, _folder_of("RODEJA")] = None,
    networks: Annotated[
        str, typer.Option(help="train, or weights to evaluate: compact, or a folder.")
    ] = "train",
    hours: Annotated[float, typer.Option(min=0, help="For training, at most.")] = 1.0,
    force: Annotated[bool, typer.Option(help="Replace params/NAME.yaml.")] = False,
) -> None:
    """Write a parameter file for data on your disk: datasets, splits, grid, training."""
    from cmbkit.commands.init import init_command

    roots = {"VALDO": valdo, "MOMENI": momeni, "DOU": dou, "CRB": crb, "RODEJA": rodeja}
    init_command(
        name,
        {dataset: folder for dataset, folder in roots.items() if folder},
        bids,
        networks=networks,
        hours=hours,
        force=force,
        tell=typer.echo,
    )


def gallery(parameter_file: ParameterFile) -> None:
    """Write the page of tables and figures again and say which are stale; compute nothing.

    Ends with status 1 where any is.
    """
    from cmbkit.commands.gallery import gallery_command

    if gallery_command(parameter_file, typer.echo):
        raise typer.Exit(1)


def cache(
    profile: Annotated[
        str | None, typer.Argument(help="Name of a parameter file in params/; none: of all.")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Delete what no parameter file in params/ reaches.")
    ] = False,
    why: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="STEP ITEM", help="What changed, e.g. preproc DOU-07."),
    ] = None,
) -> None:
    """List sizes of what is kept, say why something is made anew, or remove what is not needed."""
    from rich.console import Console

    from cmbkit.commands.cache import cache_command

    cache_command(profile, remove_unreached=remove, asked=why, console=Console())


def params(parameter_file: ParameterFile) -> None:
    """Check a parameter file and print every setting in force."""
    import yaml

    from cmbkit.params import read_parameters
    from cmbkit.study import find_root
    from cmbkit.study.given_networks import with_given_networks

    params = with_given_networks(read_parameters(parameter_file), find_root(parameter_file))
    values = params.model_dump(mode="json")
    typer.echo(yaml.safe_dump(values, sort_keys=False, default_flow_style=None).rstrip())


def train(
    parameter_file: ParameterFile,
    model: Annotated[str, typer.Option(help="scratch, or tl (from a source network).")] = "scratch",
    phase: Annotated[
        str, typer.Option(help="pretrain or finetune; finetune pre-trains first if it has to.")
    ] = "finetune",
    start: Annotated[
        str | None,
        typer.Option("--from", help="Weights to start from: folder, file or shipped name."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the trained weights.")] = None,
    fold: Annotated[
        str | None, typer.Option(help="Of cross-validation: 1 to cohort.folds, or all.")
    ] = None,
) -> None:
    """Train a phase; a stopped one goes on where it was. Fine-tunes given weights with --from."""
    import logging

    from cmbkit.commands.train import train_command

    logging.basicConfig(format="%(message)s")
    logging.getLogger("cmbkit").setLevel(logging.INFO)
    train_command(
        parameter_file,
        model=model,
        phase=phase,
        start=start,
        out=out,
        fold=fold,
        tell=typer.echo,
    )


def freeze(parameter_file: ParameterFile = Path("params/demo.yaml")) -> None:
    """Keep the trained networks of a parameter file in weights/, for networks: frozen."""
    from cmbkit.commands.train import freeze_command

    typer.echo(freeze_command(parameter_file))
