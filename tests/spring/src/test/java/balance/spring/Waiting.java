package balance.spring;

import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** Waits for a condition that another process brings about: less long than a transaction waits at a gate. */
final class Waiting {
    private static final Duration LIMIT = Duration.ofSeconds(45);

    private Waiting() {}

    interface Condition {
        boolean holds() throws Exception;
    }

    interface Rows {
        List<String> read() throws Exception;
    }

    /** Waits until a query returns no rows. The error names those that are left. */
    static void untilNone(String what, Rows rows) {
        try {
            until("no " + what, () -> rows.read().isEmpty());
        } catch (AssertionError error) {
            try {
                throw new AssertionError(error.getMessage() + ", but " + rows.read());
            } catch (Exception cause) {
                throw new IllegalStateException(what, cause);
            }
        }
    }

    static void until(String what, Condition condition) {
        Instant deadline = Instant.now().plus(LIMIT);
        try {
            while (!condition.holds()) {
                if (Instant.now().isAfter(deadline)) {
                    throw new AssertionError("not within " + LIMIT.toSeconds() + " s: " + what);
                }
                Thread.sleep(20);
            }
        } catch (AssertionError | RuntimeException error) {
            throw error;
        } catch (Exception error) {
            throw new IllegalStateException(what, error);
        }
    }
}
