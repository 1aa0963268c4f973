"""Colours of the gallery's pages are far enough apart to be read (WCAG 2.2, levels AA)."""

import re
from importlib.resources import files

import pytest

STYLE = files("cmbkit.reporting").joinpath("templates/style.css").read_text(encoding="utf-8")
TEXT = [(text, ground) for text in ("text", "note", "link") for ground in ("page", "stripe")]
TEXT += [("missing", "page"), ("text", "mark"), ("text", "line")]
CONTROLS = [("focus", "page"), ("focus", "stripe"), ("rule", "page")]


def luminance(colour):
    """Relative luminance of "#rgb" or "#rrggbb" as WCAG defines it, 0 to 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def properties(scheme):
    """Custom properties in a scheme; the dark one replaces those of the light one."""
    light, dark = STYLE.split("@media (prefers-color-scheme:dark)")
    of_light, of_dark = (dict(re.findall(r"--(\w+):(#\w+)", part)) for part in (light, dark))
    return of_light | of_dark if scheme == "dark" else of_light


def test_contrast_is_that_of_the_standard():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)  # just not enough


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_controls_stand_out(scheme):
    colours = properties(scheme)
    assert set(colours) == set(properties("light"))
    found = {pair: contrast(*(colours[name] for name in pair)) for pair in TEXT + CONTROLS}
    low = {pair for pair, ratio in found.items() if ratio < (4.5 if pair in TEXT else 3)}
    assert not low, found


def test_the_gallery_has_no_other_colours_of_text():
    """Of its own pages: on code and pictures, whose ground stays white, dark text stands."""
    rules = re.findall(r"\.gallery[^{]*\{([^}]*)\}", STYLE.split("@media")[0])
    fixed = [value for rule in rules for value in re.findall(r"(?<!-)color:(#\w+)", rule)]
    assert fixed == ["#222"] and contrast("#222", "#f8f8f8") > 4.5
