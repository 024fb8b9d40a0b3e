"""Pipelines: plan, skip what is done, run, record."""
