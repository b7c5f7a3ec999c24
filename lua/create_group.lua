#!lua flags=allow-oom
-- Creates the consumer group of a stream, also if the server is out of memory: another shard's entries
-- must still be persisted.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- Returns 'created', or 'missing' (the stream).
if redis.call('EXISTS', KEYS[1]) == 0 then
    return 'missing'
end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then
    return made
end
return 'created'
