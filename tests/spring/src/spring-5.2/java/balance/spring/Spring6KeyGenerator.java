package balance.spring;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.springframework.batch.core.JobKeyGenerator;
import org.springframework.batch.core.JobParameter;
import org.springframework.batch.core.JobParameters;
import org.springframework.util.DigestUtils;

/** Generates JOB_KEY as Spring Batch 6 does. With the key of 5.2, Spring would not find Balance's instances. */
final class Spring6KeyGenerator implements JobKeyGenerator<JobParameters> {
    @Override
    public String generateKey(JobParameters parameters) {
        StringBuilder text = new StringBuilder();
        Map<String, JobParameter<?>> sorted = new TreeMap<>(parameters.getParameters());
        sorted.forEach((name, parameter) -> {
            if (parameter.isIdentifying()) {
                text.append("JobParameter{name='").append(name);
                text.append("', value=").append(parameter.getValue());
                text.append(", type=").append(parameter.getType());
                text.append(", identifying=true}");
            }
        });
        return DigestUtils.md5DigestAsHex(text.toString().getBytes(StandardCharsets.UTF_8));
    }
}
