"""Two folders of masks or points in, an evaluation out."""
