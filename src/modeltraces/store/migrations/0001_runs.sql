-- One row a run. The sort key is a function of what was sent (account, start, digest of the id), so a run that is sent
-- again replaces itself; the row folded from the most recordings (`version`) wins. Time comes before the model because
-- then only parts of the same hours overlap, and reading with FINAL costs next to nothing over the rest.
CREATE TABLE IF NOT EXISTS runs
(
    account_id LowCardinality(String),
    executed_on DateTime64(6, 'UTC') CODEC(Delta, LZ4),
    request_id String CODEC(ZSTD(1)),
    -- What FINAL reads of every row: 8 bytes in place of 36.
    request_key UInt64 MATERIALIZED cityHash64(request_id) CODEC(NONE),
    version UInt32,
    superseded_by String,
    received_on DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    model LowCardinality(String),
    base_model LowCardinality(String),
    provider LowCardinality(String),
    deployment_version LowCardinality(String),
    connection_name LowCardinality(String),
    operation LowCardinality(String),
    status Enum8('success' = 1, 'failed' = 2),
    response_time_ms Nullable(Float64),
    response_time_clamped Bool,
    time_to_first_token_ms Nullable(Float64),
    streaming Bool,
    source_type LowCardinality(String),
    source LowCardinality(String),
    input_preview String CODEC(ZSTD(1)),
    output_preview String CODEC(ZSTD(1)),
    input String CODEC(ZSTD(3)),
    output String CODEC(ZSTD(3)),
    input_size UInt64,
    output_size UInt64,
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    cached_input_tokens Nullable(UInt64),
    cache_write_input_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    finish_reasons Array(LowCardinality(String)),
    error_type LowCardinality(String),
    error_message String CODEC(ZSTD(1)),
    error_code LowCardinality(String),
    request String CODEC(ZSTD(3)),
    response String CODEC(ZSTD(3)),
    payload_cut Bool,
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    response_id String CODEC(ZSTD(1)),
    session_id String CODEC(ZSTD(1)),
    user_id String CODEC(ZSTD(1)),
    instrumentation LowCardinality(String),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    borrowed Array(LowCardinality(String)),
    INDEX by_request_id request_id TYPE bloom_filter(0.0001) GRANULARITY 1,
    INDEX by_trace_id trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_received_on received_on TYPE minmax GRANULARITY 1
)
ENGINE = {replacing_engine}(version)
PARTITION BY toMonday(executed_on)
ORDER BY (account_id, executed_on, request_key)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    -- A week that gets no more runs becomes one part, over which FINAL costs nothing.
    min_age_to_force_merge_seconds = 600, min_age_to_force_merge_on_partition_only = 1;

-- Content that emitters send apart from the span, as log records, before or after it. Kept until the span can have come.
CREATE TABLE IF NOT EXISTS span_contents
(
    account_id LowCardinality(String),
    trace_id String,
    span_id String,
    part_id String,
    at DateTime64(6, 'UTC'),
    name LowCardinality(String),
    body String CODEC(ZSTD(3)),
    received_on DateTime64(6, 'UTC')
)
ENGINE = {replacing_engine}(received_on)
ORDER BY (account_id, trace_id, span_id, part_id)
TTL toDateTime(received_on) + INTERVAL 30 DAY
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- What was refused, and why: the page's Rejected view.
CREATE TABLE IF NOT EXISTS rejections
(
    account_id LowCardinality(String),
    rejected_on DateTime64(6, 'UTC'),
    signal LowCardinality(String),
    reason String,
    subject String,
    key_name LowCardinality(String)
)
ENGINE = {engine}
ORDER BY (account_id, rejected_on)
TTL toDateTime(rejected_on) + INTERVAL 30 DAY;
