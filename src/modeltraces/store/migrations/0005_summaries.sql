-- Sums of runs by the hour, made again from the runs whenever an hour's change, so that a long period is not read run by
-- run. `grain` says what an hour is parted by: status alone, also the model, or all columns of the key; each run is in one
-- row of each. Read with FINAL: of the rows of one key that of the latest generation counts. See docs/decisions/0010.
CREATE TABLE IF NOT EXISTS summaries
(
    account_id LowCardinality(String),
    grain Enum8('account' = 0, 'model' = 1, 'source' = 2),
    model LowCardinality(String),
    -- Hours since 1970.
    at Int32,
    status Enum8('success' = 1, 'failed' = 2),
    deployment_version LowCardinality(String),
    connection_name LowCardinality(String),
    source_type LowCardinality(String),
    source LowCardinality(String),
    generation UInt64,
    requests UInt64,
    -- Of those that have a response time: how many, their sum, how many of which class, and themselves.
    timed UInt64,
    response_time_ms Float64,
    classes Array(Int16) CODEC(Delta, ZSTD(1)),
    counts Array(UInt32) CODEC(ZSTD(1)),
    times Array(Float64) CODEC(ZSTD(1)),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64)
)
ENGINE = {replacing_engine}(generation)
PARTITION BY intDiv(at, 672)
ORDER BY (account_id, grain, model, at, status, deployment_version, connection_name, source_type, source)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Whether an hour's sums count. Not `detailed`: its sources are not told apart in them. The row of no account is the
-- checkpoint: its version says up to when runs were received that the sums hold.
CREATE TABLE IF NOT EXISTS summary_hours
(
    account_id LowCardinality(String),
    at Int32,
    version UInt64,
    covered Bool,
    detailed Bool
)
ENGINE = {replacing_engine}(version)
ORDER BY (account_id, at)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
