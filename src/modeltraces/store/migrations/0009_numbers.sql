-- What filters and orders read of every run. Times are packed by nothing: LZ4 finds little in them, and what it makes of it
-- takes six times as long to read as they do as they are. Counts need few of their 64 bits, which T64 leaves out, a third
-- as long to read as LZ4. What is stored already is packed anew with the next merge.
ALTER TABLE runs MODIFY COLUMN response_time_ms Nullable(Float64) CODEC(NONE);
ALTER TABLE runs MODIFY COLUMN time_to_first_token_ms Nullable(Float64) CODEC(NONE);
ALTER TABLE runs MODIFY COLUMN input_tokens Nullable(UInt64) CODEC(T64);
ALTER TABLE runs MODIFY COLUMN output_tokens Nullable(UInt64) CODEC(T64);
