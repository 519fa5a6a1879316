"""Choices of the hybrid engine (learning/hybrid_engine.py), kept where all engines' settings are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class HybridSettings:
    """Which network corrects MSV, and what happens to a patient unlike those it was trained on.

    model: a shipped model's name, or the folder of another one. when_outside: msv gives the plain MSV-8 dose with the
    reason, use corrects all the same, and says so. attribution: maps of what drove the correction.
    """

    model: str = "default"
    device: str = "cpu"
    when_outside: Literal["msv", "use"] = "msv"
    attribution: bool = True
