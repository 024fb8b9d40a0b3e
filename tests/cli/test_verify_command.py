from __future__ import annotations


def test_verify__finds_nothing_wrong(chemores, finished_store, capsys):
    assert chemores("verify", finished_store) == 0
    assert "as they were written" in capsys.readouterr().out


def test_verify__names_the_damaged_shard_and_its_samples(chemores, store, capsys):
    shard = max(
        (path for path in (store / "cells" / "X" / "data").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 3] ^= 255
    shard.write_bytes(bytes(damaged))
    assert chemores("verify", store) == 1
    captured = capsys.readouterr()
    assert "data" in captured.out
    assert "P01_diagnosis" in captured.out
    assert captured.err.startswith("Error: What is on disk must be as it was written. Damaged shards: 1.")


def test_verify__names_the_damaged_table(chemores, store, capsys):
    (store / "cells" / "obs" / "stage" / "codes" / "c" / "0").unlink()
    assert chemores("verify", store) == 1
    captured = capsys.readouterr()
    assert "stage/codes" in captured.out
    assert "Damaged files of tables: 1" in captured.err
