package balance.spring;

import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;

/** A job execution as Spring reads it. */
record Execution(
        long id,
        long instanceId,
        String status,
        String exitCode,
        LocalDateTime endTime,
        Map<String, Object> parameters,
        Map<String, Object> context,
        List<Step> steps) {

    /** A step execution as Spring reads it. The counters are in the order of the columns. */
    record Step(
            long id,
            String name,
            String status,
            String exitCode,
            LocalDateTime endTime,
            List<Long> counters,
            Map<String, Object> context) {}
}
