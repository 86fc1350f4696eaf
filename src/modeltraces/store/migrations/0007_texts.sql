-- Which pieces of text occur near which runs, so that a rare word is not looked for in every text. Hours that are over are cut
-- into stretches of some hundred runs; of each there are the hashes of its pieces of words, parted by their upper bits into
-- segments, so that a word asks for few of them. See docs/decisions/0014.
CREATE TABLE IF NOT EXISTS text_grams
(
    account_id LowCardinality(String),
    segment UInt8,
    -- Hours since 1970.
    at Int32,
    stretch UInt16,
    generation UInt64,
    places Array(UInt16) CODEC(Delta(2), ZSTD(1))
)
ENGINE = {replacing_engine}(generation)
PARTITION BY intDiv(at, 672)
ORDER BY (account_id, segment, at, stretch)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

-- Where the stretches of an hour begin, and of which sums' version they are: with another, they do not count. None: the hour
-- is read. `made`: all rows of that generation are there.
CREATE TABLE IF NOT EXISTS text_hours
(
    account_id LowCardinality(String),
    at Int32,
    generation UInt64,
    version UInt64,
    made Bool,
    starts Array(Int64) CODEC(Delta, ZSTD(1)),
    -- Every character that a Request ID of the hour has.
    id_characters String
)
ENGINE = {replacing_engine}(generation)
ORDER BY (account_id, at)
SETTINGS index_granularity = 128, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
