"""``report.html``: one self-contained page about one scan."""

from __future__ import annotations

import base64
from html import escape

import pandas as pd

from cmbkit.prediction.crops import strip, window
from cmbkit.prediction.microbleed_table import FLAGS
from cmbkit.prediction.scan_warnings import RESEARCH_ONLY, thresholds_reached
from cmbkit.prediction.viewer import viewer_html
from cmbkit.reporting.one_page import OnePage
from cmbkit.reporting.rating_form import rating_form

MOST_STRIPS = 60
STYLE = """<style>
.research{background:#fbe3d6;border:1px solid #d55e00;border-radius:4px;padding:.5rem .8rem}
.viewer .cuts{display:flex;gap:.5rem;flex-wrap:wrap;background:#000;padding:.5rem}
.viewer figure{margin:0;min-width:160px;text-align:center;color:#ccc;font-size:.8rem}
.viewer canvas{width:100%;touch-action:none;cursor:crosshair}
.controls label{margin-right:1rem;white-space:nowrap}
.jumps button{min-width:2.2rem}
.bleed{margin:.8rem 0;overflow-x:auto}.bleed img{display:block;max-width:100%}
.bleed button{margin-left:.5rem}
.reached{font-weight:600}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dl.facts dd{margin:0}
</style>"""


def research_note(record: dict) -> str:
    """Paragraph that says what the result is worth: research only, the weights, their training."""
    weights = record["weights"]
    return (
        f'<p class="research">{escape(RESEARCH_ONLY)} Weights “{escape(weights["name"])}”, trained '
        f"on {escape(weights['trained_on'])}.</p>"
    )


def form_html(name: str, features: pd.DataFrame, scale: str) -> str:
    """Filled-in BOMBS or MARS form of a scan as HTML."""
    rows = features.assign(uid=name)
    return f'<div class="table">{rating_form(rows, name, scale).to_html()}</div>'


def thresholds_html(count: int) -> str:
    """List of the thresholds with what the literature ties to each."""
    items = "".join(
        f"<tr{' class=reached' if reached else ''}><td>&ge; {limit}</td>"
        f"<td>{'yes' if reached else 'no'}</td><td>{escape(text)}</td></tr>"
        for limit, reached, text in thresholds_reached(count)
    )
    head = "<tr><th>Microbleeds</th><th>Reached</th><th>What the literature ties to it</th></tr>"
    return f'<div class="table"><table class="thresholds">{head}{items}</table></div>'


def line_of(row) -> str:
    """One microbleed in words."""
    text = (
        f"{row.region}, {row.side}; {row.diameter_mm:.1f} mm wide, {row.volume_mm3:.0f} mm³; "
        f"probability {row.probability:.2f}; at x {row.x_mm:.1f}, y {row.y_mm:.1f}, "
        f"z {row.z_mm:.1f} mm"
    )
    return text + (f". Doubts: {row.flags}" if row.flags else "")


def strips_html(prediction, limits, *, jump: bool) -> str:
    """Strip of cuts for each microbleed, most probable first; ``jump`` adds viewer buttons."""
    blocks = []
    for row in prediction.table.head(MOST_STRIPS).itertuples():
        picture = strip(prediction.standard, prediction.standard_mask, row.id, limits)
        source = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
        button = f'<button type="button" data-microbleed="{row.id}">view</button>' if jump else ""
        blocks.append(
            f'<div class="bleed"><b>{row.id}</b> {escape(line_of(row))}{button}'
            f'<img alt="Microbleed {row.id}: axial, coronal, sagittal cut" src="{source}"></div>'
        )
    more = len(prediction.table) - MOST_STRIPS
    if more > 0:
        blocks.append(f"<p>{more} less probable ones are in microbleeds.tsv only.</p>")
    return "\n".join(blocks) or "<p>No microbleed was found.</p>"


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
    limits = window(prediction.standard)
    page = OnePage(f"Cerebral microbleeds: {prediction.name}")
    page.block(STYLE + research_note(record))
    count = len(table)
    page.block(f'<p id="count"><b>{count}</b> microbleed{"s" * (count != 1)} found.</p>')
    if prediction.remarks:
        page.warning("About this scan:", prediction.remarks)
    page.section("Rating form")
    page.block(form_html(prediction.name, prediction.features, "bombs"))
    page.block("<details><summary>MARS</summary>"
               f"{form_html(prediction.name, prediction.features, 'mars')}</details>")  # fmt: skip
    page.section("Thresholds")
    page.block(thresholds_html(count))
    viewer, note = viewer_html(prediction.standard, prediction.standard_mask, table, limits)
    page.section("Viewer", f"Click or drag in a cut; the wheel goes through slices. {note} "
                 "Only the brain is shown.")  # fmt: skip
    page.block(viewer)
    page.section(
        "Microbleeds",
        "Most probable first. Axial, coronal and sagittal cut of 30 mm, without and with outline; "
        "left is left, up is anterior or superior.",
    )
    page.block(strips_html(prediction, limits, jump=True))
    told = sorted({flag for flags in table["flags"] for flag in flags.split(", ") if flag})
    if told:
        items = "".join(f"<dt>{escape(f)}</dt><dd>{escape(FLAGS[f])}</dd>" for f in told)
        page.block(f'<p>Doubts mean:</p><dl class="facts">{items}</dl>')
    page.section("How it was made")
    page.block(_facts(record))
    return page.html()


def _facts(record: dict) -> str:
    inference = record["parameters"]["inference"]
    preprocessing = record["parameters"]["preprocessing"]
    dropped = ", ".join(f"{n} ({why})" for why, n in record["dropped"].items()) or "none"
    seconds = sum(stage["seconds"] for stage in record["stages"].values())
    facts = {
        "Scan": record["source"]["path"],
        "Voxels": " x ".join(map(str, record["native"]["shape"])),
        "Brain mask": f"{record['methods']['brain_mask']}; {record['brain_ml']:.0f} ml",
        "Brain regions": record["methods"]["parcellation"],
        "Grid": f"{preprocessing['spacing_mm']:g} mm, RAS",
        "Network": f"{record['weights']['parameters']:,} weights, sha256 "
        f"{record['weights']['sha256'][:12]}..., engine {record['engine']['name']}",
        "Threshold": f"{inference['threshold']:g}; at least {inference['minimum_voxels']} voxels",
        "Candidates dropped": dropped,
        "Software": f"cmbkit {record['software']['cmbkit']}",
        "Time": f"{record['began']}, {seconds:.0f} s",
    }
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.items())
    return f'<dl class="facts">{items}</dl>'
