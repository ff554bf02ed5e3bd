\echo Use "CREATE EXTENSION zcsync" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off;

-- Made here and not by the control file, so that a schema somebody else made
-- beforehand is an error and not adopted.
CREATE SCHEMA zcsync;
COMMENT ON SCHEMA zcsync IS
'zcsync: tickets, tasks and leads of other systems in step with the tables of this database; SELECT * FROM zcsync.status; shows how it is and what to run';
