"""Brain mask, parcellation, atlas and rating scales."""
