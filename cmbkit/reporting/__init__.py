"""Style, tables, figures, renders and the gallery; knows no stage of the study."""
