"""A design of a study in, findings out: what is wrong with it before anything is computed."""
