package balance.spring;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.sql.DataSource;
import org.springframework.batch.core.configuration.support.MapJobRegistry;
import org.springframework.batch.core.job.Job;
import org.springframework.batch.core.job.JobExecution;
import org.springframework.batch.core.job.JobInstance;
import org.springframework.batch.core.job.builder.JobBuilder;
import org.springframework.batch.core.job.builder.SimpleJobBuilder;
import org.springframework.batch.core.job.parameters.JobParameter;
import org.springframework.batch.core.launch.support.TaskExecutorJobOperator;
import org.springframework.batch.core.partition.PartitionNameProvider;
import org.springframework.batch.core.partition.Partitioner;
import org.springframework.batch.core.repository.JobRepository;
import org.springframework.batch.core.repository.support.JdbcJobRepositoryFactoryBean;
import org.springframework.batch.core.step.Step;
import org.springframework.batch.core.step.StepExecution;
import org.springframework.batch.core.step.builder.StepBuilder;
import org.springframework.batch.infrastructure.item.ExecutionContext;
import org.springframework.batch.infrastructure.repeat.RepeatStatus;
import org.springframework.dao.EmptyResultDataAccessException;
import org.springframework.jdbc.support.JdbcTransactionManager;

/** Spring Batch 6.0 on Balance's tables. */
final class Adapter implements SpringBatch {
    private final Work work;
    private final JdbcTransactionManager transactions;
    private final JobRepository repository;
    private final TaskExecutorJobOperator operator;

    Adapter(DataSource source, String databaseType, Work work) throws Exception {
        this.work = work;
        transactions = new JdbcTransactionManager(source);
        JdbcJobRepositoryFactoryBean factory = new JdbcJobRepositoryFactoryBean();
        factory.setDataSource(source);
        factory.setTransactionManager(transactions);
        if (databaseType != null) {
            factory.setDatabaseType(databaseType);
        }
        factory.afterPropertiesSet();
        repository = factory.getObject();
        MapJobRegistry registry = new MapJobRegistry();
        registry.register(job());
        operator = new TaskExecutorJobOperator();
        operator.setJobRepository(repository);
        operator.setJobRegistry(registry);
        operator.afterPropertiesSet();
    }

    private Job job() {
        SimpleJobBuilder job = new JobBuilder(Work.JOB, repository).start(tasklet(Work.CLOSE_DAY));
        for (Work.Partitioned step : Work.PARTITIONED) {
            job.next(new StepBuilder(step.manager(), repository)
                    .partitioner(step.worker(), new Names())
                    .step(tasklet(step.worker()))
                    .gridSize(2)
                    .build());
        }
        return job.build();
    }

    private Step tasklet(String name) {
        return new StepBuilder(name, repository)
                .tasklet((contribution, chunk) -> {
                    StepExecution step = chunk.getStepContext().getStepExecution();
                    work.run(step.getStepName(), step.getExecutionContext().toMap());
                    return RepeatStatus.FINISHED;
                }, transactions)
                .build();
    }

    /** Names partitions as Balance does. */
    private final class Names implements Partitioner, PartitionNameProvider {
        @Override
        public Map<String, ExecutionContext> partition(int gridSize) {
            work.partition();
            return getPartitionNames(gridSize).stream()
                    .collect(Collectors.toMap(name -> name, name -> new ExecutionContext()));
        }

        @Override
        public List<String> getPartitionNames(int gridSize) {
            return IntStream.range(0, gridSize).mapToObj(number -> "partition" + number).toList();
        }
    }

    @Override
    public Execution execution(long id) {
        JobExecution execution;
        try {
            execution = repository.getJobExecution(id);
        } catch (EmptyResultDataAccessException unknown) {
            return null;
        }
        Map<String, Object> parameters = new TreeMap<>();
        for (JobParameter<?> parameter : execution.getJobParameters()) {
            parameters.put(parameter.name(), parameter.value());
        }
        return new Execution(
                execution.getId(),
                execution.getJobInstance().getId(),
                execution.getStatus().name(),
                execution.getExitStatus().getExitCode(),
                execution.getEndTime(),
                parameters,
                new TreeMap<>(execution.getExecutionContext().toMap()),
                execution.getStepExecutions().stream().map(Adapter::step).toList());
    }

    private static Execution.Step step(StepExecution step) {
        return new Execution.Step(
                step.getId(),
                step.getStepName(),
                step.getStatus().name(),
                step.getExitStatus().getExitCode(),
                step.getEndTime(),
                List.of(
                        step.getCommitCount(),
                        step.getReadCount(),
                        step.getFilterCount(),
                        step.getWriteCount(),
                        step.getReadSkipCount(),
                        step.getWriteSkipCount(),
                        step.getProcessSkipCount(),
                        step.getRollbackCount()),
                new TreeMap<>(step.getExecutionContext().toMap()));
    }

    @Override
    public Long instanceOfParameters(long execution) {
        JobInstance instance = repository.getJobInstance(
                Work.JOB, repository.getJobExecution(execution).getJobParameters());
        return instance == null ? null : instance.getId();
    }

    @Override
    @SuppressWarnings("removal")
    public long restart(long execution) throws Exception {
        return operator.restart(execution);
    }

    @Override
    public void stop(long execution) throws Exception {
        operator.stop(repository.getJobExecution(execution));
    }

    @Override
    public void abandon(long execution) throws Exception {
        operator.abandon(repository.getJobExecution(execution));
    }

    @Override
    public void recover(long execution) {
        operator.recover(repository.getJobExecution(execution));
    }

    @Override
    public void deleteInstanceOf(long execution) {
        repository.deleteJobInstance(repository.getJobExecution(execution).getJobInstance());
    }

    @Override
    public String version() {
        return "6.0";
    }
}
