"""Tiles, engines and candidates: a standardised scan in, microbleeds out."""
