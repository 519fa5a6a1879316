"""All reference cases side by side: what this library gives, what independent programs and publications say."""

from RPTDosimetryLib.validation.cases import validate
from RPTDosimetryLib.validation.row import ValidationRow, validation_text

__all__ = ["ValidationRow", "validate", "validation_text"]
