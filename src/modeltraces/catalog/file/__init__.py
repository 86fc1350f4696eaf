"""The catalog of an account as a TOML file: written out, read, compared with the account, and applied as a whole."""
