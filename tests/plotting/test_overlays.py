"""The brain mask and the regions on a scan."""

import numpy as np
import pytest

from cmbkit.plotting import overlays
from cmbkit.volume import Volume


@pytest.fixture
def scan():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -40, -50, -30
    image = Volume(np.random.default_rng(0).normal(100, 10, (40, 50, 30)).astype("f4"), affine)
    brain = np.zeros(image.shape, np.uint8)
    brain[10:30, 10:40, 8:22] = 1
    labels = brain.astype(np.uint16) * 2
    labels[20:, :, :] *= 41 // 2
    labels[brain > 0] = np.where(labels[brain > 0] > 2, 41, 2)
    labels[18:22, 20:24, 14:16] = 16
    return image, image.with_data(brain), image.with_data(labels)


def test_outline_and_regions_lie_on_the_brain_in_mm(scan, readable, words):
    figure = readable(overlays.brain_mask_and_parcellation({"DOU-1": scan}))
    contours = [axes for axes in figure.axes if axes.collections]
    assert len(contours) == 3
    corners = np.concatenate([p.vertices for p in contours[2].collections[0].get_paths()])
    # voxels 10..29 and 10..39 of 2 mm: -20..18 by -30..28 mm, to half a voxel
    np.testing.assert_allclose(corners.min(axis=0), [-21, -31], atol=1)
    np.testing.assert_allclose(corners.max(axis=0), [19, 29], atol=1)
    said = words(figure)
    assert said.count("Cerebral White Matter") == 1 and "Brainstem" in said  # sides are one


def test_regions_without_sides_are_numbered_together(scan):
    names = overlays._names([0, 2, 16, 41])
    assert names == {2: "Cerebral White Matter", 16: "Brainstem", 41: "Cerebral White Matter"}
    number = overlays._numbered(scan[2].data, names)
    assert set(number[np.isin(scan[2].data, (2, 41))]) == {1}
    assert (number[scan[2].data == 0] == 0).all()


def test_other_grid_and_empty_mask_are_errors(scan):
    image, brain, labels = scan
    with pytest.raises(ValueError, match="expected shape"):
        overlays.brain_mask_and_parcellation(
            {"a": (image, Volume(brain.data[1:], brain.affine), labels)}
        )
    with pytest.raises(ValueError, match="found none"):
        overlays.brain_mask_and_parcellation(
            {"a": (image, brain.with_data(0 * brain.data), labels)}
        )


def test_interactive_view_is_a_page_of_its_own(scan, tmp_path):
    view = overlays.interactive_view(scan[0], scan[1])
    assert view.html == overlays.interactive_view(scan[0], scan[1]).html
    view.save_as_html(tmp_path / "scan.html")
    page = (tmp_path / "scan.html").read_text()
    assert "brainsprite" in page and "http://" not in page.split("</script>")[-1]
