"""What shares of the cells of patients are in which state, and how these shares change: tables of samples by states in."""
