"""Embeddings of cells in; neighbors, clusters and maps out."""
