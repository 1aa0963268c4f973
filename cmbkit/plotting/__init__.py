"""Figures on arrays and tables; knows no stage of the study."""
