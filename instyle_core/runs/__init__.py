"""What a run leaves behind, and going on from it."""
