"""Notebook 05: how well microbleeds are found, outlined and counted (chapters 6.7 and 7.3)."""

from cmbkit.chapters.evaluation.calibration import figure_s65, table_s43, table_s44
from cmbkit.chapters.evaluation.figures import (
    figure_7_4,
    figure_7_5,
    figure_s56,
    figure_s64,
    figure_s66,
    largest_difference,
    real_scan_view,
)
from cmbkit.chapters.evaluation.rules import table_s42, table_s42b
from cmbkit.chapters.evaluation.supplement import (
    table_s9,
    table_s10,
    table_s30,
    table_s33,
    table_s34,
    table_s40,
    table_s41,
    table_s45,
)
from cmbkit.chapters.evaluation.tables import table_7_2, table_7_3, table_7_4, table_7_5
from cmbkit.chapters.evaluation.views import view_s70
