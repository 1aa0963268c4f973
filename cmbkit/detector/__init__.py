"""Network, training, inference: the only package that imports a deep-learning library."""
