from __future__ import annotations

from chemores_dask import open_cells, read_genes


def test_by_gene__writes_the_copy_once(chemores, store, capsys):
    assert chemores("info", store) == 0
    assert "copy of the counts by gene: none" in capsys.readouterr().out
    assert chemores("by-gene", store) == 0
    assert "The copy of the counts by gene was written" in capsys.readouterr().out
    assert chemores("by-gene", store, "--memory", "1GB", "--wait") == 0
    assert "was there already" in capsys.readouterr().out
    assert chemores("info", store) == 0
    assert "copy of the counts by gene: complete" in capsys.readouterr().out
    cells = open_cells(store)
    expected = cells.X[:, [5]].compute().toarray()
    assert (read_genes(store, cells.var_names[5]).X.toarray() == expected).all()


def test_by_gene__refuses_a_place_without_a_store(chemores, tmp_path, capsys):
    assert chemores("by-gene", tmp_path / "nothing.zarr") == 1
    assert "There must be a store" in capsys.readouterr().err
    assert not (tmp_path / "nothing.zarr").exists()


def test_verify__covers_the_copy_by_gene(chemores, store, capsys):
    assert chemores("by-gene", store) == 0
    assert chemores("verify", store) == 0
    file = store / "cells_by_gene" / "indices" / "c" / "0"
    whole = file.read_bytes()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 1
    for content in (bytes(damaged), whole[:-5], b""):
        file.write_bytes(content)
        capsys.readouterr()
        assert chemores("verify", store) == 1
        captured = capsys.readouterr()
        assert "P01_diagnosis" in captured.out
        assert "Damaged files of the copy by gene: 1" in captured.err
        assert "chemores by-gene" in captured.err
