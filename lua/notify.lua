-- Notifies workers: appends tasks to the queue in the form that apalis-redis consumes, while fewer
-- tasks wait than the window allows. One call, so that two dispatchers cannot exceed the window.
--
-- KEYS[1]  hash of payloads by task id
-- KEYS[2]  list of tasks that are ready
-- KEYS[3]  sorted set of tasks that are scheduled for later
-- KEYS[4]  list that signals consumers
-- KEYS[5]  prefix of the keys of task metadata
-- ARGV[1]  window: the maximum number of waiting tasks
-- ARGV[2…] pairs of task id and payload
-- Returns the number of appended tasks; the others are dropped.
local capacity = tonumber(ARGV[1]) - redis.call('LLEN', KEYS[2]) - redis.call('ZCARD', KEYS[3])
local appended = 0
for i = 2, #ARGV - 1, 2 do
    if appended >= capacity then
        break
    end
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('HSET', KEYS[5] .. ':' .. ARGV[i],
        'attempts', '0', 'max_attempts', '1', 'status', 'Pending', 'idempotency_key', '')
    redis.call('RPUSH', KEYS[2], ARGV[i])
    appended = appended + 1
end
if appended > 0 then
    redis.call('DEL', KEYS[4])
    redis.call('LPUSH', KEYS[4], '1')
end
return appended
