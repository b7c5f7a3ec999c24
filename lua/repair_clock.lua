#!lua flags=allow-oom
-- Sets a shard's stream back to the time, if its last ID is of the future: new entries would get that
-- time too. The entries of the future must be persisted; they are deleted, because the database moves
-- their events to the current day. One call deletes a bounded number of them.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- ARGV[2]  clock of the calling process, in milliseconds since 1970
-- ARGV[3]  tolerance between clocks, in milliseconds
-- ARGV[4]  the most entries to delete
-- ARGV[5]  the time after which another consumer claims a pending entry, in milliseconds
-- Returns {'right', 0}, {'waiting', 0} (entries are not persisted), {'missing', 0} (the stream),
-- {'clock', milliseconds} (of this server, if the process has another time), {'more', deleted} or
-- {'repaired', deleted}.
local stream, group = KEYS[1], ARGV[1]

local function fields(list)
    local of = {}
    for i = 1, #list, 2 do
        of[list[i]] = list[i + 1]
    end
    return of
end

local function ms_of(id)
    return tonumber(string.match(id, '^(%d+)-'))
end

if redis.call('EXISTS', stream) == 0 then
    return {'missing', 0}
end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if math.abs(now_ms - tonumber(ARGV[2])) > tonumber(ARGV[3]) then
    return {'clock', now_ms}
end
local delivered
for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local one = fields(of_group)
    if one['name'] == group then
        delivered = one['last-delivered-id']
    end
end
-- An entry that was read at a time of the future has been idle for no time until then, and no consumer
-- would claim it from a dead one. If a living one persists it twice, that changes nothing.
if delivered then
    for _, pending in ipairs(redis.call('XPENDING', stream, group, '-', '+', ARGV[4])) do
        if pending[3] == 0 then
            redis.call('XCLAIM', stream, group, pending[2], 0, pending[1], 'IDLE', ARGV[5], 'JUSTID')
        end
    end
end
local info = fields(redis.call('XINFO', 'STREAM', stream))
if ms_of(info['last-generated-id']) <= now_ms + tonumber(ARGV[3]) then
    return {'right', 0}
end
if not delivered
    or #redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1) > 0
    or #redis.call('XPENDING', stream, group, '-', '+', 1) > 0 then
    return {'waiting', 0}
end

local future = string.format('%.0f', now_ms + 1) .. '-0'
local deleted, most = 0, tonumber(ARGV[4])
while deleted < most do
    local entries = redis.call('XRANGE', stream, future, '+', 'COUNT', math.min(1000, most - deleted))
    if #entries == 0 then
        break
    end
    local ids = {}
    for i, entry in ipairs(entries) do
        ids[i] = entry[1]
    end
    deleted = deleted + redis.call('XDEL', stream, unpack(ids))
end
if #redis.call('XRANGE', stream, future, '+', 'COUNT', 1) > 0 then
    return {'more', deleted}
end
local last = string.format('%.0f', now_ms) .. '-18446744073709551615'
local added = math.max(info['entries-added'], info['length'])
redis.call('XSETID', stream, last, 'ENTRIESADDED', added, 'MAXDELETEDID', '0-1')
redis.call('XGROUP', 'SETID', stream, group, last, 'ENTRIESREAD', added)
return {'repaired', deleted}
