"""What each chapter shows, in three to six sentences made from the tables of its notebook."""

from cmbkit.chapters.conclusions.of_cohort import (
    dataset_analysis_shows,
    preprocessing_shows,
    shape_location_features_shows,
)
from cmbkit.chapters.conclusions.of_networks import (
    evaluation_shows,
    literature_comparison_shows,
    subgroup_analysis_shows,
    training_shows,
)
