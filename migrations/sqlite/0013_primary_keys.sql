-- SQLite cannot add a primary key to a table. A unique index is the counterpart of the key on a server;
-- the sequence tables have a primary key here.
CREATE UNIQUE INDEX JOB_EXEC_PARAMS_PK ON BATCH_JOB_EXECUTION_PARAMS (JOB_EXECUTION_ID, PARAMETER_NAME);
DROP INDEX JOB_EXEC_PARAMS_IX;

-- The executions that Balance launched. It advances no other, such as one that Spring Batch runs.
CREATE TABLE job_execution_launch (
    job_execution_id BIGINT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

-- Older versions did not record who launched an execution.
INSERT INTO job_execution_launch (job_execution_id)
    SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION;
