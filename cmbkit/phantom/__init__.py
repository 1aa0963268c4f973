"""The embedded synthetic cohort: the seven datasets in miniature, in their raw layouts."""
