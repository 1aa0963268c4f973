"""The numbers that the thesis and the literature print, and their audit."""
