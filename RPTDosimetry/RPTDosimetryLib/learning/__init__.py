"""Virtual cohorts, networks that lead MSV towards Monte Carlo, their training, and the hybrid engine (extra [dl])."""
