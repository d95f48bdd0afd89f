"""What a plugin implements, and what plugins and core exchange: one file per kind."""
