#!lua flags=allow-oom
-- Creates the stream of a shard and its consumer group, also if the server is out of memory: another
-- shard's entries must still be persisted.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- Returns 1.
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then
    return made
end
return 1
