"""Repaints one object."""
