"""The questions asked of runs, and the one filter language they are asked in."""
