"""Training patches: where they are drawn and what is done to them."""
