"""The port to a cluster and its adapter: the only package that imports `kubernetes`."""
