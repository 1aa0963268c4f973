"""One module per notebook, same stem: the numbers and figures that its cells show."""
