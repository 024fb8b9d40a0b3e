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
