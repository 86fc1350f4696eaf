"""Demo data and live traffic."""
