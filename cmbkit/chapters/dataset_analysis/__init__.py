"""Notebook 01: which scans there are, how they were acquired and split (chapters 2, 4, 7.1)."""

from cmbkit.chapters.dataset_analysis.figures import figure_2_1, figure_4_1, figure_a_8, figure_s1
from cmbkit.chapters.dataset_analysis.marginals import table_s14
from cmbkit.chapters.dataset_analysis.tables import (
    table_2_1,
    table_4_1,
    table_7_1,
    table_a_8,
    table_b_1,
)
