"""The journey map."""
