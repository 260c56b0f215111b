"""The supply network: factory, depots and shops of a tree, each ordering from the one above it."""
