"""Repaints one object: its objective over feature maps, its colors, its seam."""
