"""Finds the object that is meant, and the box around it."""
