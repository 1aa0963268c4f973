"""The command line: cmbkit init, check, reproduce, cache, params, train, predict and more."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from cmbkit.running.faults import explained, is_fault

NOTHING_BEGUN = {"predict": 2, "audit": 2}
"""Exit codes of the commands whose 1 says that they found something."""


class Commands(TyperGroup):
    """The commands; whatever stops one is said in words, a fault with its traceback before."""

    def invoke(self, ctx):
        """Run the command that a line names; see `typer.core.TyperGroup`."""
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if is_fault(error):
                traceback.print_exc()
            typer.echo(explained(error), err=True)
            raise typer.Exit(NOTHING_BEGUN.get(ctx.invoked_subcommand, 1)) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)

ParameterFile = Annotated[Path, typer.Argument(help="A parameter file such as params/demo.yaml.")]


def _show_version(asked: bool) -> None:
    if asked:
        from cmbkit import __version__

        typer.echo(f"cmbkit {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
) -> None:
    """Cerebral microbleeds on T2*-weighted and SWI MRI. For research only."""


@app.command()
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
    from cmbkit.commands.reproduce import reproduce

    reproduce(
        parameter_file,
        retrain=retrain,
        only=only,
        update_notebooks=update_notebooks,
        jobs=jobs,
    )


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def params(parameter_file: ParameterFile) -> None:
    """Check a parameter file and print every setting in force."""
    import yaml

    from cmbkit.params import read_parameters
    from cmbkit.study import find_root
    from cmbkit.study.given_networks import with_given_networks

    params = with_given_networks(read_parameters(parameter_file), find_root(parameter_file))
    values = params.model_dump(mode="json")
    typer.echo(yaml.safe_dump(values, sort_keys=False, default_flow_style=None).rstrip())


@app.command()
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


@app.command()
def freeze(parameter_file: ParameterFile = Path("params/demo.yaml")) -> None:
    """Keep the trained networks of a parameter file in weights/, for networks: frozen."""
    from cmbkit.commands.train import freeze_command

    typer.echo(freeze_command(parameter_file))


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of predicted masks or points.")],
    reference: Annotated[Path, typer.Argument(help="Folder of annotated masks or points.")],
    out: Annotated[Path, typer.Option(help="Folder for tables, figures and index.html.")],
    scans: Annotated[
        Path | None, typer.Option(help="Table with a column scan; patient, dataset, sequence, ...")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Folder of SynthSeg label images, for locations.")
    ] = None,
    probabilities: Annotated[
        Path | None, typer.Option(help="Folder of probability maps, for FROC curves.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of another detector's predictions to compare with.")
    ] = None,
    name: Annotated[str, typer.Option(help="The detector's name.")] = "this detector",
    other: Annotated[str, typer.Option(help="The other detector's name.")] = "the other",
    pattern: Annotated[
        str | None, typer.Option(help="Names of predicted files, e.g. '*_dseg.nii.gz'.")
    ] = None,
    reference_pattern: Annotated[str | None, typer.Option(help="Names of annotated files.")] = None,
    labels_pattern: Annotated[str | None, typer.Option(help="Names of label images.")] = None,
    probabilities_pattern: Annotated[
        str | None, typer.Option(help="Names of probability maps.")
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="Parameter file whose evaluation section counts.")
    ] = None,
    matching: Annotated[str | None, typer.Option(help="distance or overlap.")] = None,
    max_distance_mm: Annotated[float | None, typer.Option(help="5 in the thesis.")] = None,
    assignment: Annotated[str | None, typer.Option(help="greedy or optimal.")] = None,
    nan_rule: Annotated[str | None, typer.Option(help="text or code (of the thesis).")] = None,
    bootstrap_samples: Annotated[int | None, typer.Option(help="1000 by default.")] = None,
    labelled: Annotated[
        str,
        typer.Option(
            help="Whose masks hold one integer per microbleed (else components count): by name "
            "(those called desc-cmb_dseg, as predict's), predictions, reference, both or none."
        ),
    ] = "by name",
    connectivity: Annotated[int, typer.Option(help="Of components: 6, 18 or 26.")] = 6,
    by: Annotated[list[str] | None, typer.Option(help="Scan-table column for subgroups.")] = None,
    skip_unpaired: Annotated[
        bool, typer.Option(help="Go on when files have no partner; the page lists them.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of bootstrap and permutations.")] = 2024,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    force: Annotated[bool, typer.Option(help="Replace an earlier result in OUT.")] = False,
) -> None:
    """Compare predicted with annotated masks or points: all tables and figures on one page."""
    from cmbkit.commands.evaluate import evaluate_command

    given = {
        "matching": matching,
        "max_distance_mm": max_distance_mm,
        "assignment": assignment,
        "nan_rule": nan_rule,
        "bootstrap_samples": bootstrap_samples,
    }
    page = evaluate_command(
        predictions,
        reference,
        out,
        scan_table=scans,
        labels=labels,
        probabilities=probabilities,
        against=against,
        names=(name, other),
        patterns=(pattern, reference_pattern, labels_pattern, probabilities_pattern),
        parameters=parameters,
        given={key: value for key, value in given.items() if value is not None},
        labelled=labelled,
        connectivity=connectivity,
        by=tuple(by or ()),
        skip_unpaired=skip_unpaired,
        seed=seed,
        workers=workers,
        force=force,
    )
    typer.echo(str(page))


@app.command()
def audit(
    table: Annotated[
        Path | None, typer.Argument(help="CSV or TSV of published results; none: the thesis's.")
    ] = None,
    decimals: Annotated[
        int | None, typer.Option(help="Of all rates, where the table drops trailing zeros.")
    ] = None,
) -> None:
    """Find rates that no whole counts of TP, FP and FN can give (exit code 1 if there are any)."""
    from cmbkit.commands.evaluate import audit_lines

    lines, contradictions = audit_lines(table, decimals)
    typer.echo("\n".join(lines))
    if contradictions:
        raise typer.Exit(1)


@app.command()
def predict(
    scans: Annotated[
        list[str],
        typer.Argument(
            help="NIfTI files, DICOM series (folder or a file of it), folders, BIDS datasets, "
            "patterns in quotes."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Gets a folder per scan, and scans.tsv.")],
    weights: Annotated[
        str, typer.Option(help="Folder of weights, or the name of shipped ones.")
    ] = "compact",
    params: Annotated[
        Path | None,
        typer.Option(help="Parameter file whose sections preprocessing and inference count."),
    ] = None,
    brain_mask: Annotated[
        str,
        typer.Option(help="auto, synthstrip, stand-in, deepbet; mask; folder with SCAN.nii.gz."),
    ] = "auto",
    labels: Annotated[
        str,
        typer.Option(help="auto, synthseg, stand-in; SynthSeg labels; a folder with SCAN.nii.gz."),
    ] = "auto",
    threshold: Annotated[
        float | None, typer.Option(help="Probability from which on a voxel counts.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="auto, keras or openvino.")] = None,
    echo: Annotated[
        int | None, typer.Option(min=1, help="Of several; by default the one nearest 20 to 40 ms.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Count on scans that are unfit, too.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Scans at a time.")] = 1,
    force: Annotated[bool, typer.Option(help="Replace earlier results in OUT.")] = False,
) -> None:
    """Find the microbleeds of scans: mask, probabilities, table, page. For research only.

    Says of each whether it is fit, doubtful, or unfit: then nothing is counted.
    The exit code is 1 if a scan failed or is unfit, 2 if nothing could be begun.
    """
    from cmbkit.commands.predict import predict_command

    code = predict_command(
        scans,
        out,
        jobs=jobs,
        force=force,
        say=typer.echo,
        weights=weights,
        params=params,
        brain_mask=brain_mask,
        labels=labels,
        threshold=threshold,
        engine=engine,
        echo=echo,
        anyway=anyway,
    )
    raise typer.Exit(code)
