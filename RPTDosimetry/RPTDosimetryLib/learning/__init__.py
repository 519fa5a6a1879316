"""Networks that learn from Monte Carlo: virtual patients, data sets, training, judgement, and the hybrid engine."""
