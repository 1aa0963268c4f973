"""Readers that turn a dataset's files on disk into scans; the embedded synthetic cohort."""
