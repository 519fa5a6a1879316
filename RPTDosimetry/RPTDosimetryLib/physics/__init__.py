"""Nuclides, materials, photon cross sections and electron stopping powers, each with its source."""
