-- Creates a shard's stream without entries, and its consumer group. In one call: between two calls a
-- play could get an ID before the last one of the layout by video.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- ARGV[2]  the ID that each entry follows
-- Returns 'created', or 'known' (the stream).
if redis.call('EXISTS', KEYS[1]) == 1 then
    local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0')
    if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then
        return made
    end
    return 'known'
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if ARGV[2] ~= '0-0' then
    redis.call('XSETID', KEYS[1], ARGV[2])
end
return 'created'
