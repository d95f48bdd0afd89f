"""From a YAML file to a checked plan; nothing heavy is imported."""
