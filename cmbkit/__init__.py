"""cmbkit: cerebral microbleeds on T2*-weighted and SWI MRI.

Readers, label refinement, a standard grid, a detector, an evaluation and the
notebooks that regenerate a thesis from them. For research only.
"""

__version__ = "0.1.0"
