package balance.spring;

/** The operations of Spring Batch. Each version has its adapter, named Adapter. */
interface SpringBatch {
    /** Returns an execution, or null if Spring finds none. */
    Execution execution(long id);

    /** Returns the instance that the parameters of an execution lead to, through JOB_KEY; or null. */
    Long instanceOfParameters(long execution);

    /** Restarts an execution with Spring's own steps and returns the new execution. */
    long restart(long execution) throws Exception;

    void stop(long execution) throws Exception;

    void abandon(long execution) throws Exception;

    /** Marks the execution of a crashed process FAILED. Spring 5.2 has no such operation. */
    void recover(long execution);

    void deleteInstanceOf(long execution);

    /** Returns the line of versions, such as 6.0. */
    String version();
}
