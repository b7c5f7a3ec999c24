#!lua flags=allow-oom
-- Seals a day in a shard's stream and returns whether every entry before the seal is persisted. A
-- server that is out of memory seals too: a seal is small, and its day could not be settled.
-- Both happen in one call: between two calls an event that is in time could arrive and become late.
--
-- KEYS[1]  stream
-- ARGV[1]  consumer group
-- ARGV[2]  end of the day, in milliseconds since 1970
-- ARGV[3]  clock of the calling process, in milliseconds since 1970
-- ARGV[4]  tolerance between clocks, in milliseconds
-- Returns 'drained', 'not over' (by this server's clock), 'waiting', 'missing' (the stream), or 'clock'
-- (the process has another time than this server, or the stream is ahead of both).
local stream, group, end_ms = KEYS[1], ARGV[1], ARGV[2]

local function ms_of(id)
    return tonumber(string.match(id, '^(%d+)-'))
end

-- A missing stream is lost, or on another server. It is never treated as an empty one. A missing
-- group is created at ID 0.
if redis.call('EXISTS', stream) == 0 then
    return 'missing'
end
local made = redis.pcall('XGROUP', 'CREATE', stream, group, '0')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then
    return made
end

local info = redis.call('XINFO', 'STREAM', stream)
local last
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        last = info[i + 1]
    end
end
-- A day of a wrong clock is not closed. The events of a stream that is ahead may be moved back.
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if math.abs(now_ms - tonumber(ARGV[3])) > tonumber(ARGV[4])
    or ms_of(last) > now_ms + tonumber(ARGV[4]) then
    return 'clock'
end
if ms_of(last) < tonumber(end_ms) then
    if now_ms < tonumber(end_ms) then
        return 'not over'
    end
    redis.call('XADD', stream, end_ms .. '-0', 'seal', end_ms)
end

local before = '(' .. end_ms .. '-0'
local groups = redis.call('XINFO', 'GROUPS', stream)
for _, of_group in ipairs(groups) do
    local name, delivered
    for i = 1, #of_group, 2 do
        if of_group[i] == 'name' then
            name = of_group[i + 1]
        elseif of_group[i] == 'last-delivered-id' then
            delivered = of_group[i + 1]
        end
    end
    if name == group then
        -- After the day's end no entry belongs to the day, and a range must not run backwards.
        if ms_of(delivered) < tonumber(end_ms)
            and #redis.call('XRANGE', stream, '(' .. delivered, before, 'COUNT', 1) > 0 then
            return 'waiting'
        end
    end
end
if #redis.call('XPENDING', stream, group, '-', before, 1) > 0 then
    return 'waiting'
end
return 'drained'
