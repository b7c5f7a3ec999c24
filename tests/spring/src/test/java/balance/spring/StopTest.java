package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Spring stops an execution while a fleet of two workers processes it. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#servers")
class StopTest extends TestEnv {
    private static final Map<String, String> ONE_SLOT = Map.of("WORKER_CONCURRENCY", "1");

    StopTest(Target target) {
        super(target);
    }

    @Test
    void workers_that_are_stopped_by_spring_end_every_step() throws Exception {
        long stopped = stopAFleet(false);
        Set<String> unfinished = unfinished(stopped);
        assertTrue(unfinished.size() >= 2, unfinished.toString());

        spring.restart(stopped);
        Set<String> ran = work.ran.keySet().stream()
                .filter(name -> name.startsWith("dayStatisticsStep:"))
                .collect(Collectors.toSet());
        assertEquals(unfinished, ran);
    }

    @Test
    void balance_restarts_what_spring_stopped() throws Exception {
        assertBalanceCompletes(stopAFleet(false));
    }

    @Test
    void workers_that_crashed_before_the_stop_leave_no_step_open() throws Exception {
        assertBalanceCompletes(stopAFleet(true));
    }

    /**
     * Lets two workers process a day, stops it by Spring and waits until every step has ended. If the workers crash
     * before the stop, a third one has to end the steps.
     */
    private long stopAFleet(boolean crashes) throws Exception {
        importDay(DAY);
        try (Gate gate = Gate.atVideos(database, "6, 16, 26, 36");
                Balance.Running first = balance.start(ONE_SLOT, "worker");
                Balance.Running second = balance.start(ONE_SLOT, "worker")) {
            gate.awaitArrivals(2);
            long id = newestExecution();
            if (crashes) {
                first.kill();
                second.kill();
            }
            spring.stop(id);
            gate.open();
            try (Balance.Running third = crashes ? balance.start(ONE_SLOT, "worker") : null) {
                Waiting.untilNone("open step", this::openSteps);
            }
            assertEquals("STOPPED", status(id));
            assertVerified();
            return id;
        }
    }

    private Set<String> unfinished(long id) {
        return spring.execution(id).steps().stream()
                .filter(step -> step.name().startsWith("dayStatisticsStep:") && !step.status().equals("COMPLETED"))
                .map(Execution.Step::name)
                .collect(Collectors.toSet());
    }
}
