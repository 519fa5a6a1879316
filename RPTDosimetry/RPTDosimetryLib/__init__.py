"""Voxel dosimetry for radiopharmaceutical therapy: the library behind the RPT Dosimetry module of 3D Slicer.

Research software: not a medical device, not for clinical decisions. The library imports without Slicer; only
``bridge`` knows it. Arrays are (z, y, x) beside a ``Grid``; quantities are SI, time is seconds since administration.
"""

__version__ = "0.1.0"
