"""From a raw scan and its annotation to the standard grid."""
