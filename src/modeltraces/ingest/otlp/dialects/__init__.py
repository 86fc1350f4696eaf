"""What the dialects of OpenTelemetry call the same thing, and how each shapes it."""
