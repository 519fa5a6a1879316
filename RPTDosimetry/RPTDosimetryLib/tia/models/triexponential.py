"""A(t) = Σ a_i·e^(−λ_i t), i = 1, 2, 3, λ_3 > λ_2 > λ_1 ≥ λ_phys, a_1, a_1 + a_2, a_1 + a_2 + a_3 ≥ 0."""

from RPTDosimetryLib.tia.exponential_family import ExponentialFamily
from RPTDosimetryLib.tia.exponential_model import ExponentialModel

MODEL = ExponentialModel(
    "triexponential",
    ExponentialFamily(3, uptake=False),
    ("a1_bq", "a2_bq", "a3_bq"),
    ("lambda1_eff_per_s", "lambda2_eff_per_s", "lambda3_eff_per_s"),
)
