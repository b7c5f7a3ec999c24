-- What the job tables of Spring Batch have no column for.

-- The row that a launch of a date locks.
CREATE TABLE job_date (
    job_name VARCHAR(100) NOT NULL,
    date DATE NOT NULL,
    PRIMARY KEY (job_name, date)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The instances of a date: the first, and one more for each abandoned one (run_id from 1).
CREATE TABLE job_date_instance (
    job_instance_id BIGINT NOT NULL PRIMARY KEY,
    job_name VARCHAR(100) NOT NULL,
    date DATE NOT NULL,
    run_id BIGINT NOT NULL,
    CONSTRAINT job_date_instance_un UNIQUE (job_name, date, run_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row for each unfinished partition or tasklet, deleted when it ends; so an execution with
-- work left has rows here, and one without has none. No token: nobody holds it.
CREATE TABLE step_lease (
    step_execution_id BIGINT NOT NULL PRIMARY KEY,
    job_execution_id BIGINT NOT NULL,
    claim_token BIGINT,
    worker VARCHAR(255),
    lease_until_micros BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX step_lease_execution_ix ON step_lease (job_execution_id, lease_until_micros);

-- A lease that ran out at a cursor. Three at one cursor quarantine the partition.
CREATE TABLE step_expiry (
    step_execution_id BIGINT NOT NULL,
    cursor_video_id BIGINT NOT NULL,
    claim_token BIGINT NOT NULL,
    PRIMARY KEY (step_execution_id, cursor_video_id, claim_token)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A partition that a restart leaves FAILED until somebody asks for its retry.
CREATE TABLE step_quarantine (
    step_execution_id BIGINT NOT NULL PRIMARY KEY,
    reason VARCHAR(2500) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Items that were skipped, and why.
CREATE TABLE rejected_item (
    job_instance_id BIGINT NOT NULL,
    step_name VARCHAR(100) NOT NULL,
    video_id BIGINT NOT NULL,
    date DATE NOT NULL,
    reason VARCHAR(2500) NOT NULL,
    rejected_at DATETIME(6) NOT NULL,
    PRIMARY KEY (job_instance_id, step_name, video_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX rejected_item_video_ix ON rejected_item (step_name, video_id, date);
