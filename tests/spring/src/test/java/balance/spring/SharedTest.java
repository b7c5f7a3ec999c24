package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Spring runs an execution while workers of Balance are alive. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#servers")
class SharedTest extends TestEnv {
    /** The step at which the tests hold up Spring. */
    private static final String STEP = "dayStatisticsStep:partition1";

    SharedTest(Target target) {
        super(target);
    }

    /** A restart by Spring in another thread, which is held up at STEP. */
    private CompletableFuture<Long> restartUpToStep(long failed) throws Exception {
        work.hold(STEP);
        CompletableFuture<Long> restart = CompletableFuture.supplyAsync(() -> {
            try {
                return spring.restart(failed);
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
        Waiting.until("Spring at the step", () -> restart.isDone() || work.ran.containsKey(STEP));
        assertTrue(!restart.isDone(), "Spring waits at the step");
        return restart;
    }

    private long end(CompletableFuture<Long> restart) throws Exception {
        work.release(STEP);
        return restart.get(60, TimeUnit.SECONDS);
    }

    @Test
    void workers_leave_a_running_execution_of_spring_alone() throws Exception {
        long failed = State.FAILED.create(this);
        try (Balance.Running worker = balance.start("worker")) {
            CompletableFuture<Long> restart = restartUpToStep(failed);
            awaitRescuer(failed);
            awaitRescuer(failed);
            assertEquals("STARTED", status(newestExecution()));
            assertEquals("COMPLETED", status(end(restart)));
            awaitRescuer(failed);
        }
        assertTrue(work.ran.keySet().containsAll(List.of("dayRevenueStep:partition0", "periodRollupStep:partition0")));
        assertEquals(List.of(), openSteps());
    }

    @Test
    void balance_names_the_execution_that_spring_runs() throws Exception {
        long failed = State.FAILED.create(this);
        CompletableFuture<Long> restart = restartUpToStep(failed);
        String id = Long.toString(newestExecution());

        String settled = balance.run("settle", "--date", DAY).failed().output();
        String reason = "execution " + id + " of " + DAY + " is STARTED; another program launched it";
        assertTrue(settled.contains(reason), settled);
        String restarted = balance.run("jobs", "restart", id).failed().output();
        assertTrue(restarted.contains(reason), restarted);
        String list = balance.run("jobs", "list").succeeded().output();
        assertTrue(list.lines().anyMatch(line -> line.contains(" " + id + " ") && line.contains("another program")), list);
        assertTrue(list.lines().anyMatch(line -> line.contains(" " + failed + " ") && line.contains("Balance")), list);
        String shown = balance.run("jobs", "show", id).succeeded().output();
        assertTrue(shown.contains("launched by another program"), shown);
        String json = balance.run("jobs", "show", id, "--json").succeeded().output();
        assertTrue(json.contains("\"isForeign\": true"), json);
        assertVerified();

        assertEquals("COMPLETED", status(end(restart)));
    }

    @Test
    void balance_stops_what_spring_runs_and_settles_the_day_again() throws Exception {
        long failed = State.FAILED.create(this);
        try (Balance.Running worker = balance.start("worker")) {
            CompletableFuture<Long> restart = restartUpToStep(failed);
            String id = Long.toString(newestExecution());
            String stopped = balance.run("jobs", "stop", id).succeeded().output();
            assertTrue(stopped.contains("is STOPPING; the program that launched it stops it"), stopped);
            awaitRescuer(failed);
            assertEquals("STOPPING", status(newestExecution()));
            assertEquals("STOPPED", status(end(restart)));
            assertEquals(List.of(), openSteps());

            balance.run("jobs", "abandon", id).succeeded();
            balance.run("settle", "--date", DAY).succeeded();
        }
        assertEquals("40", database.value("SELECT COUNT(*) FROM video_revenue"));
        assertVerified();
    }
}
