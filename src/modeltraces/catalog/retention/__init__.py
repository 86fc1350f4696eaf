"""How long runs and their payloads are kept, by account and model, and the daily sweep that removes the rest."""
