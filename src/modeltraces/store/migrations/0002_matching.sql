-- What rules match a run by, what they made of it, and what it said itself, so that a changed rule can be applied again.
ALTER TABLE runs ADD COLUMN IF NOT EXISTS server_address LowCardinality(String);
ALTER TABLE runs ADD COLUMN IF NOT EXISTS key_name LowCardinality(String);
ALTER TABLE runs ADD COLUMN IF NOT EXISTS matched_by LowCardinality(String);
ALTER TABLE runs ADD COLUMN IF NOT EXISTS recorded_model LowCardinality(String);
ALTER TABLE runs ADD COLUMN IF NOT EXISTS recorded_deployment_version LowCardinality(String);
ALTER TABLE runs ADD COLUMN IF NOT EXISTS recorded_connection_name LowCardinality(String);
