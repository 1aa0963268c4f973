"""Notebook 03: how big, how round and where annotated microbleeds are (chapter 4.9)."""

from cmbkit.chapters.shape_location_features.tables import (
    busiest_scan,
    table_4_2,
    table_s6,
    table_s20,
    table_s21,
    table_s22,
    table_s23,
    table_s26,
    table_s27,
)
from cmbkit.chapters.shape_location_features.values import (
    data_4_3,
    data_s59,
    data_s60,
    data_s61,
    perfect_balls,
    thickness_trends,
    with_slice_thickness,
)
from cmbkit.features.trends import correlations as data_s58
from cmbkit.plotting.associations import correlation_matrix as figure_s58
from cmbkit.plotting.associations import discretisation_floor as figure_s60
from cmbkit.plotting.associations import thickness_effect as figure_s59
from cmbkit.plotting.bars import location_bars as figure_4_4
from cmbkit.plotting.bars import location_counts as data_4_4
from cmbkit.plotting.distributions import radius_and_counts as figure_4_2
from cmbkit.plotting.distributions import radius_and_counts_data as data_4_2
from cmbkit.plotting.distributions import shape_violins as figure_4_3
from cmbkit.plotting.glass_brain import microbleeds_by_dataset as figure_s61
