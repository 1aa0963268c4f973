"""Filled-in rating forms counted by hand."""

from xml.etree import ElementTree

import pandas as pd
import pytest

from cmbkit.features.location import location_features
from cmbkit.reporting.rating_form import rating_form
from cmbkit.reporting.tables import NOTHING, shown


@pytest.fixture
def features():
    """DOU-1: left thalamus 3 mm, right thalamus 7 mm, two left cortex, brainstem, ventricle."""
    rows = [(10, 3.0), (49, 7.0), (3, 4.9), (1028, 5.0), (16, 2.0), (4, 12.0)]
    found = [{"uid": "DOU-1", "max_diameter_mm": d, **location_features([n])} for n, d in rows]
    other = {"uid": "DOU-2", "max_diameter_mm": 2.0, **location_features([46])}
    return pd.DataFrame([*found, other])


def count(form, region, part=""):
    """Microbleeds of one line, in the columns whose names hold a part."""
    line = form.table.set_index("region").loc[region].drop(["group", "total"])
    return line[[name for name in line.index if part in name]].fillna(0).sum()


def total(form):
    return form.table["total"].iloc[-1]


def test_bombs_counts_by_region_size_and_side(features):
    form = rating_form(features, "DOU-1")
    assert count(form, "Thalamus") == 2
    assert count(form, "Thalamus", "under_5_mm_left") == 1
    assert count(form, "Thalamus", "5_to_10_mm_right") == 1
    assert count(form, "Thalamus", "under_5_mm_right") == 0
    # 5.0 mm is in the second class: under 5, then 5 to 10
    assert count(form, "Cortex / Grey-White Junction", "5_to_10_mm_left") == 1
    assert count(form, "Brainstem", "_midline") == 1
    assert count(form, "Outside brain tissue", "over_10_mm") == 1
    assert total(form) == 6


def test_groups_sum_their_lines_and_the_last_line_everything(features):
    form = rating_form(features, "DOU-1")
    totals = form.table[form.table["region"] == "total"].set_index("group")["total"]
    assert totals.to_dict() == {"Lobar": 2, "Deep": 2, "Posterior fossa": 1, "All": 6}


def test_lines_that_no_label_tells_are_not_zero(features):
    table = rating_form(features, "DOU-1").table.set_index("region")
    assert table.loc["Internal and External Capsule"].drop("group").isna().all()
    assert table.loc["Cerebellum", "total"] == 0
    cells = shown(rating_form(features, "DOU-1").table)[0].set_index("Region")
    assert cells.loc["Internal and External Capsule", "Total"] == NOTHING
    assert cells.loc["Cerebellum", "Total"] == "0"


def test_mars_knows_lobes_where_the_labels_do(features):
    form = rating_form(features, "DOU-1", "mars")
    assert count(form, "Frontal") == 1 and count(form, "Lobe unspecified") == 1
    assert count(form, "Thalamus", "_left") == 1 and count(form, "Brainstem") == 1
    totals = form.table[form.table["region"] == "total"].set_index("group")["total"]
    assert totals.to_dict() == {"Infratentorial": 1, "Deep": 2, "Lobar": 2, "All": 6}
    assert not any("mm" in column for column in form.table)
    # one CMB's lobe is not told: it may be parietal, so no zero can be given there
    parietal = form.table.set_index("region")["total"]["Parietal"]
    assert parietal is pd.NA
    told = rating_form(features[features["mars_region"] != "Lobe unspecified"], "DOU-1", "mars")
    assert told.table.set_index("region")["total"]["Parietal"] == 0


def test_certainty_is_used_where_it_was_rated(features):
    rated = features.assign(certainty=["certain", "uncertain", None, "possible", *["certain"] * 3])
    form = rating_form(rated, "DOU-1")
    assert count(form, "Thalamus", "uncertain") == 1
    assert count(form, "Cortex / Grey-White Junction", "uncertain") == 1
    assert "not rated" in rating_form(features, "DOU-1").note and "not rated" not in form.note
    with pytest.raises(ValueError, match=r"DOU-1: certainty: expected .* found \['perhaps'\]"):
        rating_form(features.assign(certainty="perhaps"), "DOU-1")


def test_a_scan_without_microbleeds_has_a_form_of_zeros(features):
    form = rating_form(features, "DOU-9")
    assert total(form) == 0 and count(form, "Thalamus") == 0
    ElementTree.fromstring(form._repr_html_())


def test_exports(features, tmp_path):
    form = rating_form(features, "DOU-1")
    root = ElementTree.fromstring(form.to_html())
    assert root.find("caption").text == "BOMBS, scan DOU-1"
    names = [cell.text for cell in root.find("thead")[0]]
    assert "certain, under 5 mm, left" in names and "uncertain, under 5 mm, left" not in names
    csv = form.to_csv().splitlines()
    assert csv[0].startswith("group,region,certain_under_5_mm_left,")
    assert csv[0].endswith("total,uid,scale")
    assert len(csv) == 1 + 7 + 3 + 1 + 1  # lines of the form, groups, outside, all
    assert r"\begin{longtable}" in form.to_latex()
    paths = form.save(tmp_path / "DOU-1_bombs")
    assert [p.suffix for p in paths] == [".csv", ".html", ".tex"]
    assert paths[0].read_text() == form.to_csv()


def test_mistakes_are_named(features):
    with pytest.raises(ValueError, match="scale: expected one of"):
        rating_form(features, "DOU-1", "fazekas")
    with pytest.raises(ValueError, match="expected a region for every microbleed"):
        rating_form(features.assign(region=None), "DOU-1")


def test_lines_not_seen_are_not_zero_unless_something_was_found_there(features):
    form = rating_form(features, "DOU-1", not_seen=["Cerebellum", "Brainstem", "Basal Ganglia"])
    table = form.table.set_index("region")
    assert table.loc["Cerebellum"].drop("group").isna().all()
    assert table.loc["Brainstem", "total"] == 1 and total(form) == 6
    assert form.note.startswith("Not seen, outside the scan's field of view: Cerebellum. ")
