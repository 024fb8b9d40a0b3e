"""Which sets of genes a difference between patients rests on."""
