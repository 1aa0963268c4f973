"""Commands about files of anybody: evaluate, audit, sample-size, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
        Path | None,
        typer.Option(help="Maps of logits or probabilities, for FROC curves."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Folder of another detector's predictions to compare with.")
    ] = None,
    name: Annotated[str, typer.Option(help="The detector's name.")] = "this detector",
    other: Annotated[str, typer.Option(help="The other detector's name.")] = "the other",
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Names of predicted files, e.g. '*_dseg.nii.gz', or whose output they are: "
            "nnunet, nndetection, shivai, censyncmb, microbleednet, valdo, bids, slicer."
        ),
    ] = None,
    reference_pattern: Annotated[str | None, typer.Option(help="Names of annotated files.")] = None,
    labels_pattern: Annotated[str | None, typer.Option(help="Names of label images.")] = None,
    probabilities_pattern: Annotated[str | None, typer.Option(help="Names of these maps.")] = None,
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
    rules: Annotated[
        str, typer.Option(help="own; all: also a table of every matching rule of the field.")
    ] = "own",
    uncertain: Annotated[
        str,
        typer.Option(
            help="Annotated CMBs called uncertain (2 in a mask, a column certainty): counted, "
            "ignored or both."
        ),
    ] = "counted",
    readers: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a further rater's marks, for agreement and a consensus."),
    ] = None,
    by: Annotated[list[str] | None, typer.Option(help="Scan-table column for subgroups.")] = None,
    skip_unpaired: Annotated[
        bool, typer.Option(help="Go on when files have no partner; the page lists them.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of bootstrap and permutations.")] = 2024,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
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
        rules=rules,
        uncertain=uncertain,
        readers=tuple(readers or ()),
        by=tuple(by or ()),
        skip_unpaired=skip_unpaired,
        seed=seed,
        workers=workers,
        force=force,
        tell=lambda line: typer.echo(line, err=True),
    )
    typer.echo(str(page))


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


def sample_size(
    pilot: Annotated[
        Path, typer.Argument(help="Table of scans: patient, tp, fp, fn (scans.csv of evaluate).")
    ],
    metric: Annotated[str, typer.Option(help="f1, recall or precision.")] = "f1",
    value: Annotated[
        float | None, typer.Option(help="What it is planned to be; the pilot's by default.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="Of the 95 % interval, at most.")] = None,
    difference: Annotated[
        float | None, typer.Option(help="Between two detectors on the same patients.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Table of another detector: its difference counts.")
    ] = None,
    power: Annotated[float, typer.Option(help="Share of studies that succeed.")] = 0.8,
    samples: Annotated[int, typer.Option(min=10, help="Simulated studies.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 2024,
) -> None:
    """Patients that a study needs, by drawing those of a pilot again."""
    from cmbkit.commands.sample_size import sample_size_lines

    wanted = {"width": width, "difference": difference, "against": against}
    how = {"power": power, "samples": samples, "seed": seed}
    typer.echo("\n".join(sample_size_lines(pilot, metric, value, **wanted, **how)))


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
        float | None, typer.Option(help="Probability in the map from which on a voxel counts.")
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
    """Find the microbleeds of scans: mask, logits, table, page. For research only.

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
