-- Rings workers: appends tasks to the queue in the form that apalis-redis consumes, as far as fewer
-- than a window of them wait. One call, so that no two dispatchers overfill the window.
--
-- KEYS[1]  hash of payloads by task id
-- KEYS[2]  list of tasks that can be taken
-- KEYS[3]  sorted set of tasks that will be taken later
-- KEYS[4]  list that signals consumers
-- KEYS[5]  what the keys of the tasks' metadata begin with
-- ARGV[1]  the window: the most tasks that may wait
-- ARGV[2…] pairs of task id and payload
-- Returns how many were appended; the rest is dropped.
local room = tonumber(ARGV[1]) - redis.call('LLEN', KEYS[2]) - redis.call('ZCARD', KEYS[3])
local appended = 0
for i = 2, #ARGV - 1, 2 do
    if appended >= room then
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
