"""Matching, metrics, statistics and subgroups; knows no network."""
