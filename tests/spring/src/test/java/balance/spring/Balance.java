package balance.spring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The `balance` binary on one database. */
final class Balance {
    /** Each object has a database of its own in Redis, so that no message of an earlier test is delivered. */
    private static final AtomicInteger REDIS_DATABASES = new AtomicInteger();

    private final TestDatabase database;
    private final String redis;

    Balance(TestDatabase database) {
        this.database = database;
        redis = Target.required("TEST_REDIS_URL") + "/" + REDIS_DATABASES.getAndIncrement();
    }

    /** A started process. */
    final class Running implements AutoCloseable {
        private final List<String> command;
        private final Process process;
        private final Path output;

        private Running(List<String> arguments, Map<String, String> settings) throws IOException {
            command = new ArrayList<>(arguments);
            command.add(0, binary());
            output = Files.createTempFile("balance", ".out");
            ProcessBuilder builder = new ProcessBuilder(command);
            builder.environment().keySet().removeIf(name -> name.equals("DATABASE_URL") || name.equals("REDIS_URL"));
            builder.environment().putAll(settings());
            builder.environment().putAll(settings);
            builder.redirectErrorStream(true).redirectOutput(output.toFile());
            process = builder.start();
        }

        Outcome await() throws IOException, InterruptedException {
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                kill();
                throw new AssertionError("still running after 60 s: " + command + "\n" + Files.readString(output));
            }
            Outcome outcome = new Outcome(command, process.exitValue(), Files.readString(output));
            Files.delete(output);
            return outcome;
        }

        /** Ends the process without a chance to clean up. */
        void kill() throws InterruptedException {
            process.destroyForcibly().waitFor();
        }

        @Override
        public void close() throws InterruptedException, IOException {
            kill();
            Files.deleteIfExists(output);
        }
    }

    /** What a finished process returned. */
    record Outcome(List<String> command, int exitCode, String output) {
        Outcome succeeded() {
            if (exitCode != 0) {
                throw new AssertionError("exit code " + exitCode + " of " + command + "\n" + output);
            }
            return this;
        }

        Outcome failed() {
            if (exitCode == 0) {
                throw new AssertionError("succeeded: " + command + "\n" + output);
            }
            return this;
        }
    }

    private static String binary() {
        return System.getProperty("balance.binary", Target.required("BALANCE_BINARY"));
    }

    private Map<String, String> settings() {
        return Map.of(
                "DATABASE_URL", database.target.balanceUrl(database.name),
                "REDIS_URL", redis,
                "PARTITIONS", "4",
                "CHUNK_SIZE", "4",
                "WORKER_CONCURRENCY", "2",
                "LEASE_S", "3",
                "BALANCE_LOG", "warn");
    }

    Running start(Map<String, String> settings, String... arguments) throws IOException {
        return new Running(List.of(arguments), settings);
    }

    Running start(String... arguments) throws IOException {
        return start(Map.of(), arguments);
    }

    Outcome run(Map<String, String> settings, String... arguments) throws IOException, InterruptedException {
        try (Running running = start(settings, arguments)) {
            return running.await();
        }
    }

    Outcome run(String... arguments) throws IOException, InterruptedException {
        return run(Map.of(), arguments);
    }
}
