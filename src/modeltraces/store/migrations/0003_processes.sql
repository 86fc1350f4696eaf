-- Which process wrote a row. `received_on` rises from one commit of a process to the next, and says nothing beside the
-- clock and the speed of another: what is new is asked for process by process.
ALTER TABLE runs ADD COLUMN IF NOT EXISTS writer LowCardinality(String);
ALTER TABLE span_contents ADD COLUMN IF NOT EXISTS writer LowCardinality(String);

-- Rows of this table replace nothing: an insert that is tried again after a break is known by its token.
ALTER TABLE rejections MODIFY SETTING non_replicated_deduplication_window = 1000;

-- Written to by the health check of a process, to see whether the server takes anything.
CREATE TABLE IF NOT EXISTS readiness
(
    process String,
    at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = {replacing_engine}(at)
ORDER BY process
TTL toDateTime(at) + INTERVAL 1 DAY;
