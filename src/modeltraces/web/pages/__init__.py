"""The pages' routes, one module a page."""
