"""cmbkit evaluate and cmbkit audit from the command line, on tiny masks."""

import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cmbkit.cli import app
from cmbkit.volume import Volume

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])
# Voxels along the first axis: lesions, candidates. Centres within 4 mm pair.
SCENES = {
    "sub-1": ([5, 20], [6, 30]),  # 1 TP, 1 FN, 1 FP
    "sub-2": ([], []),
    "sub-3": ([10], [10]),  # 1 TP
    "sub-4": ([3, 15, 27], [3, 15]),  # 2 TP, 1 FN
}


def mask(places, affine=AFFINE):
    data = np.zeros((40, 8, 8), np.uint8)
    data[places, 4, 4] = 1
    return Volume(data, affine)


@pytest.fixture
def folders(tmp_path):
    for name, (truth, said) in SCENES.items():
        mask(truth).write(tmp_path / "truth" / f"{name}_CMB.nii.gz")
        mask(said).write(tmp_path / "said" / f"{name}_mask.nii.gz")
        mask(said[:1]).write(tmp_path / "less" / f"{name}_mask.nii.gz")
        labels = Volume(np.full((40, 8, 8), 2, np.uint8), AFFINE)
        labels.write(tmp_path / "labels" / f"{name}_dseg.nii.gz")
        soft = Volume(np.linspace(0, 1, 40, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8),
                      np.float32), AFFINE)  # fmt: skip
        soft.write(tmp_path / "soft" / f"{name}_prob.nii.gz")
    table = pd.DataFrame({"scan": list(SCENES), "sequence": ["SWI", "SWI", "T2S", "T2S"]})
    table.assign(site=["A", "B", "A", "B"]).to_csv(tmp_path / "scans.csv", index=False)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """Figures as everywhere, which are made and left out of the files: others test these."""
    monkeypatch.setattr("cmbkit.reporting.one_page.png_bytes", lambda *_: b"")


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def evaluate(folders, *more, said="said"):
    fixed = ("--out", folders / "out", "--bootstrap-samples", 50)
    return run("evaluate", folders / said, folders / "truth", *fixed, *more)


def test_masks_alone_give_the_whole_page(folders):
    code, text = evaluate(folders)
    assert code == 0 and text.strip().endswith("index.html")
    out = folders / "out"
    scans = pd.read_csv(out / "scans.csv")
    assert scans[["uid", "tp", "fp", "fn"]].to_numpy().tolist() == [
        ["sub-1", 1, 1, 1], ["sub-2", 0, 0, 0], ["sub-3", 1, 0, 0], ["sub-4", 2, 0, 1],
    ]  # fmt: skip
    row = pd.read_csv(out / "detection_glob.csv").iloc[0]
    # 4 TP, 1 FP, 2 FN over 4 scans
    rates = row[["pooled_precision", "pooled_recall", "pooled_f1", "fp_scan"]].tolist()
    assert rates == pytest.approx([4 / 5, 4 / 6, 8 / 11, 1 / 4], abs=1e-6)
    # Four patients are too few, also for an interval that takes microbleeds as independent.
    assert row[["precision_wilson_low", "precision_wilson_high"]].isna().all()
    shown = (out / "detection_glob.html").read_text()
    assert ">0.800<br/>[too few]" in shown
    page = (out / "index.html").read_text()
    assert page.count("<img") == page.count("data:image/png;base64,") == 3
    assert "it needs a score of every predicted microbleed" in page
    for name in re.findall(r'href="([^"#]+)"', page):
        assert (out / name).is_file()
    assert not list(folders.glob(".part*"))


@pytest.mark.usefixtures("undrawn")
def test_every_rule_on_the_page(folders):
    """All candidates lie within 1 mm of a lesion, or far from all; one of four shares no voxel."""
    code, _ = evaluate(folders, "--rules", "all", "--against", folders / "less")
    assert code == 0
    table = pd.read_csv(folders / "out/rules.csv").set_index(["rule", "model"])
    mine = table.xs("this detector", level="model")
    assert mine.loc["5 mm", ["tp", "fp", "fn"]].tolist() == [4, 1, 2]
    assert mine.loc["overlap", ["tp", "fp", "fn"]].tolist() == [3, 2, 3]  # 5 against 6
    assert mine.loc["overlap", ["gained", "lost"]].tolist() == [0, 1]
    assert table.loc["5 mm", "rank"].tolist() == [1, 2]  # the other one says less
    changed = pd.read_csv(folders / "out/rules_changed.csv")
    assert changed[["uid", "gt_id"]].drop_duplicates().to_numpy().tolist() == [["sub-1", 1]]
    assert "centres closer than 3 mm" in (folders / "out/index.html").read_text()
    code, text = evaluate(folders, "--rules", "some", "--force")
    assert code == 1 and "rules: expected 'own' or 'all', found 'some'" in text


def test_everything_at_once(folders):
    code, _ = evaluate(
        folders, "--scans", folders / "scans.csv", "--labels", folders / "labels",
        "--probabilities", folders / "soft", "--against", folders / "less", "--by", "site",
        "--name", "mine", "--other", "theirs", "--matching", "overlap",
    )  # fmt: skip
    assert code == 0
    out = folders / "out"
    froc = pd.read_csv(out / "froc_sensitivity.csv").set_index("fp_per_scan")["sensitivity"]
    # by overlap: 3 of 6 lesions, 2 FP; surest first: FP at 30, TPs at 15 and 10, FP, TP
    assert froc[[0.25, 0.5]].tolist() == pytest.approx([1 / 3, 1 / 2], abs=1e-6)
    assert ">1/4</td>" in (out / "froc_sensitivity.html").read_text()
    compared = pd.read_csv(out / "comparison.csv").set_index("metric")
    both = compared.loc["pooled_recall", ["first", "second"]].tolist()
    assert both == pytest.approx([1 / 2, 1 / 3], abs=1e-6)
    assert ">mine</th>" in (out / "comparison.html").read_text()
    places = pd.read_csv(out / "locations.csv").set_index("location")
    assert places.loc["Subcortical", ["tp", "fp", "fn"]].tolist() == [3, 2, 3]
    groups = pd.read_csv(out / "subgroups.csv")
    assert {"sequence", "number of CMBs", "site"} <= set(groups["factor"])
    tests = pd.read_csv(out / "subgroup_tests.csv")
    assert (tests["p_holm"] >= tests["p_value"]).all()
    # SWI: 1 TP, 1 FP, 1 FN; T2S: 3 TP, 1 FN
    first = tests.set_index("first").loc["SWI"]
    assert first["second"] == "T2S"
    assert "at least" not in (out / "literature.csv").read_text()
    assert "overlap of 1 voxel, greedy, one to one" in (out / "literature.csv").read_text()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("sites", "said"),
    [("AAAA", "No subgroups by site: it has one value, A."), ("AAB ", "1 scan without site.")],
)
def test_what_is_no_subgroup_is_said(folders, sites, said):
    table = pd.DataFrame({"scan": list(SCENES), "site": list(sites)})
    table.to_csv(folders / "sites.csv", index=False)
    code, _ = evaluate(folders, "--scans", folders / "sites.csv", "--by", "site")
    assert code == 0 and said in (folders / "out" / "index.html").read_text()
    table.assign(site="").to_csv(folders / "none.csv", index=False)
    code, text = evaluate(folders, "--scans", folders / "none.csv", "--by", "site", "--force")
    assert code and "by: expected a value of site for some scan, found none" in text


@pytest.mark.usefixtures("undrawn")
def test_a_scan_table_cannot_replace_what_was_counted(folders):
    """Its columns tp and precision are left out; a missing thickness comes from the grid."""
    table = pd.read_csv(folders / "scans.csv").assign(
        tp=99, precision=0.1, slice_thickness_mm=[5.0, None, 5.0, None], patient=list("aabb")
    )
    table.to_csv(folders / "scans.csv", index=False)
    assert evaluate(folders, "--scans", folders / "scans.csv")[0] == 0
    scans = pd.read_csv(folders / "out" / "scans.csv")
    assert scans["tp"].tolist() == [1, 0, 1, 2]
    assert scans["slice_thickness_mm"].tolist() == [5, 2, 5, 2]
    settings = pd.read_csv(folders / "out" / "settings.csv", index_col=0)["value"]
    assert settings["Patients"] == "2"
    table.assign(patient=["a", None, "b", "b"]).to_csv(folders / "scans.csv", index=False)
    code, text = evaluate(folders, "--scans", folders / "scans.csv", "--force")
    assert code == 1 and "expected a patient of every scan, none of sub-2" in text


def test_points_on_one_side(folders):
    points = folders / "points"
    points.mkdir()
    for name, (_, said) in SCENES.items():
        rows = "".join(f"{place},4,4,0.{9 - i}\n" for i, place in enumerate(said))
        (points / f"{name}.csv").write_text("i,j,k,score\n" + rows)
    code, _ = evaluate(folders, said="points")
    assert code == 0
    scans = pd.read_csv(folders / "out" / "scans.csv")
    assert scans["tp"].tolist() == [1, 0, 1, 2] and scans["dice_tp"].isna().all()
    assert (folders / "out" / "froc.png").is_file()
    assert not (folders / "out" / "dice.csv").exists()


@pytest.mark.usefixtures("undrawn")
def test_what_predict_writes_is_what_evaluate_takes(folders):
    """Per scan a folder with labels, probabilities and a table. Two labels that touch stay two."""
    for name, (_, said) in SCENES.items():
        labels, soft = np.zeros((40, 8, 8), np.uint16), np.zeros((40, 8, 8), np.float32)
        for number, place in enumerate(said, 1):
            labels[place, 4, 4], soft[place, 4, 4] = number, 1 - number / 10
        if name == "sub-3":  # found where it is, and a second one beside it
            labels[11, 4, 4], soft[11, 4, 4] = 2, 0.5
        folder = folders / "result" / name
        Volume(labels, AFFINE).write(folder / f"{name}_desc-cmb_dseg.nii.gz")
        Volume(soft, AFFINE).write(folder / f"{name}_desc-cmb_probseg.nii.gz")
        (folder / "microbleeds.tsv").write_text("id\n1\n")
    (folders / "result" / "scans.tsv").write_text("name\tstatus\n")
    code, text = evaluate(folders, "--probabilities", folders / "result", said="result")
    assert code == 0, text
    scans = pd.read_csv(folders / "out" / "scans.csv")
    assert scans[["tp", "fp", "fn"]].to_numpy().tolist() == [[1, 1, 1], [0, 0, 0], [1, 1, 0],
                                                            [2, 0, 1]]  # fmt: skip
    assert (folders / "out" / "froc.png").is_file()
    assert evaluate(folders, "--labelled", "none", "--force", said="result")[0] == 0
    assert pd.read_csv(folders / "out" / "scans.csv")["fp"].tolist() == [1, 0, 0, 0]
    code, text = evaluate(folders, "--labelled", "both", "--force", said="result")
    assert code == 1 and "sub-1_CMB.nii.gz: expected one integer per microbleed" in text


@pytest.mark.usefixtures("undrawn")
def test_a_bids_folder_with_its_images_is_a_reference(folders):
    """Images lie beside the points, which are the files that hold microbleeds."""
    for name, (truth, _) in SCENES.items():
        folder = folders / "bids" / name / "swi"
        Volume(np.ones((40, 8, 8), np.int16), AFFINE).write(folder / f"{name}_swi.nii.gz")
        rows = "".join(f"{place}\t4\t4\n" for place in truth)
        (folder / f"{name}_desc-cmb_points.tsv").write_text("i\tj\tk\n" + rows)
    fixed = ("--out", folders / "out", "--bootstrap-samples", 50)
    code, text = run("evaluate", folders / "said", folders / "bids", *fixed)
    assert code == 0, text
    assert pd.read_csv(folders / "out" / "scans.csv")["tp"].tolist() == [1, 0, 1, 2]


@pytest.mark.usefixtures("undrawn")
def test_files_without_a_partner_stop_it_unless_told(folders):
    (folders / "said" / "sub-3_mask.nii.gz").unlink()
    mask([1]).write(folders / "said" / "sub-9_mask.nii.gz")
    code, text = evaluate(folders)
    assert code == 1 and not (folders / "out").exists()
    assert "no prediction of sub-3" in text and "no reference of sub-9" in text
    assert evaluate(folders, "--skip-unpaired")[0] == 0
    assert "no prediction of sub-3" in (folders / "out" / "index.html").read_text()
    assert len(pd.read_csv(folders / "out" / "scans.csv")) == 3


def test_another_affine_is_an_error_and_leaves_nothing(folders):
    moved = AFFINE.copy()
    moved[0, 3] = 0.11  # of voxels of 1 mm
    mask([5], moved).write(folders / "said" / "sub-1_mask.nii.gz")
    code, text = evaluate(folders)
    assert code == 1 and "sub-1" in text and "expected the affine" in text
    assert sorted(path.name for path in folders.iterdir() if path.name.startswith(".")) == []
    assert not (folders / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_an_earlier_result_stays_without_force(folders):
    assert evaluate(folders)[0] == 0
    before = (folders / "out" / "index.html").read_bytes()
    code, text = evaluate(folders, "--connectivity", "26")
    assert code == 1 and "--force replaces an earlier result" in text
    assert (folders / "out" / "index.html").read_bytes() == before
    assert evaluate(folders, "--connectivity", "26", "--force")[0] == 0
    assert "26-connected" in (folders / "out" / "index.html").read_text()
    # a folder that is no earlier result is never replaced
    (folders / "out" / "index.html").unlink()
    code, text = evaluate(folders, "--force")
    assert code == 1 and "expected an earlier result" in text
    assert (folders / "out" / "scans.csv").exists()


@pytest.mark.usefixtures("undrawn")
def test_wrong_options_are_one_line(folders):
    code, text = evaluate(folders, "--matching", "iou")
    assert code == 1 and "matching: Input should be 'distance' or 'overlap'; found 'iou'" in text
    assert evaluate(folders, "--connectivity", "7") == (
        1,
        "connectivity: expected 6, 18 or 26, found 7\n",
    )
    for wrong in (("--seed", "-1"), ("--workers", "0")):
        assert evaluate(folders, *wrong)[0] == 2
    code, text = evaluate(folders, "--by", "age")
    assert code == 1 and "expected columns of the scan table, found age" in text
    code, text = run("evaluate", folders / "lost", folders / "truth", "--out", folders / "out")
    assert code == 1 and "expected a folder" in text


def test_scans_without_any_microbleed(folders):
    for side in ("truth", "said"):
        for path in (folders / side).iterdir():
            mask([]).write(path)
    assert evaluate(folders)[0] == 0
    assert pd.read_csv(folders / "out" / "detection_glob.csv")["pooled_f1"].isna().all()


def test_audit_of_a_table(tmp_path):
    table = tmp_path / "table.csv"
    rows = ("right,74,0.689,", "wrong,74,0.700,pooled", "unsure,74,0.700,")
    table.write_text("\n".join(["method,lesions,recall,averaging", *rows]))
    code, text = run("audit", table)
    assert code == 1
    arithmetic = "recall 0.700 over 74 CMBs: 51/74 = 0.6892, 52/74 = 0.7027"
    assert text.splitlines() == [
        "right: fits: TP 51, FN 23",
        f"wrong: cannot be: {arithmetic}",
        f"unsure: ambiguous: fits no pooled counts ({arithmetic}); would fit if averaged over "
        "scans",
        "1 of 3 rows do not fit",
        "1 fit no pooled counts; a column averaging (pooled or scan) would tell",
    ]
    table.write_text("method,lesions,recall\nunsure,74,0.700\n")
    assert run("audit", table)[0] == 0
    table.write_text("method,lesions,recall\nright,74,0.689\n")
    assert run("audit", table)[0] == 0
    assert run("audit", tmp_path / "none.csv")[0] == 2
    table.write_text("a;b\n1;2\n")
    code, text = run("audit", table)
    assert code == 2 and text.startswith(f"{table}: columns: expected rates (precision")
    code, text = run("audit")
    assert code == 1 and "Table 7.5" in text and text.startswith("contradiction: ")


@pytest.mark.usefixtures("undrawn")
def test_what_was_seen_is_said_and_shown(folders):
    """One scan mirrored: 3 of 3 would match, which is no chance; a file of no known use."""
    truth = mask([2, 9, 16])  # mirrored 37, 30 and 23
    truth.write(folders / "truth" / "sub-4_CMB.nii.gz")
    truth.with_data(truth.data[::-1]).write(folders / "said" / "sub-4_mask.nii.gz")
    mask([1]).write(folders / "truth" / "sub-9_swi_mask.nii.gz")
    for name in SCENES:
        (folders / "truth" / f"{name}_CMB.nii.gz").rename(
            folders / "truth" / f"{name}_desc-cmb_mask.nii.gz"
        )
    code, text = evaluate(folders)
    assert code == 0
    assert "4 scans: 3 with annotated microbleeds (6), 1 without" in text
    assert "not used: sub-9_swi_mask.nii.gz" in text
    remarks = pd.read_csv(folders / "out" / "scans.csv", index_col="uid")["remarks"]
    assert "mirrored" in remarks["sub-4"] and "mirrored" not in remarks["sub-1"]
    page = (folders / "out" / "index.html").read_text()
    assert "sub-9_swi_mask.nii.gz" in page and "would match" in page


@pytest.mark.usefixtures("undrawn")
def test_uncertain_both_ways_a_tool_by_its_word_and_a_second_rater(tmp_path):
    for name, places in (("sub-1", [5, 20]), ("sub-2", [8])):
        mask(places[:1]).write(tmp_path / "said" / f"{name}.nii.gz")
        mask([]).write(tmp_path / "said" / "fold_0" / f"{name}.nii.gz")
        truth = mask(places)
        truth.data[20] *= 2
        truth.write(tmp_path / "truth" / f"{name}.nii.gz")
        mask([5]).write(tmp_path / "rater" / f"{name}.nii.gz")
    where = (tmp_path / "said", tmp_path / "truth", "--out", tmp_path / "out")
    more = ("--uncertain", "both", "--readers", tmp_path / "rater", "--bootstrap-samples", 50)
    code, text = run("evaluate", *where, "--pattern", "nnunet", *more)
    assert code == 0, text
    found = pd.read_csv(tmp_path / "out/findings.csv")  # sub-2: 5 and 8 are one within 5 mm
    votes = found[["truth", "rater", "this detector"]].astype(int).to_numpy().tolist()
    assert votes == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]
    page = (tmp_path / "out/index.html").read_text()
    assert "Each reader against the raters" in page and "readers_compared" not in page
    table = pd.read_csv(tmp_path / "out/uncertain.csv").set_index("word")[["tp", "fp", "fn"]]
    assert table.to_numpy().tolist() == [[2, 0, 1], [2, 0, 0]]
    for wrong, said in (
        (("--uncertain", "some"), "uncertain: expected one of counted, ignored, both"),
        (("--readers", tmp_path / "truth"), "folders of different names, found 'truth' twice"),
    ):
        code, text = run("evaluate", *where, "--pattern", "nnunet", *wrong, "--force")
        assert code == 1 and said in text
