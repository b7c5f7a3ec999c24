#!lua flags=allow-oom
-- Retires a shard's stream of the layout by video when all its entries are persisted: renames it. A
-- process of an older version then finds no stream, and neither appends to it nor closes a day. Check
-- and rename in one call: between two calls an entry could arrive.
--
-- KEYS[1]  stream by video
-- KEYS[2]  the name of the retired stream
-- ARGV[1]  consumer group
-- Returns 'retired', 'waiting', 'both' (streams exist) or 'missing' (neither does).
local stream, retired, group = KEYS[1], KEYS[2], ARGV[1]

if redis.call('EXISTS', stream) == 0 then
    return redis.call('EXISTS', retired) == 1 and 'retired' or 'missing'
end
if redis.call('EXISTS', retired) == 1 then
    return 'both'
end
local delivered
for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local one = {}
    for i = 1, #of_group, 2 do
        one[of_group[i]] = of_group[i + 1]
    end
    if one['name'] == group then
        if one['pending'] > 0 then
            return 'waiting'
        end
        delivered = one['last-delivered-id']
    end
end
-- Without a group no entry was ever persisted.
local unread = delivered and '(' .. delivered or '-'
if #redis.call('XRANGE', stream, unread, '+', 'COUNT', 1) > 0 then
    return 'waiting'
end
redis.call('RENAME', stream, retired)
return 'retired'
