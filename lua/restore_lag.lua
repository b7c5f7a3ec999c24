#!lua flags=allow-oom
-- Restores the lag of a consumer group. Redis does not know it while a deleted entry lies ahead of the
-- group, until the group has read the last entry. If the last entry is deleted, that never happens.
--
-- KEYS[1]  stream
-- KEYS[2]  key that limits the counts to one a second
-- ARGV[1]  consumer group
-- ARGV[2]  the most entries to count
-- Returns the number of unread entries; nil if there are more, or if another call has just counted.
local stream, most = KEYS[1], tonumber(ARGV[2])

local function fields(list)
    local of = {}
    for i = 1, #list, 2 do
        of[list[i]] = list[i + 1]
    end
    return of
end

if redis.call('EXISTS', stream) == 0 then
    return nil
end
local group
for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local one = fields(of_group)
    if one['name'] == ARGV[1] then
        group = one
    end
end
if not group then
    return nil
end
if group['lag'] then
    return group['lag']
end
if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', 1000) then
    return nil
end
local delivered = group['last-delivered-id']
local unread = #redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', most + 1)
if unread > most then
    return nil
end
-- Without a deleted entry ahead of the group, Redis computes the lag as a difference of two counters.
local info = fields(redis.call('XINFO', 'STREAM', stream))
local added = math.max(info['entries-added'], info['length'])
redis.call('XSETID', stream, info['last-generated-id'], 'ENTRIESADDED', added, 'MAXDELETEDID', '0-1')
redis.call('XGROUP', 'SETID', stream, ARGV[1], delivered, 'ENTRIESREAD', added - unread)
return unread
