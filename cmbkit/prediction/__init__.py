"""From a scan, as a file or a DICOM series, to microbleeds, a page to look at and a DICOM SEG."""
