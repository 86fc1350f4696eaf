"""Which model, deployment or connection a run belongs to, where the recording itself does not say or says it wrongly."""
