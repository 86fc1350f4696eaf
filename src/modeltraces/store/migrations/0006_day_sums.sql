-- Sums of whole days beside those of their hours, made from them, so that a month is thirty rows a model and not 720. A day's
-- row is of its first hour. See docs/decisions/0010.
ALTER TABLE summaries MODIFY COLUMN grain
    Enum8('account' = 0, 'model' = 1, 'source' = 2, 'account_day' = 3, 'model_day' = 4, 'source_day' = 5);

-- When a day's sums were made. They hold while no hour of it has a later version.
CREATE TABLE IF NOT EXISTS summary_days
(
    account_id LowCardinality(String),
    -- The day's first hour, since 1970.
    at Int32,
    version UInt64
)
ENGINE = {replacing_engine}(version)
ORDER BY (account_id, at)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Over one part FINAL costs a third of what it does over five.
ALTER TABLE summaries MODIFY SETTING min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1;
ALTER TABLE summary_hours MODIFY SETTING min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1;
ALTER TABLE summary_days MODIFY SETTING min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1;
