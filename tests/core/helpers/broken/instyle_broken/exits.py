"""A module that does not let itself be imported."""

print("it talks")
raise SystemExit(0)
