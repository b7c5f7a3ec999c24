package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Spring restarts what Balance left unfinished, and refuses what it must not restart. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#all")
class RestartTest extends TestEnv {
    private static final String STATISTICS = "dayStatisticsStep:";

    RestartTest(Target target) {
        super(target);
    }

    @Test
    void a_failed_execution_restarts_at_its_cursor() throws Exception {
        long failed = State.FAILED.create(this);
        assertRestartContinues(failed, Map.of("partition1", 14L));
        assertTrue(work.ran.keySet().containsAll(Set.of("dayRevenueStep:partition0", "periodRollupStep:partition1")));
    }

    @Test
    void a_stopped_execution_restarts_at_its_cursors() throws Exception {
        long stopped = State.STOPPED.create(this);
        assertRestartContinues(stopped, cursorsOfUnfinishedPartitions(stopped, 18, 28));
    }

    @Test
    void a_killed_execution_restarts_after_its_recovery() throws Exception {
        assumeTrue(spring.version().equals("6.0"), "Spring Batch 5.2 has no operation recover");
        long killed = State.KILLED.create(this);
        assertThrows(Exception.class, () -> spring.restart(killed));

        spring.recover(killed);

        assertEquals("FAILED", status(killed));
        assertRestartContinues(killed, cursorsOfUnfinishedPartitions(killed, 14, 24));
    }

    @ParameterizedTest
    @CsvSource({
        "KILLED, JobExecutionAlreadyRunningException",
        "COMPLETED, JobInstanceAlreadyCompleteException",
        "PRUNED, JobInstanceAlreadyCompleteException",
        "ABANDONED, JobInstanceAlreadyCompleteException"
    })
    void a_restart_is_refused(State state, String reason) throws Exception {
        long id = state.create(this);
        Exception refusal = assertThrows(Exception.class, () -> spring.restart(id));
        assertEquals(reason, rootOf(refusal).getClass().getSimpleName());
        assertEquals(id, newestExecution());
        assertEquals(Map.of(), work.ran);
    }

    @Test
    void an_unknown_execution_is_refused() throws Exception {
        long unknown = State.COMPLETED.create(this) + 1;
        assertEquals(null, spring.execution(unknown));
        assertThrows(Exception.class, () -> spring.restart(unknown));
        assertEquals(unknown - 1, newestExecution());
    }

    private static Throwable rootOf(Throwable error) {
        return error.getCause() == null ? error : rootOf(error.getCause());
    }

    /** Returns the cursors of the partitions that are not COMPLETED, as Spring reads them. */
    private Map<String, Long> cursorsOfUnfinishedPartitions(long id, long ofPartition1, long ofPartition2) {
        Map<String, Long> cursors = spring.execution(id).steps().stream()
                .filter(step -> step.name().startsWith(STATISTICS) && !step.status().equals("COMPLETED"))
                .collect(Collectors.toMap(
                        step -> step.name().substring(STATISTICS.length()),
                        step -> (Long) step.context().get("cursorVideoId")));
        assertEquals(ofPartition1, cursors.get("partition1"));
        assertEquals(ofPartition2, cursors.get("partition2"));
        return cursors;
    }

    /** Restarts an execution. Exactly the given partitions must run, each with its cursor. */
    private void assertRestartContinues(long id, Map<String, Long> cursors) throws Exception {
        long restarted = spring.restart(id);

        Map<String, Long> ran = new TreeMap<>();
        work.ran.forEach((name, context) -> {
            if (name.startsWith(STATISTICS)) {
                ran.put(name.substring(STATISTICS.length()), (Long) context.get("cursorVideoId"));
            }
        });
        assertEquals(new TreeMap<>(cursors), ran);
        assertEquals(false, work.ran.containsKey(Work.CLOSE_DAY), "closeDayStep was completed before");
        assertEquals("COMPLETED", status(restarted));
        List<String> manager = database.rows("SELECT STATUS FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = "
                + restarted + " AND STEP_NAME = 'partitionedDayStatisticsStep'");
        assertEquals(List.of("COMPLETED"), manager);
        assertEquals(4L, gridSize(restarted));
        // Spring's steps did none of the work.
        String verified = balance.run("verify").failed().output();
        assertTrue(verified.contains("video_statistics"), verified);
    }

    private long gridSize(long id) {
        return spring.execution(id).steps().stream()
                .filter(step -> step.name().equals("partitionedDayStatisticsStep"))
                .map(step -> (Long) step.context().get("SimpleStepExecutionSplitter.GRID_SIZE"))
                .findFirst()
                .orElseThrow();
    }
}
