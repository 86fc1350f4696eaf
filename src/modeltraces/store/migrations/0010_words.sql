-- Which runs have which words, so that a common word is counted without reading texts. Runs of an hour that is over are
-- numbered, in blocks; of each word there are the numbers of the runs that have it. See docs/decisions/0019.
CREATE TABLE IF NOT EXISTS text_words
(
    account_id LowCardinality(String),
    -- Hours since 1970.
    at Int32,
    block UInt16,
    generation UInt64,
    -- '' and ' ' stand for words that are too long to be listed, of ASCII alone and with other characters.
    word String CODEC(ZSTD(1)),
    of_input Array(UInt16) CODEC(Delta(2), ZSTD(1)),
    of_output Array(UInt16) CODEC(Delta(2), ZSTD(1))
)
ENGINE = {replacing_engine}(generation)
PARTITION BY intDiv(at, 672)
ORDER BY (account_id, at, block, word)
-- A search looks through all words, and reads the numbers of a few: of those beside them as few as can be.
SETTINGS index_granularity = 128, min_compress_block_size = 4096, max_compress_block_size = 16384, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

-- The runs of a block, in the order of their numbers.
CREATE TABLE IF NOT EXISTS text_runs
(
    account_id LowCardinality(String),
    at Int32,
    block UInt16,
    generation UInt64,
    times Array(Int64) CODEC(Delta(8), ZSTD(1)),
    keys Array(UInt64) CODEC(NONE),
    -- Which of them have words that are too long to be listed: of ASCII alone, and with other characters.
    with_long Array(UInt16) CODEC(Delta(2), ZSTD(1)),
    with_long_wide Array(UInt16) CODEC(Delta(2), ZSTD(1))
)
ENGINE = {replacing_engine}(generation)
PARTITION BY intDiv(at, 672)
ORDER BY (account_id, at, block)
SETTINGS index_granularity = 8, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 1;

-- How many blocks an hour has: 0 where it has none, and its texts are read. `made_with_words`: what was made before there were any is
-- made again.
ALTER TABLE text_hours ADD COLUMN IF NOT EXISTS blocks UInt16;
ALTER TABLE text_hours ADD COLUMN IF NOT EXISTS made_with_words Bool;
