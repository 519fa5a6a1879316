"""Monte Carlo transport of electrons and photons; point kernels."""
