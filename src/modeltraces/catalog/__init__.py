"""Accounts, users, sessions, API keys and the catalog of models: what is small, relational and transactional."""
