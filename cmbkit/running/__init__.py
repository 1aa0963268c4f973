"""Mapping over scans, in processes or on a cluster; results kept on disk; progress."""
