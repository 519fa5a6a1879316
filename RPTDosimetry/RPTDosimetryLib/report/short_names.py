"""Names of methods and volumes as a figure has room for them."""

from __future__ import annotations

#: Longer names would leave no room for what they name; tables and JSON have them whole.
MOST_CHARACTERS = 28


def shortened(name: str) -> str:
    """The name, or its beginning and its end, which tells numbered names apart."""
    if len(name) <= MOST_CHARACTERS:
        return name
    return f"{name[: MOST_CHARACTERS - 9]}…{name[-8:]}"
