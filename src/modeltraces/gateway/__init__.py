"""Calling models through the catalog's connections and deployments."""
