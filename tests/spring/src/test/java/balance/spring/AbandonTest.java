package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.time.LocalDate;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Spring abandons executions and deletes instances. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#servers")
class AbandonTest extends TestEnv {
    AbandonTest(Target target) {
        super(target);
    }

    @ParameterizedTest
    @EnumSource(names = {"FAILED", "STOPPED", "STOPPED_BEFORE_STATISTICS"})
    void balance_settles_a_day_again_that_spring_abandoned(State state) throws Exception {
        long abandoned = state.create(this);

        spring.abandon(abandoned);
        assertEquals("ABANDONED", status(abandoned));
        assertVerified();

        balance.run("settle", "--date", DAY).succeeded();
        Execution settled = spring.execution(newestExecution());
        assertEquals("COMPLETED", settled.status());
        assertEquals(Map.of("date", LocalDate.parse(DAY), "run.id", 1L), settled.parameters());
        assertNotEquals(spring.execution(abandoned).instanceId(), settled.instanceId());
        assertVerified();
    }

    @ParameterizedTest
    @EnumSource(names = {"COMPLETED", "COMPLETED_WITH_SKIPS", "FAILED", "STOPPED", "PRUNED"})
    void spring_deletes_an_instance(State state) throws Exception {
        long id = state.create(this);
        spring.deleteInstanceOf(id);
        for (String table : database.tables()) {
            if (table.startsWith("BATCH_") && !table.endsWith("_SEQ")) {
                assertEquals("0", database.value("SELECT COUNT(*) FROM " + table), table);
            }
        }
        assertEquals(null, spring.execution(id));
    }

    @Test
    void balance_settles_a_day_again_whose_failed_instance_spring_deleted() throws Exception {
        spring.deleteInstanceOf(State.FAILED.create(this));
        balance.run("settle", "--date", DAY).succeeded();
        assertEquals("COMPLETED", spring.execution(newestExecution()).status());
        assertVerified();
    }
}
