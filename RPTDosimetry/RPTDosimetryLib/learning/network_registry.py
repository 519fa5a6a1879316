"""The door to all networks: what each reads, how it is built, and how it makes a dose [Gy] from the maps."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from RPTDosimetryLib.errors import LearningError
from RPTDosimetryLib.learning import networks as networks_room
from RPTDosimetryLib.learning.maps import Maps
from RPTDosimetryLib.learning.torch_here import require_torch


@dataclass(frozen=True)
class NetworkKind:
    """A network as it can be chosen by name.

    dims: 3, or 2 for axial slices given as (batch, channel, 1, y, x). needs: names of the maps it reads. divisor:
    every side of its input is a multiple of it (its planes for dims = 2). build: options → torch module. dose: (module,
    maps with a batch axis) → (batch, 1, z, y, x) [Gy]; differentiable. dose_and_electrons: also the part of the
    difference from MSV that comes from electrons, where the network tells it exactly. input_zyx: the only size it
    takes, if there is one. source: the paper, or "this project". loss: the loss it was published with. physics: what
    it stands on in place of MSV, in words.
    """

    name: str
    dims: int
    needs: tuple[str, ...]
    divisor: int
    build: Callable[..., Any]
    dose: Callable[[Any, Maps], Any]
    source: str
    loss: str = "weighted"
    input_zyx: tuple[int, int, int] | None = None
    dose_and_electrons: Callable[[Any, Maps], tuple[Any, Any]] | None = None
    physics: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options of build with their defaults."""
        return {name: parameter.default for name, parameter in inspect.signature(self.build).parameters.items()}

    def module(self, options: Mapping[str, Any]) -> Any:
        """A fresh torch module. Raises LearningError for an option that it does not have."""
        require_torch()
        for name in options:
            if name not in self.options:
                near = difflib.get_close_matches(name, self.options, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(self.options) or 'none'}."
                raise LearningError(f"Network {self.name} has no option {name!r}. {hint}")
        return self.build(**{name: tuple(v) if isinstance(v, list) else v for name, v in options.items()})

    def rounded_up(self, shape_zyx: tuple[int, int, int]) -> tuple[int, int, int]:
        """The smallest input that holds shape_zyx."""
        if self.input_zyx is not None:
            return self.input_zyx
        steps = (1, self.divisor, self.divisor) if self.dims == 2 else (self.divisor,) * 3
        z, y, x = (-(-n // step) * step for n, step in zip(shape_zyx, steps, strict=True))
        return z, y, x


_KINDS: dict[str, NetworkKind] = {}


def register_network(kind: NetworkKind) -> NetworkKind:
    """Make a network known by its name; a file of learning/networks that does so is found by itself."""
    _KINDS[kind.name] = kind
    return kind


def network_names() -> tuple[str, ...]:
    """All networks, in alphabetical order."""
    for module in pkgutil.iter_modules(networks_room.__path__):
        importlib.import_module(f"{networks_room.__name__}.{module.name}")
    return tuple(sorted(_KINDS))


def network_kind(name: str) -> NetworkKind:
    """The network of that name. Raises LearningError with the known names."""
    if name not in network_names():
        raise LearningError(f"There is no network {name!r}. Choose one of: {', '.join(network_names())}.")
    return _KINDS[name]


def parameter_count(module: Any) -> int:
    """Trainable numbers of a module."""
    return sum(int(p.numel()) for p in module.parameters() if p.requires_grad)
