"""OpenTelemetry in: OTLP messages → runs and content parts."""
