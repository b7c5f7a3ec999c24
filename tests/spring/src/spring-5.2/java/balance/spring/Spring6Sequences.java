package balance.spring;

import javax.sql.DataSource;
import org.springframework.batch.item.database.support.DefaultDataFieldMaxValueIncrementerFactory;
import org.springframework.jdbc.support.incrementer.DataFieldMaxValueIncrementer;

/** Uses the sequence of instances under the name that it has in Spring Batch 6. */
final class Spring6Sequences extends DefaultDataFieldMaxValueIncrementerFactory {
    Spring6Sequences(DataSource source) {
        super(source);
    }

    @Override
    public DataFieldMaxValueIncrementer getIncrementer(String databaseType, String name) {
        return super.getIncrementer(databaseType, name.equals("BATCH_JOB_SEQ") ? "BATCH_JOB_INSTANCE_SEQ" : name);
    }
}
