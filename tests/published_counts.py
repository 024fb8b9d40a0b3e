"""Stem-like cells and all cells of a sample, at diagnosis and at relapse, of the eight patients of the published paired test.

Costea et al. 2025, doi 10.1101/2024.06.24.600391, figure 1.
"""

from __future__ import annotations

EXPANSION = {
    "P6": (0, 586, 66, 618),
    "P8": (3, 646, 185, 630),
    "P10": (5, 626, 164, 704),
    "P1": (9, 416, 184, 626),
    "P3": (4, 702, 196, 653),
    "P2": (9, 653, 153, 578),
    "P12": (0, 650, 282, 648),
    "P7": (12, 700, 198, 669),
}

RELAPSE_TYPE = {
    **dict.fromkeys(("P1", "P2", "P6", "P7", "P8", "P10", "P12", "P27"), "type-2"),
    **dict.fromkeys(("P3", "P4", "P5", "P9", "P11"), "type-1"),
}
"""Whether a relapse derives from the major clone (type 1) or from a minor or ancestral one (type 2)."""

POSITIVE = frozenset({"P1", "P2", "P3", "P6", "P7", "P8", "P10", "P12", "P41", "P59", "P63"})
"""Patients with 5 % stem-like cells or more."""

SUBTYPE = {
    **dict.fromkeys(("P2", "P6", "P8", "P10", "P11", "P12", "P41", "P52", "P59", "P63", "P68"), "TAL1"),
    **dict.fromkeys(("P1", "P5"), "NKX2"),
    **dict.fromkeys(("P3", "P27"), "HOXA"),
    **dict.fromkeys(("P4", "P7", "P9"), "TLX1"),
}
"""Genetic subtype of all 18 patients."""

PERCENTAGES = {
    "diagnosis": (0, 0.46, 0.80, 2.16, 0.57, 1.38, 0, 1.71),
    "relapse": (10.68, 29.37, 23.3, 29.39, 30.02, 26.47, 43.52, 29.6),
}
"""Stem-like cells in percent, rounded as published, of the patients of ``EXPANSION``."""
