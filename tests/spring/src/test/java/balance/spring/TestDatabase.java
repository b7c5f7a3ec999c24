package balance.spring;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.sql.DataSource;
import org.springframework.jdbc.datasource.DriverManagerDataSource;

/**
 * A migrated database on a target's server. All tests of a target use it, one after the other. It is
 * dropped when the process ends.
 */
final class TestDatabase {
    private static final Map<Target, TestDatabase> DATABASES = new ConcurrentHashMap<>();

    final Target target;
    final String name;
    private final Connection connection;

    private TestDatabase(Target target, String name) throws SQLException {
        this.target = target;
        this.name = name;
        try (Connection server = connect(""); Statement statement = server.createStatement()) {
            statement.execute("CREATE DATABASE " + name);
        }
        connection = connect(name);
    }

    /** Returns the target's database with the rows that it has after its migration. */
    static TestDatabase of(Target target) throws Exception {
        TestDatabase database = DATABASES.get(target);
        if (database == null) {
            String name = "balance_spring_" + ProcessHandle.current().pid() + "_" + DATABASES.size();
            database = new TestDatabase(target, name);
            DATABASES.put(target, database);
            database.dropAtExit();
            new Balance(database).run("migrate").succeeded();
            database.keepRows();
        } else {
            database.restoreRows();
        }
        return database;
    }

    /** Copies the rows of all tables to tables named saved_…. */
    private void keepRows() throws SQLException {
        for (String table : tables()) {
            execute("CREATE TABLE saved_" + table + " LIKE " + table);
            execute("INSERT INTO saved_" + table + " SELECT * FROM " + table);
        }
    }

    private void restoreRows() throws SQLException {
        execute("SET foreign_key_checks = 0");
        for (String table : tables()) {
            execute("DELETE FROM " + table);
            execute("INSERT INTO " + table + " SELECT * FROM saved_" + table);
        }
        execute("SET foreign_key_checks = 1");
    }

    /** Returns the tables of the product. */
    List<String> tables() throws SQLException {
        return rows("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() "
                + "AND table_name NOT LIKE 'saved\\_%' AND table_name <> '_sqlx_migrations' ORDER BY table_name");
    }

    private Connection connect(String database) throws SQLException {
        return DriverManager.getConnection(target.jdbcUrl(database), target.user(), target.password());
    }

    Connection connect() throws SQLException {
        return connect(name);
    }

    DataSource dataSource() {
        return new DriverManagerDataSource(target.jdbcUrl(name), target.user(), target.password());
    }

    void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Returns each row as one text, its columns separated by a bar. */
    List<String> rows(String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            List<String> rows = new ArrayList<>();
            int columns = result.getMetaData().getColumnCount();
            while (result.next()) {
                List<String> row = new ArrayList<>();
                for (int column = 1; column <= columns; column++) {
                    row.add(String.valueOf(result.getString(column)));
                }
                rows.add(String.join("|", row));
            }
            return rows;
        }
    }

    String value(String sql) throws SQLException {
        List<String> rows = rows(sql);
        if (rows.size() != 1) {
            throw new IllegalStateException(rows.size() + " rows: " + sql);
        }
        return rows.get(0);
    }

    long number(String sql) throws SQLException {
        return Long.parseLong(value(sql));
    }

    /** Counts the connections of this database whose statement waits for a gate. */
    long waitingAtGate() throws SQLException {
        long waiting = 0;
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SHOW FULL PROCESSLIST")) {
            while (result.next()) {
                if (name.equals(result.getString("db")) && "User lock".equals(result.getString("State"))) {
                    waiting++;
                }
            }
        }
        return waiting;
    }

    private void dropAtExit() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                execute("DROP DATABASE " + name);
            } catch (SQLException error) {
                System.err.println("failed to drop " + name + ": " + error.getMessage());
            }
        }));
    }
}
