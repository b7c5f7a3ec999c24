-- Drops old entries of a shard's stream; never one that has not been written down. Forgets consumers
-- that have nothing and have been silent for long. Computed and applied in one call: asked separately,
-- an entry could be delivered in between.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- ARGV[2]  what is older may go, in milliseconds since 1970
-- ARGV[3]  how long a consumer may be silent, in milliseconds
-- Returns how many entries were dropped.
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
-- Without a group nothing was ever written.
if not written then
    return 0
end
for _, of_consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local consumer = {}
    for i = 1, #of_consumer, 2 do
        consumer[of_consumer[i]] = of_consumer[i + 1]
    end
    -- With entries in its hands it must stay: they would never come to another.
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
