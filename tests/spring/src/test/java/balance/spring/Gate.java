package balance.spring;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * Holds up the transactions that insert certain rows, until the gate is opened. The test owns a lock of the
 * server, and a trigger waits for it.
 */
final class Gate implements AutoCloseable {
    private final TestDatabase database;
    private final Connection owner;

    private Gate(TestDatabase database, String table, String condition) throws SQLException {
        this.database = database;
        owner = database.connect();
        try (Statement statement = owner.createStatement()) {
            statement.executeQuery("SELECT GET_LOCK('" + database.name + "', 0)").close();
        }
        database.execute("CREATE TRIGGER gate BEFORE INSERT ON " + table + " FOR EACH ROW BEGIN IF " + condition
                + " THEN DO GET_LOCK('" + database.name + "', 50); DO RELEASE_LOCK('" + database.name + "');"
                + " END IF; END");
    }

    /** Holds up the chunks of the statistics step that write one of the videos. */
    static Gate atVideos(TestDatabase database, String videos) throws SQLException {
        return new Gate(database, "video_statistics", "NEW.video_id IN (" + videos + ")");
    }

    /** Holds up the start of a step. */
    static Gate atStep(TestDatabase database, String step) throws SQLException {
        return new Gate(database, "BATCH_STEP_EXECUTION", "NEW.STEP_NAME = '" + step + "'");
    }

    void awaitArrivals(int count) {
        Waiting.until(count + " transactions at the gate", () -> database.waitingAtGate() == count);
    }

    void open() throws SQLException {
        if (owner.isClosed()) {
            return;
        }
        owner.close();
        Waiting.until("no transaction at the gate", () -> database.waitingAtGate() == 0);
        database.execute("DROP TRIGGER gate");
    }

    @Override
    public void close() throws SQLException {
        open();
    }
}
