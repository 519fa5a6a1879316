"""One kinetic model a file; the file's name is the model's name and its MODEL is what the registry hands out."""
