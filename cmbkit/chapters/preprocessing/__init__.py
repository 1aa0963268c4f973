"""Notebook 02: from raw scans and raters' marks to the standard grid (chapter 5)."""

from cmbkit.chapters.preprocessing.figures import figure_5_1, figure_s51, figure_s53, figure_s55
from cmbkit.chapters.preprocessing.refinement import (
    figure_s52,
    refinement_in_words,
    table_s2b,
    table_s2c,
)
from cmbkit.chapters.preprocessing.tables import (
    table_5_1,
    table_s2,
    table_s3,
    table_s4,
    table_s4b,
    table_s5,
)
from cmbkit.plotting.surfaces import renderer_name
