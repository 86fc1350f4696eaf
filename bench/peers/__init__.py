"""The same work done by other systems that record model calls, each in an environment of its own."""
