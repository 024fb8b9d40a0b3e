"""Survival of patients: curves, tests, Cox regression, competing risks, cut-offs, pooled estimates."""
