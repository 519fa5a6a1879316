"""Reading studies and image files."""
