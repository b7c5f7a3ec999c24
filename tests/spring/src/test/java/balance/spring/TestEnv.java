package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;

/** An empty database for each test, with the binary and Spring Batch on it. */
abstract class TestEnv {
    static final String DAY = "2024-03-04";

    /** Steps that have not ended, and leases. */
    private static final String OPEN_STEPS =
            "SELECT s.STEP_EXECUTION_ID, s.STEP_NAME, s.STATUS, s.END_TIME, l.claim_token IS NOT NULL, l.worker "
                    + "FROM BATCH_STEP_EXECUTION s LEFT JOIN step_lease l ON l.step_execution_id = s.STEP_EXECUTION_ID "
                    + "WHERE s.END_TIME IS NULL OR l.step_execution_id IS NOT NULL ORDER BY s.STEP_EXECUTION_ID";

    final Target target;
    final Work work = new Work();
    TestDatabase database;
    Balance balance;
    SpringBatch spring;

    TestEnv(Target target) {
        this.target = target;
    }

    @BeforeEach
    void open() throws Exception {
        database = TestDatabase.of(target);
        balance = new Balance(database);
        spring = new Adapter(database.dataSource(), target.databaseType(), work);
    }

    /** Imports a play of each of 40 videos. The plan of such a day has four partitions of ten videos. */
    void importDay(String day) throws Exception {
        StringBuilder csv = new StringBuilder("user_id,video_id,owner_id,started_at,play_time_s,video_duration_s\n");
        for (int video = 1; video <= 40; video++) {
            csv.append(String.format("%d,%d,900,%sT01:%02d:00Z,60,600%n", 1000 + video, video, day, video));
        }
        Path file = Files.createTempFile("plays", ".csv");
        try {
            Files.writeString(file, csv);
            balance.run("import", file.toString()).succeeded();
        } finally {
            Files.delete(file);
        }
    }

    long newestExecution() throws Exception {
        return database.number("SELECT MAX(JOB_EXECUTION_ID) FROM BATCH_JOB_EXECUTION");
    }

    String status(long execution) throws Exception {
        return database.value("SELECT STATUS FROM BATCH_JOB_EXECUTION WHERE JOB_EXECUTION_ID = " + execution);
    }

    /** Asserts that every result and every row of the job tables is right. */
    void assertVerified() throws Exception {
        Balance.Outcome outcome = balance.run("verify");
        assertEquals(0, outcome.exitCode(), outcome.output());
    }

    /** Restarts an execution by Balance, which completes it with the right results. */
    void assertBalanceCompletes(long execution) throws Exception {
        balance.run("jobs", "restart", Long.toString(execution)).succeeded();
        assertEquals("COMPLETED", status(newestExecution()));
        assertEquals("40", database.value("SELECT COUNT(*) FROM video_revenue"));
        assertVerified();
    }

    /**
     * Waits until the rescuer of a running worker has processed all executions. It closes an ended execution that
     * has a lease after it advanced the running ones.
     */
    void awaitRescuer(long ended) throws Exception {
        database.execute("INSERT INTO step_lease (step_execution_id, job_execution_id, lease_until_micros) "
                + "SELECT STEP_EXECUTION_ID, JOB_EXECUTION_ID, 0 FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = "
                + ended + " AND STEP_NAME = '" + Work.CLOSE_DAY + "'");
        Waiting.until("no lease", () -> database.number("SELECT COUNT(*) FROM step_lease") == 0);
    }

    List<String> openSteps() throws Exception {
        return database.rows(OPEN_STEPS);
    }
}
