-- The place in a trace that an execution was launched at (W3C Trace Context): those who work it go on
-- from there. Only where traces are exported.
CREATE TABLE job_execution_trace (
    job_execution_id BIGINT NOT NULL PRIMARY KEY,
    traceparent VARCHAR(55) NOT NULL
) WITHOUT ROWID;
