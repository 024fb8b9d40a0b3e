"""Analyses of cells: functions of one AnnData that return a Dataset over cells, genes, samples or states."""
