-- Sums of the minutes of the hour that is not over, so that it is not read run by run where it has many runs. See
-- docs/decisions/0021. The columns are those of `summaries` and `summary_hours`; `at` are minutes since 1970.
CREATE TABLE IF NOT EXISTS minute_sums
(
    account_id LowCardinality(String),
    grain Enum8('account' = 0, 'model' = 1, 'source' = 2),
    model LowCardinality(String),
    at Int32,
    status Enum8('success' = 1, 'failed' = 2),
    deployment_version LowCardinality(String),
    connection_name LowCardinality(String),
    source_type LowCardinality(String),
    source LowCardinality(String),
    generation UInt64,
    requests UInt64,
    timed UInt64,
    response_time_ms Float64,
    classes Array(Int16) CODEC(Delta, ZSTD(1)),
    counts Array(UInt32) CODEC(ZSTD(1)),
    times Array(Float64) CODEC(ZSTD(1)),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64)
)
ENGINE = {replacing_engine}(generation)
PARTITION BY intDiv(at, 1440)
ORDER BY (account_id, grain, model, at, status, deployment_version, connection_name, source_type, source)
TTL toDateTime(toInt64(at) * 60) + INTERVAL 1 DAY
SETTINGS index_granularity = 512, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS minute_marks
(
    account_id LowCardinality(String),
    at Int32,
    version UInt64,
    covered Bool,
    detailed Bool
)
ENGINE = {replacing_engine}(version)
PARTITION BY intDiv(at, 1440)
ORDER BY (account_id, at)
TTL toDateTime(toInt64(at) * 60) + INTERVAL 1 DAY
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
