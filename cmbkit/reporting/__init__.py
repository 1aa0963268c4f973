"""Tables, forms, pages and the gallery; knows no stage of the study."""
