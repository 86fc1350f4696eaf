"""What an answer amounts to: its payload, usage and outcome, read while it passes."""
