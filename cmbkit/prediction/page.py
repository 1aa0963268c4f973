"""``report.html``: one self-contained page about one scan."""

from __future__ import annotations

from cmbkit.plotting.style import ROLE_COLOURS
from cmbkit.prediction.crops import mask_cuts, strip, window
from cmbkit.prediction.microbleed_table import FLAGS
from cmbkit.prediction.scan_warnings import RESEARCH_ONLY, thresholds_reached
from cmbkit.prediction.viewer import Layer, viewer
from cmbkit.reporting.pages import render
from cmbkit.running.steps import counted

MOST_STRIPS = 60


def report(prediction) -> str:
    """Page about one scan.

    Parameters
    ----------
    prediction : Prediction

    Returns
    -------
    str
        HTML that needs no other file and no network.
    """
    table, record = prediction.table, prediction.record
    outlines = Layer("microbleed", ROLE_COLOURS["predicted"], prediction.standard_mask, table)
    told = sorted({flag for flags in table["flags"] for flag in flags})
    return render(
        "prediction.html",
        title=f"Cerebral microbleeds: {prediction.name}",
        mars=prediction.form("mars").to_html(),
        thresholds=thresholds_reached(len(table)),
        viewer=viewer(prediction.standard, [outlines], window(prediction.standard)),
        doubts={flag: FLAGS[flag] for flag in told},
        brain_mask=mask_cuts(prediction.whole, prediction.brain),
        facts=_facts(record),
        **_summary(prediction),
    )


def cell(prediction) -> str:
    """What Jupyter shows of a prediction: its form and its microbleeds."""
    return render("prediction_cell.html", name=prediction.name, **_summary(prediction))


def _summary(prediction) -> dict:
    """What page and cell have in common; strips of cuts of the highest scores."""
    limits = window(prediction.standard)
    rows = prediction.table.head(MOST_STRIPS).to_dict("records")
    for row in rows:
        row["strip"] = strip(prediction.standard, prediction.standard_mask, row["id"], limits)
    return {
        "research_only": RESEARCH_ONLY,
        "weights": prediction.record["weights"],
        "count": len(prediction),
        "fitness": prediction.fitness,
        "number": prediction.record["number"],
        "remarks": prediction.remarks,
        "bombs": prediction.form("bombs").to_html(),
        "microbleeds": rows,
        "more": len(prediction) - len(rows),
    }


def _facts(record: dict) -> dict[str, str]:
    """What the result was made of and how, in the page's order."""
    inference = record["parameters"]["inference"]
    preprocessing = record["parameters"]["preprocessing"]
    dropped = ", ".join(f"{n} ({why})" for why, n in record["dropped"].items()) or "none"
    seconds = sum(stage["seconds"] for stage in record["stages"].values())
    return {
        "Scan": record["source"]["path"],
        "Voxels": " x ".join(map(str, record["native"]["shape"])),
        "Brain mask": f"{record['methods']['brain_mask']}; {record['brain_ml']:.0f} ml",
        "Brain regions": record["methods"]["parcellation"],
        "Grid": f"{preprocessing['spacing_mm']:g} mm, RAS",
        "Network": f"{record['weights']['parameters']:,} weights, sha256 "
        f"{record['weights']['digest'][:12]}..., engine {record['engine']['name']}",
        "Threshold": f"{inference['threshold']:g}; at least "
        + counted(inference["minimum_voxels"], "voxel"),
        "Candidates dropped": dropped,
        "Software": f"cmbkit {record['software']['cmbkit']}",
        "Time": f"{record['began']}, {seconds:.0f} s",
    }
