"""The patients of the T-cell leukemia study, as published: relapse type, subtype, batch, and stem-like cells of all at both stages."""

from __future__ import annotations

import pandas as pd

TYPE_2 = ("P1", "P2", "P6", "P7", "P8", "P10", "P12", "P27")
TYPE_1 = ("P3", "P4", "P5", "P9", "P11")
NO_RELAPSE = ("P41", "P52", "P59", "P63", "P68")
SUBTYPES = {
    "TAL1": ("P2", "P6", "P8", "P10", "P11", "P12", "P41", "P52", "P59", "P63", "P68"),
    "NKX2": ("P1", "P5"),
    "HOXA": ("P3", "P27"),
    "TLX1": ("P4", "P7", "P9"),
}
OLD_BATCH = ("P2", "P6", "P8", "P10", "P12", *NO_RELAPSE)
STEM_LIKE = ("P1", "P2", "P3", "P6", "P7", "P8", "P10", "P12", "P41", "P59", "P63")


def tall_samples() -> pd.DataFrame:
    """31 samples: 13 patients at diagnosis and relapse, 5 at diagnosis only."""
    rows = [
        {
            "sample": f"{patient}_{stage}",
            "patient": patient,
            "stage": stage,
            "batch": "old" if patient in OLD_BATCH else "new",
            "subtype": next(name for name, patients in SUBTYPES.items() if patient in patients),
            "tal1": "TAL1" if patient in SUBTYPES["TAL1"] else "other",
            "relapse_type": "type-2" if patient in TYPE_2 else "type-1" if patient in TYPE_1 else None,
            "cells": 650,
        }
        for patient in (*TYPE_2, *TYPE_1, *NO_RELAPSE)
        for stage in (("diagnosis",) if patient in NO_RELAPSE else ("diagnosis", "relapse"))
    ]
    return pd.DataFrame(rows)
