"""Notebook 06: where detection fails, by scan, place and shape (chapters 8.1 and 8.2)."""

from cmbkit.chapters.subgroup_analysis.figures import (
    examples,
    figure_8_1,
    figure_8_2,
    figure_8_3,
    figure_s62,
    found_and_missed,
    places_in_mni,
)
from cmbkit.chapters.subgroup_analysis.odds import odds_in_words, table_s49
from cmbkit.chapters.subgroup_analysis.phase import table_s37b
from cmbkit.chapters.subgroup_analysis.ratings import table_s36, table_s37
from cmbkit.chapters.subgroup_analysis.slice_experiment import table_peak_loss
from cmbkit.chapters.subgroup_analysis.supplement import (
    experiment_caption,
    table_s11,
    table_s31,
    table_s32,
    thickness_in_words,
)
from cmbkit.chapters.subgroup_analysis.tables import table_8_1, table_8_2, table_8_3
from cmbkit.chapters.subgroup_analysis.true_sizes import leak_in_words, table_8_3b
from cmbkit.plotting.curves import peak_loss_curves as figure_peak_loss
from cmbkit.plotting.forest import odds_forest as figure_s69
from cmbkit.plotting.forest import subgroup_forest as figure_s57
from cmbkit.plotting.glass_brain import microbleeds_by_match as figure_s38
