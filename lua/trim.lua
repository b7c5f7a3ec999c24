-- Trims old entries of a shard's stream, but never an entry that is not persisted. Deletes consumers
-- that have no pending entries and have been idle for long. The limit is computed and applied in one
-- call: between two calls an entry could be delivered.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- ARGV[2]  retention limit: older entries may be trimmed, in milliseconds since 1970
-- ARGV[3]  maximum idle time of a consumer, in milliseconds
-- Returns the number of trimmed entries.
local stream, group = KEYS[1], ARGV[1]

if redis.call('EXISTS', stream) == 0 then
    return 0
end
local written
for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local name, delivered
    for i = 1, #of_group, 2 do
        if of_group[i] == 'name' then
            name = of_group[i + 1]
        elseif of_group[i] == 'last-delivered-id' then
            delivered = of_group[i + 1]
        end
    end
    if name == group then
        written = delivered
    end
end
-- Without a group no entry was ever persisted.
if not written then
    return 0
end
for _, of_consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local consumer = {}
    for i = 1, #of_consumer, 2 do
        consumer[of_consumer[i]] = of_consumer[i + 1]
    end
    -- A consumer with pending entries must stay: no other consumer would ever get them.
    if consumer['pending'] == 0 and consumer['idle'] > tonumber(ARGV[3]) then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer['name'])
    end
end
local pending = redis.call('XPENDING', stream, group)
if pending[1] > 0 then
    written = pending[2]
end
local floor = ARGV[2] .. '-0'
if tonumber(string.match(written, '^(%d+)-')) < tonumber(ARGV[2]) then
    floor = written
end
return redis.call('XTRIM', stream, 'MINID', '=', floor)
