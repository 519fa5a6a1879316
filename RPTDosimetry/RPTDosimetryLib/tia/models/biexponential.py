"""A(t) = a_1·e^(−λ_1 t) + a_2·e^(−λ_2 t), λ_2 > λ_1 ≥ λ_phys, a_1 ≥ 0, a_1 + a_2 ≥ 0: the faster phase clears or
takes up.
"""

from RPTDosimetryLib.tia.exponential_family import ExponentialFamily
from RPTDosimetryLib.tia.exponential_model import ExponentialModel

MODEL = ExponentialModel(
    "biexponential",
    ExponentialFamily(2, uptake=False),
    ("a1_bq", "a2_bq"),
    ("lambda1_eff_per_s", "lambda2_eff_per_s"),
)
