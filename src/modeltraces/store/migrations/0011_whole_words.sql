-- Each word of a block says how many words the block has, so that missing ones are seen.
ALTER TABLE text_words ADD COLUMN IF NOT EXISTS words UInt32;
-- Whether start and first bits of the key tell the runs of a block apart: both in one number are looked up more quickly.
ALTER TABLE text_runs ADD COLUMN IF NOT EXISTS apart Bool;
-- That stands among the words.
ALTER TABLE text_runs DROP COLUMN IF EXISTS with_long;
ALTER TABLE text_runs DROP COLUMN IF EXISTS with_long_wide;
-- How what is known was made: what was made otherwise is made again.
ALTER TABLE text_hours ADD COLUMN IF NOT EXISTS form UInt8;
ALTER TABLE text_hours DROP COLUMN IF EXISTS made_with_words;
