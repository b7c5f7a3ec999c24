package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Spring reads what Balance wrote. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#all")
class ReadTest extends TestEnv {
    private static final String COUNTERS = "COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT, "
            + "WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, ROLLBACK_COUNT";

    ReadTest(Target target) {
        super(target);
    }

    @ParameterizedTest
    @EnumSource
    void every_state_is_read(State state) throws Exception {
        long id = state.create(this);

        Execution execution = spring.execution(id);

        assertEquals(state.status, execution.status());
        assertEquals(
                database.value("SELECT JOB_INSTANCE_ID, STATUS, EXIT_CODE, END_TIME IS NULL FROM BATCH_JOB_EXECUTION "
                        + "WHERE JOB_EXECUTION_ID = " + id),
                String.join(
                        "|",
                        String.valueOf(execution.instanceId()),
                        execution.status(),
                        execution.exitCode(),
                        execution.endTime() == null ? "1" : "0"));
        assertEquals(parameters(state), execution.parameters());
        assertEquals(execution.instanceId(), spring.instanceOfParameters(id));
        assertEquals(Map.of(), execution.context());
        assertSteps(execution);
        String shown = balance.run("jobs", "show", Long.toString(id)).succeeded().output();
        assertTrue(shown.contains(state.status + " (" + execution.exitCode() + ")"), shown);
    }

    private static Map<String, Object> parameters(State state) {
        LocalDate date = LocalDate.parse(DAY);
        return state == State.COMPLETED_AFTER_ABANDONED ? Map.of("date", date, "run.id", 1L) : Map.of("date", date);
    }

    private void assertSteps(Execution execution) throws Exception {
        List<String> read = execution.steps().stream()
                .map(step -> step.id() + "|" + step.name() + "|" + step.status() + "|" + step.exitCode() + "|"
                        + (step.endTime() == null ? "1" : "0") + "|"
                        + String.join("|", step.counters().stream().map(String::valueOf).toList()))
                .sorted()
                .toList();
        List<String> stored = database.rows("SELECT STEP_EXECUTION_ID, STEP_NAME, STATUS, EXIT_CODE, END_TIME IS NULL, "
                + COUNTERS + " FROM BATCH_STEP_EXECUTION WHERE JOB_EXECUTION_ID = " + execution.id());
        assertEquals(stored.stream().sorted().toList(), read);
        for (Execution.Step step : execution.steps()) {
            assertContext(step);
        }
    }

    private static void assertContext(Execution.Step step) {
        Map<String, Object> context = step.context();
        if (step.name().equals(Work.CLOSE_DAY)) {
            assertEquals(Map.of(), context);
        } else if (step.name().contains(":")) {
            assertEquals(Set.of("afterVideoId", "uptoVideoId", "cursorVideoId"), context.keySet());
            long cursor = (Long) context.get("cursorVideoId");
            long last = (Long) context.get("uptoVideoId");
            assertEquals(step.status().equals("COMPLETED"), cursor == last, step.toString());
        } else {
            assertEquals(Map.of("SimpleStepExecutionSplitter.GRID_SIZE", 4L), context);
        }
    }
}
