"""Scans go in, folders of results come out: what is found, kept, replaced and said."""

import gzip
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import cmbkit
from cmbkit.cli import app
from cmbkit.prediction.result import Prediction
from cmbkit.prediction.sources import find_sources
from cmbkit.running.file_hashes import file_hash
from cmbkit.volume import Volume


def run(*words):
    return CliRunner().invoke(app, ["predict", *map(str, words)])


def test_masks_and_table_lie_where_the_balls_are(write_scan, phantom, weights, tmp_path):
    """Centres by hand: voxel (30, 40, 20) is RAS (10, 5, 0), voxel (52, 50, 18) (-12, -5, -4)."""
    scan = write_scan("a_swi.nii.gz")
    done = run(scan, "--out", tmp_path / "out", "--weights", weights)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / "a_swi"
    table = pd.read_csv(folder / "microbleeds.tsv", sep="\t").sort_values("x_mm")
    np.testing.assert_allclose(
        table[["x_mm", "y_mm", "z_mm"]], [(-12, -5, -4), (10, 5, 0)], atol=1e-4
    )
    np.testing.assert_allclose(table[["i", "j", "k"]], [(52, 50, 18), (30, 40, 20)], atol=1e-4)
    assert table["side"].tolist() == ["left", "right"]
    # a ball of 3 mm: 113.1 mm^3, counted in voxels of 1 mm^3
    np.testing.assert_allclose(table["volume_mm3"], 113.1, rtol=0.05)
    np.testing.assert_allclose(table["diameter_mm"], 6.0, rtol=0.02)
    source, mask = nib.load(scan), nib.load(folder / "a_swi_desc-cmb_dseg.nii.gz")
    np.testing.assert_allclose(mask.affine, source.affine)
    assert mask.shape == source.shape
    found, (_, balls) = np.asarray(mask.dataobj), phantom()
    for row in table.itertuples():
        own = found == row.id
        ball = balls.data == balls.data[tuple(np.rint([row.i, row.j, row.k]).astype(int))]
        assert 2 * (own & ball).sum() / (own.sum() + ball.sum()) > 0.85  # Dice
    logits = Volume.read(folder / "a_swi_desc-cmb_logits.nii.gz").data
    assert logits[30, 40, 20] > 5 and logits[40, 45, 5] < -5
    record = json.loads((folder / "run.json").read_text())
    assert record["microbleeds"] == 2 and record["weights"]["name"] == "bright balls"
    assert record["parameters"]["inference"]["threshold"] == 0.5
    assert record["source"]["files"] == {"a_swi.nii.gz": file_hash(scan)}


def test_one_corrupt_scan_among_others(write_scan, weights, tmp_path):
    """Two good ones, one cut off, one that is no image at all; two processes."""
    for name in ("a", "b"):
        write_scan(f"{name}.nii.gz", thick=2, seed=ord(name))
    whole = write_scan("cut.nii.gz").read_bytes()
    (tmp_path / "scans" / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "scans" / "text.nii").write_text("no image")
    done = run(tmp_path / "scans", "--out", tmp_path / "out", "--weights", weights, "--jobs", 2)
    assert done.exit_code == 1
    assert "2 of 4 scans have a result; 2 failed" in done.output
    table = pd.read_csv(tmp_path / "out" / "scans.tsv", sep="\t", index_col="name")
    assert table["status"].to_dict() == dict.fromkeys("ab", "done") | dict.fromkeys(
        ("cut", "text"), "failed"
    )
    assert table.loc[["a", "b"], "microbleeds"].tolist() == [2, 2]
    assert "cut.nii.gz: expected a readable NIfTI file" in table.loc["cut", "problem"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "b", "scans.tsv"]


def test_results_are_kept_and_only_replaced_with_force(write_scan, weights, tmp_path):
    scan, out = write_scan("a.nii.gz", thick=2), tmp_path / "out"
    assert run(scan, "--out", out, "--weights", weights).exit_code == 0
    first = (out / "a" / "run.json").stat().st_mtime_ns
    again = run(scan, "--out", out, "--weights", weights)
    assert again.exit_code == 0 and "was there already" in again.output
    other = run(scan, "--out", out, "--weights", weights, "--threshold", 0.6)
    assert other.exit_code == 1 and "--force replaces an earlier result" in other.output
    assert (out / "a" / "run.json").stat().st_mtime_ns == first
    forced = run(scan, "--out", out, "--weights", weights, "--threshold", 0.6, "--force")
    assert forced.exit_code == 0
    record = json.loads((out / "a" / "run.json").read_text())
    assert record["parameters"]["inference"]["threshold"] == 0.6
    foreign = tmp_path / "out2" / "a"
    foreign.mkdir(parents=True)
    (foreign / "thesis.txt").write_text("mine")
    refused = run(scan, "--out", tmp_path / "out2", "--weights", weights, "--force")
    assert refused.exit_code == 1 and (foreign / "thesis.txt").read_text() == "mine"


def test_a_damaged_result_is_not_taken_for_one(write_scan, weights, tmp_path):
    """It may be somebody's correction: only --force replaces it."""
    scan, out = write_scan("a.nii.gz", thick=2), tmp_path / "out"
    assert run(scan, "--out", out, "--weights", weights).exit_code == 0
    mask = out / "a" / "a_desc-cmb_dseg.nii.gz"
    whole = mask.read_bytes()
    for damaged in (whole[:100], b""):
        mask.write_bytes(damaged)
        again = run(scan, "--out", out, "--weights", weights)
        assert again.exit_code == 1 and "was there already" not in again.output
        assert f"{mask}: expected the file of hash" in again.output and "--force" in again.output
    assert run(scan, "--out", out, "--weights", weights, "--force").exit_code == 0
    assert mask.read_bytes() == whole


def test_two_runs_into_one_folder_leave_one_summary(write_scan, weights, tmp_path, monkeypatch):
    """The second finds its scan done when it has computed it, too; rows of other scans stay."""
    one, two, out = write_scan("1.nii.gz", thick=2), write_scan("2.nii.gz", thick=2), tmp_path / "o"
    assert run(one, "--out", out, "--weights", weights).exit_code == 0
    write = Prediction.write

    def quicker(prediction, folder, *, force=False):
        write(prediction, folder)
        return write(prediction, folder, force=force)

    monkeypatch.setattr(Prediction, "write", quicker)
    done = run(two, "--out", out, "--weights", weights)
    assert done.exit_code == 0 and "1 of 1 scans have a result; 0 failed" in done.output
    table = pd.read_csv(out / "scans.tsv", sep="\t", dtype=str, index_col="name")
    assert table["status"].to_dict() == {"1": "done", "2": "kept"}
    assert table["microbleeds"].tolist() == ["2", "2"]
    assert sorted(path.name for path in out.iterdir()) == ["1", "2", "scans.tsv"]


def test_nothing_of_the_person_or_the_machine_is_passed_on(write_scan, weights, tmp_path):
    """Header texts, an extension and the folder's name hold a name; no output does."""
    source = nib.load(write_scan("a.nii.gz", thick=2))
    image = nib.Nifti1Image(np.asarray(source.dataobj), source.affine, source.header)
    image.header["descrip"], image.header["aux_file"] = b"Doe^Jane", b"Doe^Jane"
    image.header["db_name"] = b"Doe^Jane"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Doe^Jane 1950"))
    scan = tmp_path / "Doe^Jane" / "a.nii.gz"
    scan.parent.mkdir()
    nib.save(image, scan)
    assert run(scan, "--out", tmp_path / "out", "--weights", weights).exit_code == 0
    for path in (tmp_path / "out" / "a").iterdir():
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert b"Doe" not in content and str(tmp_path).encode() not in content, path.name
        if path.suffix == ".gz":
            assert not nib.load(path).header.extensions


def test_own_brain_mask_and_labels_are_used(write_scan, phantom, weights, tmp_path):
    """Half the brain masked: the ball on the other side is gone. Labels: all left thalamus."""
    scan = write_scan("a.nii.gz")
    image, _ = phantom()
    half = (image.data > 0) & (np.arange(80)[:, None, None] < 45)
    image.with_data(half.astype(np.uint8)).write(tmp_path / "masks" / "a.nii.gz")
    image.with_data(np.full(image.shape, 10, np.uint8)).write(tmp_path / "labels.nii")
    found = cmbkit.predict(
        scan, weights=weights, brain_mask=tmp_path / "masks", labels=tmp_path / "labels.nii"
    )
    assert found.table[["region", "side"]].to_numpy().tolist() == [["Thalamus", "left"]]
    np.testing.assert_allclose(found.table[["i", "j", "k"]], [(30, 40, 20)], atol=1e-4)
    assert found.record["methods"] == dict.fromkeys(
        ("brain_mask", "parcellation"), "made beforehand"
    )
    thalamus = found.form().table.set_index("region").loc["Thalamus"]
    assert thalamus.filter(like="_left").sum() == thalamus["total"] == 1
    html = found._repr_html_()
    assert "1 microbleed" in html and "research only" in html and "bright balls" in html


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "nowhere"], "weights 'nowhere': expected a folder"),
        (["--threshold", "1.5"], "threshold: Input should be less than 1; found 1.5"),
        (["--brain-mask", "none.nii"], "brain_mask: expected auto, synthstrip, stand-in"),
        (["--params", "no.yaml"], "no.yaml: expected a parameter file"),
    ],
)
def test_wrong_options_stop_before_anything_is_read(weights, tmp_path, words, said):
    given = words if "--weights" in words else ["--weights", weights, *words]
    done = run(tmp_path / "a.nii.gz", "--out", tmp_path / "out", *given)
    assert done.exit_code == 2 and said in done.output
    assert not (tmp_path / "out").exists()


def test_sources_of_folders_patterns_and_bids(write_scan, tmp_path):
    for name in ("one/a.nii.gz", "two/a.nii.gz", "two/b.nii"):
        write_scan(name, thick=10)
    scans = tmp_path / "scans"
    result = scans / "old"
    result.mkdir()
    (result / "run.json").write_text("{}")
    write_scan("old/x.nii.gz", thick=10)
    assert [s.name for s in find_sources([scans])] == ["one_a", "two_a", "b"]
    assert [s.name for s in find_sources([scans / "t*" / "*.nii*"])] == ["a", "b"]
    assert [s.name for s in find_sources([scans / "two" / "b.nii", scans / "two"])] == ["b", "a"]
    (missing,) = find_sources([scans / "c.nii"])
    assert missing.problem.endswith("c.nii: expected a file or folder, found nothing")
    write_scan("bids/sub-01/swi/sub-01_swi.nii.gz", thick=10)
    write_scan("bids/sub-01/swi/sub-01_part-phase_swi.nii.gz", thick=10)
    write_scan("bids/sub-02/anat/sub-02_T1w.nii.gz", thick=10)
    found = find_sources([scans / "bids"])
    assert [(s.name, s.sequence) for s in found if not s.problem] == [("sub-01_swi", "SWI")]
    assert ["sub-02: expected an image" in s.problem for s in found if s.problem] == [True]


def test_several_scans_are_too_many_for_the_function(write_scan, weights, tmp_path):
    for name in ("a", "b"):
        write_scan(f"{name}.nii.gz", thick=10)
    with pytest.raises(ValueError, match=r"expected one scan, found 2 \(a, b\)"):
        cmbkit.predict(tmp_path / "scans", weights=weights)


def test_a_header_without_sides_gives_none(write_scan, weights, tmp_path):
    """Codes of 0: left and right are not known, and every output says so."""
    path = write_scan("a.nii.gz", thick=2)
    image = nib.load(path)
    image = nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header)
    image.set_sform(image.affine, 0)
    image.set_qform(image.affine, 0)
    nib.save(image, path)
    found = cmbkit.predict(path, weights=weights)
    assert set(found.table["side"]) == {"unknown"}
    assert found.fitness.verdict == "doubtful"
    assert any("left and right are not known" in reason for reason in found.fitness.reasons)


def test_a_brain_mask_on_another_grid_is_named(write_scan, phantom, weights, tmp_path):
    scan = write_scan("a.nii.gz", thick=2)
    image, _ = phantom()
    mask = image.with_data((image.data > 0).astype(np.uint8)).write(tmp_path / "mask.nii.gz")
    with pytest.raises(ValueError, match=r"mask\.nii\.gz: expected shape") as told:
        cmbkit.predict(scan, weights=weights, brain_mask=mask)
    assert "cmbkit-part" not in str(told.value) and str(scan) in str(told.value)
