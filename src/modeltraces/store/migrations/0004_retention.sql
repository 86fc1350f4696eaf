-- When the run's payload was removed by age, and whether a sweep has looked at the row: rows that come again, or are folded
-- again, begin as not looked at, so that nothing that they bring stays.
ALTER TABLE runs ADD COLUMN IF NOT EXISTS payload_removed_on DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1));
ALTER TABLE runs ADD COLUMN IF NOT EXISTS payload_swept Bool;
-- What is removed leaves the disk with its old part. Those are kept for eight minutes against a power cut that takes the new
-- one; here a new part is fsynced before it counts.
ALTER TABLE runs MODIFY SETTING old_parts_lifetime = 1;
ALTER TABLE span_contents MODIFY SETTING old_parts_lifetime = 1;
