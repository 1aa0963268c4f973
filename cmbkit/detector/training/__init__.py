"""A training phase: steps, validation, checkpoints."""
