"""From the files of a laboratory to the cells and patients of a store."""
