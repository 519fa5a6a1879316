"""All reference cases side by side: what this library gives, what independent programs and publications say."""

from RPTDosimetryLib.validation.cases import compare, validate
from RPTDosimetryLib.validation.page import validation_page, write_page
from RPTDosimetryLib.validation.row import ValidationRow, validation_text

__all__ = ["ValidationRow", "compare", "validate", "validation_page", "validation_text", "write_page"]
