-- Which operator did what. The ids sort by time; no user: the program's own command line.
CREATE TABLE audit (
    id BINARY(16) NOT NULL PRIMARY KEY,
    occurred_at DATETIME(6) NOT NULL,
    user_id BIGINT,
    action VARCHAR(16) NOT NULL,
    subject VARCHAR(200) NOT NULL,
    request_id VARCHAR(128)
) WITHOUT ROWID;
