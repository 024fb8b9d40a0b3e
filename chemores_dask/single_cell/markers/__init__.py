"""Which genes tell a group of cells from the others: exactly from genes across all cells, or from histograms of a stream of cells."""
