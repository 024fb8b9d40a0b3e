"""Rows of expression in (cells or patients), one score per row and gene set out; and what is cut from scores."""
