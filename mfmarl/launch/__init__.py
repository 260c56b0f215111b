"""Studies: a grid of runs, expanded to cells, done on this machine or on a Ray cluster."""
