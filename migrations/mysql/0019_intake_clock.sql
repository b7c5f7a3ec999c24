-- The time of view windows, sessions and stored replies, as the distance from the last instant of the
-- intake, in microseconds. It measures how much time passes, and does not follow the system time.
ALTER TABLE intake_clock ADD COLUMN offset_micros BIGINT NOT NULL DEFAULT 0;
