package balance.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** The schema, and what Spring expects of it. */
@ParameterizedClass(name = "{0}")
@MethodSource("balance.spring.Target#all")
class SchemaTest extends TestEnv {
    SchemaTest(Target target) {
        super(target);
    }

    @Test
    void with_the_mariadb_driver_spring_needs_the_database_type() throws Exception {
        assumeTrue(target.databaseType() != null, "only with the MariaDB driver");
        long failed = State.FAILED.create(this);
        SpringBatch withoutType = new Adapter(database.dataSource(), null, work);

        assertEquals("FAILED", withoutType.execution(failed).status());
        Exception error = assertThrows(Exception.class, () -> withoutType.restart(failed));
        String message = messages(error);
        assertTrue(message.contains("is not a SEQUENCE"), message);

        assertEquals("COMPLETED", status(spring.restart(failed)));
    }

    @Test
    void every_table_has_a_primary_key() throws Exception {
        List<String> keyed = database.rows("SELECT table_name FROM information_schema.table_constraints "
                + "WHERE table_schema = DATABASE() AND constraint_type = 'PRIMARY KEY' "
                + "AND table_name NOT LIKE 'saved\\_%' AND table_name <> '_sqlx_migrations' ORDER BY table_name");
        assertEquals(database.tables(), keyed);
    }

    private static String messages(Throwable error) {
        return error.getMessage() + (error.getCause() == null ? "" : "\n" + messages(error.getCause()));
    }
}
