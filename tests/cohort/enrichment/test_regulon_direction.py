"""Targets of a factor among genes that go up and down: against Fisher's exact test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact

from chemores_dask.cohort.enrichment.regulon_direction import regulon_direction
from chemores_dask.errors import GeneMismatchError, InputError
from chemores_dask.gene_sets import GeneSets
from tests.cohort.enrichment.gene_tables import names_of, table_of

NAMES = names_of(60)


def changed(up=20, down=15):
    number = np.arange(60)
    return table_of(np.zeros(60), selection_up=number < up, selection_down=(number >= up) & (number < up + down))


def test_regulon_direction__adds_one_to_every_cell_of_fishers_table():
    # 8 of 20 genes that go up and 1 of 15 that go down are targets; 5 targets do not change.
    regulons = GeneSets.from_mapping({"LMO2": [*NAMES[:8], NAMES[20], *NAMES[50:55]], "MYB": NAMES[20:30]})
    result = regulon_direction(changed(), regulons)
    tables = [[[9, 13], [2, 15]], [[1, 21], [11, 6]]]
    for number, table in enumerate(tables):
        assert float(result["regulon_p_value"][number]) == pytest.approx(fisher_exact(table)[1], rel=1e-12)
        ratio = table[0][0] * table[1][1] / (table[0][1] * table[1][0])
        assert float(result["regulon_log_odds_ratio"][number]) == pytest.approx(np.log2(ratio), rel=1e-12)
    assert result["regulon_up_targets"].values.tolist() == [8, 0]
    assert result["regulon_down_targets"].values.tolist() == [1, 10]
    assert result["regulon_listed_genes"].values.tolist() == [14, 10]
    assert int(result["regulon_up_genes"]) == 20
    assert int(result["regulon_down_genes"]) == 15
    q_value = false_discovery_control(result["regulon_p_value"].values)
    np.testing.assert_allclose(result["regulon_q_value"].values, q_value)


def test_regulon_direction__tests_a_factor_of_all_changed_genes():
    result = regulon_direction(changed(), GeneSets.from_mapping({"all": NAMES}))
    assert result["regulon_status"].values.tolist() == [0]
    assert float(result["regulon_log_odds_ratio"][0]) == pytest.approx(np.log2(21 / 16))


def test_regulon_direction__leaves_out_factors_without_changed_targets():
    result = regulon_direction(changed(), GeneSets.from_mapping({"silent": NAMES[50:], "known": NAMES[:3]}))
    assert result["regulon_status"].values.tolist() == [1, 0]
    assert np.isnan(result["regulon_p_value"].values[0])
    assert float(result["regulon_q_value"][1]) == float(result["regulon_p_value"][1])


def test_regulon_direction__works_where_all_genes_go_up():
    result = regulon_direction(changed(down=0), GeneSets.from_mapping({"known": NAMES[:3]}))
    assert float(result["regulon_log_odds_ratio"][0]) == pytest.approx(np.log2(4 * 1 / (18 * 1)))


def test_regulon_direction__refuses_what_has_no_direction():
    with pytest.raises(InputError, match="0 of 60 change"):
        regulon_direction(changed(0, 0), GeneSets.from_mapping({"known": NAMES[:3]}))
    both = changed().assign(selection_down=changed()["selection_up"])
    with pytest.raises(InputError, match="in both directions: G0000"):
        regulon_direction(both, GeneSets.from_mapping({"known": NAMES[:3]}))
    with pytest.raises(GeneMismatchError, match="At least one set"):
        regulon_direction(changed(), GeneSets.from_mapping({"known": NAMES[50:]}))
