"""modeltraces records every call made to a model and shows them run by run."""

__version__ = "0.1.0"
