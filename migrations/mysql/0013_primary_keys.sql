-- A primary key for each table, for servers with sql_require_primary_key and for group replication.
-- Spring Batch works with these keys unchanged.
ALTER TABLE BATCH_JOB_EXECUTION_PARAMS ADD PRIMARY KEY (JOB_EXECUTION_ID, PARAMETER_NAME);
ALTER TABLE BATCH_JOB_INSTANCE_SEQ ADD PRIMARY KEY (UNIQUE_KEY);
ALTER TABLE BATCH_JOB_EXECUTION_SEQ ADD PRIMARY KEY (UNIQUE_KEY);
ALTER TABLE BATCH_STEP_EXECUTION_SEQ ADD PRIMARY KEY (UNIQUE_KEY);

-- The keys replace these indexes.
DROP INDEX JOB_EXEC_PARAMS_IX ON BATCH_JOB_EXECUTION_PARAMS;
DROP INDEX BATCH_JOB_INSTANCE_SEQ_UN ON BATCH_JOB_INSTANCE_SEQ;
DROP INDEX BATCH_JOB_EXECUTION_SEQ_UN ON BATCH_JOB_EXECUTION_SEQ;
DROP INDEX BATCH_STEP_EXECUTION_SEQ_UN ON BATCH_STEP_EXECUTION_SEQ;

-- The executions that Balance launched. It advances no other, such as one that Spring Batch runs.
CREATE TABLE job_execution_launch (
    job_execution_id BIGINT NOT NULL PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Older versions did not record who launched an execution.
INSERT INTO job_execution_launch (job_execution_id)
    SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION;
