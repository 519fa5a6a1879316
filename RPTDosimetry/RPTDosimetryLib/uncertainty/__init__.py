"""How well a dose is known: the chain from volume to dose, each share."""
