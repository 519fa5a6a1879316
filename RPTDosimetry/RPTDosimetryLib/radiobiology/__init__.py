"""What absorbed dose means: biologically effective dose, earlier cycles, limits, and protection of others."""
