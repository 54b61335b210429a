"""Live objects of a namespace to a component directory: what is left out, what the server filled in, the files."""
