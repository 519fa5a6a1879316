"""The sections of a report: one function each, from a run's record to blocks."""
