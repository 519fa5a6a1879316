"""A patient who exists only as parameters: anatomy, kinetics and images whose truth is known exactly."""
