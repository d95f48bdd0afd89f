"""Finds the objects that a spec selects, and the boxes around them."""
