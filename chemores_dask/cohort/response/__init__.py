"""What a score of patients says about their response to therapy."""
