-- ---------------------------------------------------------------------
-- Who writes a mirror row, and why: the columns sync_cause, sync_cause_id and sync_xid
-- of the row, and cause, cause_id and xid of its history.  notice.sql says what follows
-- from them.
--
-- cause                what wrote                             id
-- local                a person or a program, here
-- pull                 a page or a record that was read       its job
-- push                 the reply to what was sent
-- state                sync_state alone: held, failed, ...
-- route, backfill      a route                                the route
-- cancel               what was changed here is taken back
-- intake and a source  a lead that the source brought         a number of its own
-- match, merge, split  leads that become one, or two again    a number of its own
-- ---------------------------------------------------------------------

CREATE TYPE zcsync.origin AS (
	cause text,
	id bigint,
	xid xid8			-- the transaction: what a restore brings back is no news
);
COMMENT ON TYPE zcsync.origin IS
'who writes a mirror row, and in which transaction';

CREATE FUNCTION zcsync._origin_of(p_cause text, p_id bigint DEFAULT NULL) RETURNS zcsync.origin
LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT ROW(p_cause, p_id, pg_current_xact_id())::zcsync.origin;
END;
COMMENT ON FUNCTION zcsync._origin_of(text, bigint) IS
'the origin of what this transaction writes for this cause';

