-- Imports of plays. A row of an import can be found by the import's id, so that it can be undone.
-- Rows of plays over HTTP, and those written before this version, have no import.

CREATE TABLE play_import (
    id BIGINT NOT NULL PRIMARY KEY,
    -- The names of the files.
    name VARCHAR(200) NOT NULL,
    status VARCHAR(10) NOT NULL,
    -- The rules that the import used.
    ads BIGINT NOT NULL,
    ad_interval_s BIGINT NOT NULL,
    view_window_s BIGINT NOT NULL,
    -- The days of the first and the last play in the files. The last one is known at the end.
    first_date DATE,
    last_date DATE,
    play_count BIGINT NOT NULL,
    ad_view_count BIGINT NOT NULL,
    started_at DATETIME(6) NOT NULL,
    ended_at DATETIME(6)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX play_import_status_ix ON play_import (status, first_date);

INSERT INTO next_id (name, id) VALUES ('play_import', 1);

ALTER TABLE play_history ADD COLUMN import_id BIGINT;
-- The import alone that showed the ad. A play over HTTP that shows it too clears the column.
ALTER TABLE ad_history ADD COLUMN import_id BIGINT;
ALTER TABLE ad ADD COLUMN import_id BIGINT;
ALTER TABLE users ADD COLUMN import_id BIGINT;
ALTER TABLE video ADD COLUMN import_id BIGINT;
