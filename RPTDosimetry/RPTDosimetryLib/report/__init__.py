"""Tables, figures and the record of how they were made."""
