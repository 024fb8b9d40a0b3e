"""Genes whose expression differs between samples, with patients as the replicates."""
