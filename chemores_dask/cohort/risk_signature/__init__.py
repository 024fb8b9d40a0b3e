"""Risk signatures: genes whose weighted sum foretells survival, fitted, frozen, and held against new patients."""
