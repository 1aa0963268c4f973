"""Where microbleeds lie to each other, and which of them one scribble joins."""

from types import SimpleNamespace

import numpy as np
import pytest

from cmbkit.phantom import lesions
from cmbkit.phantom.layouts import _number_scribbles
from cmbkit.phantom.lesions import Blob, draw_microbleeds
from cmbkit.phantom.profiles import PROFILES


def test_microbleeds_that_lie_together_have_tissue_between_them_and_one_structure():
    rng = np.random.default_rng(1)
    blobs = draw_microbleeds([1.5] * 20, "SWI", rng, lambda mni: True, together=0.5)
    pairs = [
        (a, b, np.linalg.norm(np.subtract(a.mni, b.mni)))
        for k, a in enumerate(blobs)
        for b in blobs[k + 1 :]
    ]
    close = [(a, b, d) for a, b, d in pairs if d < 8]
    assert len(close) >= 4
    assert all(a.label == b.label and 4.5 <= d <= 7 for a, b, d in close)


@pytest.mark.parametrize(
    "apart, second, joined",
    [(6.0, 2, [True]), (76.0, 2, [False, False]), (6.0, 10, [False, False])],
)
def test_one_scribble_joins_neighbours_at_one_location_alone(apart, second, joined):
    blobs = [Blob("cmb", (0, 0, 0), 1.5, 0.8, 1, label) for label in (2, second)]
    scan = SimpleNamespace(microbleeds=blobs, centres_mm=np.array([[0, 0, 0], [apart, 0, 0]]))
    label_of, segments = _number_scribbles(scan, np.random.default_rng(0))
    attributes = [segment["attributes"] for segment in segments.values()]
    assert [a["Multiple"] for a in attributes] == joined
    assert set(label_of.values()) == {int(key) for key in segments}
    assert attributes[0]["location"] == "subcortical white matter"


@pytest.mark.parametrize(
    ("dataset", "cortical", "subcortical", "deep"),
    [("CRB", 56, 40, 30), ("DOU", 27, 22, 24), ("VALDO", 23, 44, 30)],
)
def test_regions_become_those_of_table_8_2(dataset, cortical, subcortical, deep):
    """The table's numbers (TP + FN), by how often the parcellation calls each region what."""
    called = {
        "cortex": (99, 12, 0), "white matter": (3, 38, 0), "thalamus": (1, 5, 15),
        "basal ganglia": (3, 4, 7), "brainstem": (1, 0, 9), "cerebellum": (0, 0, 12),
    }  # fmt: skip
    shares = PROFILES[dataset].shares
    made = sum(shares[name] * np.array(n) / sum(n) for name, n in called.items())
    thesis = np.array([cortical, subcortical, deep])
    np.testing.assert_allclose(made, thesis / thesis.sum(), atol=0.02)


def test_few_microbleeds_come_close_to_the_shares():
    shares = PROFILES["CRB"].shares
    label = {value: region for region, values in lesions.REGIONS.items() for value in values}
    drawn = [
        label[blob.label]
        for scan in range(12)
        for blob in draw_microbleeds(
            [1.0] * 5, "SWI", np.random.default_rng(scan), lambda mni: True, shares=shares
        )
    ]
    assert len(drawn) == 60
    for region, share in shares.items():
        assert drawn.count(region) / 60 == pytest.approx(share, abs=0.08)
