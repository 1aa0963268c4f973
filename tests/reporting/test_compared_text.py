"""Sentences compared: words, numbers within a tolerance, published numbers exactly."""

import pytest

from cmbkit.reporting.compared_text import texts_agree
from cmbkit.reporting.tolerance import EXACT, NETWORK

STORED = "In DOU F1 is 0.56 [0.39, 0.72] (thesis 0.76), Table 8.1; 26 of 52 CMBs were found."


@pytest.mark.parametrize(
    ("old", "new", "agree"),
    [
        ("0.56", "0.60", True),
        ("26 of", "27 of", True),
        ("0.56", "0.65", False),
        ("26 of", "62 of", False),
        ("thesis 0.76", "thesis 0.77", False),
        ("Table 8.1", "Table 8.2", False),
        ("were found", "were missed", False),
        (" of 52", "", False),
    ],
)
def test_a_sentence_of_what_a_network_found(old, new, agree):
    assert texts_agree(STORED, STORED.replace(old, new), NETWORK) is agree
    assert texts_agree(STORED, STORED, EXACT)
    assert not texts_agree(STORED, STORED.replace(old, new), EXACT)


def test_the_thesis_s_numbers_in_other_words_are_exact():
    for told in ("the thesis prints an F1 of 0.76; 1 of 3", "0.63, 0.70; thesis 0.58 and 0.70"):
        assert texts_agree(told, told, NETWORK)
        changed = told.replace("0.76", "0.75").replace("and 0.70", "and 0.71")
        assert not texts_agree(told, changed, NETWORK)


def test_of_many_numbers_a_share_may_lie_beyond_and_none_far():
    """0.1 of 30 numbers: 3."""
    before = " ".join(["0.50"] * 30)
    for count, agree in ((3, True), (4, False)):
        assert texts_agree(before, before.replace("0.50", "0.70", count), NETWORK) is agree
    assert not texts_agree(before, before.replace("0.50", "0.90", 1), NETWORK)
    short = " ".join(["0.50"] * 29)
    assert not texts_agree(short, short.replace("0.50", "0.70", 1), NETWORK)
