package balance.spring;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A server, and the JDBC driver with which Spring uses it. */
record Target(String name, URI server, String jdbcScheme, String databaseType) {

    /** MariaDB with both drivers, and MySQL if the environment names a server. */
    static Stream<Target> all() {
        List<Target> targets = new ArrayList<>();
        URI mariadb = URI.create(required("TEST_SERVER_URL"));
        targets.add(new Target("MariaDB, Connector/J", mariadb, "mysql", null));
        targets.add(new Target("MariaDB, MariaDB driver", mariadb, "mariadb", "MYSQL"));
        mysql().forEach(targets::add);
        return targets.stream();
    }

    /** A server of each kind, with Connector/J. */
    static Stream<Target> servers() {
        return all().filter(target -> target.jdbcScheme().equals("mysql"));
    }

    private static Stream<Target> mysql() {
        return Stream.ofNullable(System.getenv("TEST_MYSQL_URL"))
                .filter(url -> !url.isEmpty())
                .map(url -> new Target("MySQL, Connector/J", URI.create(url), "mysql", null));
    }

    static String required(String variable) {
        String value = System.getenv(variable);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException(variable + " is not set; start the tests with tests/spring/run");
        }
        return value;
    }

    String jdbcUrl(String database) {
        return "jdbc:" + jdbcScheme + "://" + server.getHost() + ":" + server.getPort() + "/" + database;
    }

    String balanceUrl(String database) {
        return server + "/" + database;
    }

    String user() {
        return server.getUserInfo().split(":", 2)[0];
    }

    String password() {
        return server.getUserInfo().split(":", 2)[1];
    }

    @Override
    public String toString() {
        return name;
    }
}
