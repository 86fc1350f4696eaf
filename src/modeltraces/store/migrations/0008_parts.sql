-- What commits write, and what becomes of it in the first merges, stands in one file instead of one a column: a commit made
-- and fsynced a hundred and twenty of them, and the merges after it as many again. What is over 128 MB
-- unpacked, some forty thousand runs, has a file a column, as ever.
ALTER TABLE runs MODIFY SETTING min_bytes_for_wide_part = 134217728;
-- Packing harder took a fifth of a commit and a quarter of each merge, for two hundredths of the disk.
ALTER TABLE runs MODIFY COLUMN input String CODEC(ZSTD(1));
ALTER TABLE runs MODIFY COLUMN output String CODEC(ZSTD(1));
ALTER TABLE runs MODIFY COLUMN request String CODEC(ZSTD(1));
ALTER TABLE runs MODIFY COLUMN response String CODEC(ZSTD(1));
