"""One network a file, each found by its name through the registry."""
