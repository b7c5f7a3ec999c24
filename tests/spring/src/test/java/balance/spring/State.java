package balance.spring;

import java.util.Map;

/** A state of a day's execution. Creating it runs the binary and returns the execution's ID. */
enum State {
    COMPLETED("COMPLETED") {
        @Override
        long create(TestEnv env) throws Exception {
            env.importDay(TestEnv.DAY);
            env.balance.run("settle").succeeded();
            return env.newestExecution();
        }
    },
    COMPLETED_WITH_SKIPS("COMPLETED") {
        @Override
        long create(TestEnv env) throws Exception {
            env.importDay(TestEnv.DAY);
            env.database.execute(POISON);
            env.balance.run(Map.of("SKIP_LIMIT", "1"), "settle").succeeded();
            return env.newestExecution();
        }
    },
    /** Partition 1 failed at video 16. The chunk before it is written. */
    FAILED("FAILED") {
        @Override
        long create(TestEnv env) throws Exception {
            env.importDay(TestEnv.DAY);
            env.database.execute(POISON);
            env.balance.run("settle").failed();
            env.database.execute(CURE);
            return env.newestExecution();
        }
    },
    /** Stopped while partition 1 wrote videos 15 to 18. */
    STOPPED("STOPPED") {
        @Override
        long create(TestEnv env) throws Exception {
            env.importDay(TestEnv.DAY);
            try (Gate gate = Gate.atVideos(env.database, "16, 26");
                    Balance.Running settle = env.balance.start("settle")) {
                gate.awaitArrivals(2);
                env.balance.run("jobs", "stop", Long.toString(env.newestExecution())).succeeded();
                gate.open();
                settle.await().failed();
            }
            return env.newestExecution();
        }
    },
    /** Killed while partition 1 wrote videos 15 to 18. */
    KILLED("STARTED") {
        @Override
        long create(TestEnv env) throws Exception {
            env.importDay(TestEnv.DAY);
            try (Gate gate = Gate.atVideos(env.database, "16, 26");
                    Balance.Running settle = env.balance.start("settle")) {
                gate.awaitArrivals(2);
                settle.kill();
            }
            return env.newestExecution();
        }
    },
    /** Stopped after the day was closed, before the first partitioned step began. */
    STOPPED_BEFORE_STATISTICS("STOPPED") {
        @Override
        long create(TestEnv env) throws Exception {
            env.importDay(TestEnv.DAY);
            try (Gate gate = Gate.atStep(env.database, "partitionedDayStatisticsStep");
                    Balance.Running settle = env.balance.start("settle")) {
                gate.awaitArrivals(1);
                settle.kill();
            }
            String id = Long.toString(env.newestExecution());
            env.balance.run("jobs", "stop", id).succeeded();
            return env.newestExecution();
        }
    },
    ABANDONED("ABANDONED") {
        @Override
        long create(TestEnv env) throws Exception {
            long execution = FAILED.create(env);
            env.balance.run("jobs", "abandon", Long.toString(execution)).succeeded();
            return execution;
        }
    },
    COMPLETED_AFTER_ABANDONED("COMPLETED") {
        @Override
        long create(TestEnv env) throws Exception {
            ABANDONED.create(env);
            env.balance.run("settle", "--date", TestEnv.DAY).succeeded();
            return env.newestExecution();
        }
    },
    PRUNED("COMPLETED") {
        @Override
        long create(TestEnv env) throws Exception {
            long execution = COMPLETED.create(env);
            env.database.execute("UPDATE BATCH_JOB_EXECUTION SET END_TIME = '2024-03-05 00:00:00'");
            try (Balance.Running worker = env.balance.start("worker")) {
                Waiting.until("steps pruned", () -> env.database.number(
                        "SELECT COUNT(*) FROM BATCH_STEP_EXECUTION") == 0);
            }
            return execution;
        }
    };

    private static final String POISON = "UPDATE play_history SET play_time = -7 WHERE video_id = 16";
    private static final String CURE = "UPDATE play_history SET play_time = 60 WHERE video_id = 16";

    /** The status of the execution. */
    final String status;

    State(String status) {
        this.status = status;
    }

    abstract long create(TestEnv env) throws Exception;
}
