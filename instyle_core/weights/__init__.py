"""Weight files: shipped, cached, downloaded, verified, converted."""
