-- The functions that view_increment.lua and pause.lua share: the process puts this text before theirs.
-- It decides as core/domain/src/playback/viewer.rs does, state for state.
--
-- The hash of a viewer has the fields last, credit and views (instants in microseconds since 1970; 0
-- before the first request), ads (seconds; absent before the first pause) and open: a text of
-- video:since:credit:pause:uncounted for each open session, separated by commas. The last number is the
-- credited seconds of a session whose view does not count yet, otherwise -1.
--
-- All numbers are whole. Those that decide are below 2^53, so that Lua calculates them exactly.
local MAX_OPEN_SESSIONS = 32
local MICROS_PER_S = 1000000

local function text(number)
    return string.format('%.0f', number)
end

-- Returns the server's time in microseconds. If a clock is wrong, returns no time but the reply: the ID
-- of an entry decides its day, and IDs never decrease.
local function checked_time(stream, process_ms, tolerance_ms)
    local time = redis.call('TIME')
    local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    if math.abs(now_ms - tonumber(process_ms)) > tonumber(tolerance_ms) then
        return nil, {'clock', text(now_ms)}
    end
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id'
            and tonumber(string.match(info[i + 1], '^(%d+)-')) > now_ms + tonumber(tolerance_ms) then
            return nil, {'ahead', info[i + 1], text(now_ms)}
        end
    end
    return tonumber(time[1]) * MICROS_PER_S + tonumber(time[2])
end

-- Returns the reply if too many entries wait to be persisted. Counts unread entries and entries that
-- were read but not acknowledged.
local function full_backlog(stream, name, max)
    local waiting, is_known = redis.call('XLEN', stream), false
    for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        local group = {}
        for i = 1, #of_group, 2 do
            group[of_group[i]] = of_group[i + 1]
        end
        -- The lag is unknown while a deleted entry lies ahead of the group. Then every entry of the
        -- stream counts as waiting, and the caller restores the lag (restore_lag.lua).
        if group['name'] == name and group['lag'] then
            waiting, is_known = group['lag'] + group['pending'], true
        end
    end
    if waiting >= tonumber(max) then
        return {'backlog', waiting, is_known and '1' or '0'}
    end
end

-- Takes a request of a rate limit. Returns the next TAT; without one, the milliseconds (rounded up)
-- after which the request is allowed.
local function take(tat, now, interval, burst)
    -- A TAT beyond the latest possible one is that of another clock or of an earlier rule.
    local latest = now + interval * burst
    if tat > latest then
        tat = latest - interval
    end
    local next_tat = math.max(tat, now) + interval
    local allowed_at = next_tat - interval * burst
    if now < allowed_at then
        return nil, math.floor((allowed_at - now + 999) / 1000)
    end
    return next_tat
end

-- Returns the place of a video's session in the list.
local function find_session(viewer, video)
    for i, session in ipairs(viewer.open) do
        if session.video == video then
            return i
        end
    end
end

-- Opens the session of a video again. If there are too many, closes the one with the oldest contact.
local function open_session(viewer, video, since, uncounted)
    local at = find_session(viewer, video)
    if not at and #viewer.open >= MAX_OPEN_SESSIONS then
        at = 1
        for i, session in ipairs(viewer.open) do
            if session.since < viewer.open[at].since then
                at = i
            end
        end
    end
    if at then
        table.remove(viewer.open, at)
    end
    viewer.open[#viewer.open + 1] = {video = video, since = since,
        credit = math.max(viewer.credit, since), pause = 0, uncounted = uncounted}
end

-- Advances the viewer's time to now. After a small step back of the clock it stands still. After a
-- larger one, all instants move back with the clock.
local function advance(viewer, now, tolerance)
    local step = viewer.last - now
    if step > tolerance then
        viewer.credit, viewer.views = viewer.credit - step, viewer.views - step
        for _, session in ipairs(viewer.open) do
            session.since, session.credit = session.since - step, session.credit - step
            session.pause = session.pause - step
        end
        viewer.last = now
    end
    viewer.last = math.max(viewer.last, now)
end

-- Reads a viewer, advances its time, and reads the session of a video: a hash of the position (s). A
-- version before the budgets also wrote since (microseconds) and open (1); such a session joins the list.
-- Returns the viewer, the position of the session if it is open, and its position in any case.
local function read_viewer(key, session_key, video, now, tolerance_ms)
    local stored = redis.call('HMGET', key, 'last', 'credit', 'views', 'ads', 'open')
    local viewer = {
        last = tonumber(stored[1] or 0),
        credit = tonumber(stored[2] or 0),
        views = tonumber(stored[3] or 0),
        ads = stored[4] and tonumber(stored[4]),
        open = {},
    }
    local tolerance = tonumber(tolerance_ms) * 1000
    for id, since, credit, pause, uncounted in
        string.gmatch(stored[5] or '', '(%d+):(%-?%d+):(%-?%d+):(%-?%d+):(%-?%d+)') do
        viewer.open[#viewer.open + 1] = {
            video = id,
            since = tonumber(since),
            credit = tonumber(credit),
            pause = tonumber(pause),
            uncounted = tonumber(uncounted),
        }
    end
    advance(viewer, now, tolerance)
    local session = redis.call('HMGET', session_key, 'position', 'since', 'open')
    viewer.is_adopted = session[3] == '1'
    if viewer.is_adopted then
        -- A time of the future is that of a wrong clock.
        local since = tonumber(session[2])
        if since > viewer.last + tolerance then
            since = viewer.last
        end
        viewer.last = math.max(viewer.last, since)
        open_session(viewer, video, since, -1)
    end
    local position = session[1] and tonumber(session[1])
    return viewer, find_session(viewer, video) and position, position
end

-- Writes a viewer, and removes the fields of an adopted session.
local function write_viewer(viewer, key, session_key, ttl)
    local open = {}
    for i, session in ipairs(viewer.open) do
        open[i] = string.format('%s:%.0f:%.0f:%.0f:%.0f', session.video, session.since,
            session.credit, session.pause, session.uncounted)
    end
    local fields = {'last', text(viewer.last), 'credit', text(viewer.credit),
        'views', text(viewer.views), 'open', table.concat(open, ',')}
    if viewer.ads then
        fields[9], fields[10] = 'ads', text(viewer.ads)
    end
    redis.call('HSET', key, unpack(fields))
    redis.call('EXPIRE', key, ttl)
    if viewer.is_adopted then
        redis.call('HDEL', session_key, 'since', 'open')
    end
end

-- Adds to a suppressed count of the day. A count of 0 adds nothing.
local function suppress(key, video, reason, count, ttl)
    if count > 0 then
        redis.call('HINCRBY', key, video .. ':' .. reason, text(count))
        redis.call('EXPIRE', key, ttl)
    end
end

