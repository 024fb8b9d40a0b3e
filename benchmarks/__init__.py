"""Measurements of the engine. Everything that is timed is computed."""
