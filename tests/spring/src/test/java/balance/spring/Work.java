package balance.spring;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;

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

    void run(String step, Map<String, Object> context) {
        ran.put(step, new TreeMap<>(context));
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
