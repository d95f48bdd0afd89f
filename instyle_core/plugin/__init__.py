"""Which plugins are installed, and how one is made."""
