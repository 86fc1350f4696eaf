-- Sums of minutes serve their hour also after it is over, for two days: it is summed up from them, they are read where it is
-- not covered, and where a time begins or ends within it. See docs/decisions/0021. They are kept a day longer than they count:
-- sums, and what says that they hold, go each at its own time.
ALTER TABLE minute_sums MODIFY TTL toDateTime(toInt64(at) * 60) + INTERVAL 3 DAY;
ALTER TABLE minute_marks MODIFY TTL toDateTime(toInt64(at) * 60) + INTERVAL 3 DAY;

-- When an hour's runs were last changed without being received. Sums of its minutes that were made before do not hold.
CREATE TABLE IF NOT EXISTS changed_hours
(
    account_id LowCardinality(String),
    at Int32,
    version UInt64
)
ENGINE = {replacing_engine}(version)
PARTITION BY intDiv(at, 24)
ORDER BY (account_id, at)
TTL toDateTime(toInt64(at) * 3600) + INTERVAL 4 DAY
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
-- Minutes of before were told by these.
INSERT INTO changed_hours SELECT account_id, at, version FROM summary_hours
    WHERE account_id != '' AND at >= toInt32(intDiv(toUnixTimestamp(now()), 3600) - 48);
