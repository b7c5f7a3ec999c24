package balance.spring;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.sql.DataSource;
import org.springframework.batch.core.Job;
import org.springframework.batch.core.JobExecution;
import org.springframework.batch.core.JobInstance;
import org.springframework.batch.core.Step;
import org.springframework.batch.core.StepExecution;
import org.springframework.batch.core.configuration.support.MapJobRegistry;
import org.springframework.batch.core.configuration.support.ReferenceJobFactory;
import org.springframework.batch.core.explore.JobExplorer;
import org.springframework.batch.core.explore.support.JobExplorerFactoryBean;
import org.springframework.batch.core.job.builder.JobBuilder;
import org.springframework.batch.core.job.builder.SimpleJobBuilder;
import org.springframework.batch.core.launch.support.SimpleJobOperator;
import org.springframework.batch.core.launch.support.TaskExecutorJobLauncher;
import org.springframework.batch.core.partition.support.PartitionNameProvider;
import org.springframework.batch.core.partition.support.Partitioner;
import org.springframework.batch.core.repository.JobRepository;
import org.springframework.batch.core.repository.support.JobRepositoryFactoryBean;
import org.springframework.batch.core.step.builder.StepBuilder;
import org.springframework.batch.item.ExecutionContext;
import org.springframework.batch.repeat.RepeatStatus;
import org.springframework.jdbc.support.JdbcTransactionManager;

/** Spring Batch 5.2 on Balance's tables. */
final class Adapter implements SpringBatch {
    private final Work work;
    private final JdbcTransactionManager transactions;
    private final JobRepository repository;
    private final JobExplorer explorer;
    private final SimpleJobOperator operator;

    Adapter(DataSource source, String databaseType, Work work) throws Exception {
        this.work = work;
        transactions = new JdbcTransactionManager(source);
        JobRepositoryFactoryBean factory = new JobRepositoryFactoryBean();
        factory.setDataSource(source);
        factory.setTransactionManager(transactions);
        if (databaseType != null) {
            factory.setDatabaseType(databaseType);
        }
        factory.setJobKeyGenerator(new Spring6KeyGenerator());
        factory.setIncrementerFactory(new Spring6Sequences(source));
        factory.afterPropertiesSet();
        repository = factory.getObject();
        JobExplorerFactoryBean explorers = new JobExplorerFactoryBean();
        explorers.setDataSource(source);
        explorers.setTransactionManager(transactions);
        explorers.setJobKeyGenerator(new Spring6KeyGenerator());
        explorers.afterPropertiesSet();
        explorer = explorers.getObject();
        MapJobRegistry registry = new MapJobRegistry();
        registry.register(new ReferenceJobFactory(job()));
        TaskExecutorJobLauncher launcher = new TaskExecutorJobLauncher();
        launcher.setJobRepository(repository);
        launcher.afterPropertiesSet();
        operator = new SimpleJobOperator();
        operator.setJobRepository(repository);
        operator.setJobExplorer(explorer);
        operator.setJobLauncher(launcher);
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
        JobExecution execution = explorer.getJobExecution(id);
        if (execution == null) {
            return null;
        }
        Map<String, Object> parameters = new TreeMap<>();
        execution.getJobParameters()
                .getParameters()
                .forEach((name, parameter) -> parameters.put(name, parameter.getValue()));
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
        JobInstance instance = explorer.getJobInstance(
                Work.JOB, explorer.getJobExecution(execution).getJobParameters());
        return instance == null ? null : instance.getId();
    }

    @Override
    public long restart(long execution) throws Exception {
        return operator.restart(execution);
    }

    @Override
    public void stop(long execution) throws Exception {
        operator.stop(execution);
    }

    @Override
    public void abandon(long execution) throws Exception {
        operator.abandon(execution);
    }

    @Override
    public void recover(long execution) {
        throw new UnsupportedOperationException("Spring Batch 5.2 has no operation recover");
    }

    @Override
    public void deleteInstanceOf(long execution) {
        repository.deleteJobInstance(explorer.getJobExecution(execution).getJobInstance());
    }

    @Override
    public String version() {
        return "5.2";
    }
}
