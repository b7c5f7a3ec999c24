package balance.spring;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** What Spring's steps do: they record that they ran and with which context, and fail on request. */
final class Work {
    static final String JOB = "dayStatisticsJob";
    static final String CLOSE_DAY = "closeDayStep";

    /** A partitioned step: its manager and its worker step. */
    record Partitioned(String manager, String worker) {}

    /** The partitioned steps in the order of the job. */
    static final List<Partitioned> PARTITIONED = List.of(
            new Partitioned("partitionedDayStatisticsStep", "dayStatisticsStep"),
            new Partitioned("partitionedDayRevenueStep", "dayRevenueStep"),
            new Partitioned("partitionedPeriodRollupStep", "periodRollupStep"));

    /** The contexts of the steps that ran, by name. */
    final Map<String, Map<String, Object>> ran = new ConcurrentSkipListMap<>();

    /** Names of steps that fail. */
    final Set<String> failing = new HashSet<>();

    /** Whether the partitioner fails. */
    boolean failsToPartition;

    private final Map<String, CountDownLatch> holds = new ConcurrentSkipListMap<>();

    /** Holds up a step that runs from now on, until it is released. */
    void hold(String step) {
        holds.put(step, new CountDownLatch(1));
    }

    void release(String step) {
        holds.get(step).countDown();
    }

    void run(String step, Map<String, Object> context) throws InterruptedException {
        ran.put(step, new TreeMap<>(context));
        CountDownLatch hold = holds.get(step);
        if (hold != null && !hold.await(50, TimeUnit.SECONDS)) {
            throw new IllegalStateException("still held after 50 s");
        }
        if (failing.contains(step.split(":")[0])) {
            throw new IllegalStateException("failed on request");
        }
    }

    void partition() {
        if (failsToPartition) {
            throw new IllegalStateException("failed to partition on request");
        }
    }
}
