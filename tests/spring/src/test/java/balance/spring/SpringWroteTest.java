package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Balance lists, shows, restarts and verifies what Spring wrote. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#servers")
class SpringWroteTest extends TestEnv {
    SpringWroteTest(Target target) {
        super(target);
    }

    @Test
    void an_execution_that_spring_failed() throws Exception {
        work.failing.add("dayStatisticsStep");
        long failed = spring.restart(State.FAILED.create(this));
        assertEquals("FAILED", status(failed));

        String list = balance.run("jobs", "list").succeeded().output();
        assertTrue(list.lines().anyMatch(line -> line.contains(" " + failed + " ") && line.contains("FAILED")), list);
        String shown = balance.run("jobs", "show", Long.toString(failed)).succeeded().output();
        assertTrue(shown.matches("(?s).*dayStatisticsStep:partition1 +FAILED.*"), shown);
        assertVerified();
        assertBalanceCompletes(failed);
        // The partition continued from the cursor that Spring copied: its first chunk was not written again.
        assertEquals("6", database.value("SELECT SUM(WRITE_COUNT) FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = "
                + newestExecution() + " AND STEP_NAME = 'dayStatisticsStep:partition1'"));
    }

    @Test
    void a_manager_that_failed_before_it_was_partitioned() throws Exception {
        long stopped = State.STOPPED_BEFORE_STATISTICS.create(this);
        work.failsToPartition = true;
        long failed = spring.restart(stopped);
        assertEquals("FAILED", status(failed));
        assertTrue(
                spring.execution(failed).steps().stream()
                        .allMatch(step -> step.context().containsKey("batch.version")),
                "Spring adds its own keys to contexts");

        assertVerified();
        assertBalanceCompletes(failed);
    }

    @Test
    void an_execution_that_spring_recovered() throws Exception {
        assumeTrue(spring.version().equals("6.0"), "Spring Batch 5.2 has no operation recover");
        long killed = State.KILLED.create(this);
        spring.recover(killed);
        assertEquals("FAILED", status(killed));

        assertBalanceCompletes(killed);
        assertEquals(List.of(), openSteps());
    }

    @Test
    void work_that_spring_reported_and_did_not_do() throws Exception {
        long completed = spring.restart(State.FAILED.create(this));
        assertEquals("COMPLETED", status(completed));

        String verified = balance.run("verify").failed().output();
        for (int video = 15; video <= 20; video++) {
            assertTrue(verified.contains("video " + video), verified);
        }
    }
}
