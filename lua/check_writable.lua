#!lua
-- Checks that the server accepts writes that need memory. Redis rejects a script with this first line
-- before it runs, if the server is a replica, is loading its data, is out of memory, cannot write to
-- its disk or has too few replicas.
--
-- Returns 1.
return 1
