"""The same verbs for a terminal and for batches."""
