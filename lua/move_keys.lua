#!lua flags=allow-oom
-- Moves keys of the layout by video to the shards of their viewers, at most some hundred in a call. May
-- be repeated: a key that is gone was moved before, or its lifetime has ended.
--
-- KEYS[…]  pairs of a key and its new name
-- Returns the number of dropped keys: of two stored replies to one idempotency key, the older stays.
local dropped = 0
for i = 1, #KEYS - 1, 2 do
    local from, to = KEYS[i], KEYS[i + 1]
    if redis.call('EXISTS', from) == 1 and redis.call('RENAMENX', from, to) == 0 then
        dropped = dropped + 1
        -- All replies have the same lifetime, so the older one expires first.
        if redis.call('PTTL', from) < redis.call('PTTL', to) then
            redis.call('RENAME', from, to)
        else
            redis.call('UNLINK', from)
        end
    end
end
return dropped
