"""A(t) = a_1·e^(−λ_1 t) + a_2·e^(−λ_2 t) − (a_1 + a_2)·e^(−μt), μ > λ_2 > λ_1 ≥ λ_phys: two clearance phases after
uptake from A(0) = 0.
"""

from RPTDosimetryLib.tia.exponential_family import ExponentialFamily
from RPTDosimetryLib.tia.exponential_model import ExponentialModel

MODEL = ExponentialModel(
    "biexponential_uptake",
    ExponentialFamily(3, uptake=True),
    ("a1_bq", "a2_bq"),
    ("lambda1_eff_per_s", "lambda2_eff_per_s", "mu_per_s"),
)
