-- Rooms, and whoever is a superuser, register what they have to do: by a function
-- that returns a row of a type made for it.
\set ON_ERROR_STOP off
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION zcsync;
SELECT FROM zcsync.setup();
SELECT zcsync.stop();

SELECT name, place, added IS NOT NULL AS added, altered IS NOT NULL AS altered, count IS NOT NULL AS counted, remove IS NOT NULL AS removed
FROM zcsync._account_parts() ORDER BY place;
SELECT name, written, replaced, stream_removed, outranking FROM zcsync._listeners();
SELECT name FROM zcsync._operations() WHERE run IS NOT NULL AND has_due IS NOT NULL;

-- something that belongs to accounts
CREATE TABLE shoes (account_id bigint, color text);
CREATE FUNCTION give_shoes(account bigint) RETURNS void LANGUAGE sql AS $$ INSERT INTO public.shoes VALUES (account, 'brown') $$;
CREATE FUNCTION paint_shoes(account bigint) RETURNS void LANGUAGE sql AS $$ UPDATE public.shoes SET color = 'red' WHERE account_id = account $$;
CREATE FUNCTION count_shoes(account bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM public.shoes WHERE account_id = account $$;
CREATE FUNCTION remove_shoes(account bigint) RETURNS text LANGUAGE sql AS
$$ DELETE FROM public.shoes WHERE account_id = account; SELECT NULL $$;
CREATE FUNCTION account_shoes() RETURNS zcsync.account_part LANGUAGE sql AS
$$ SELECT zcsync._describe_account_part('shoes', 45, 'public.give_shoes(bigint)', 'public.paint_shoes(bigint)', 'public.count_shoes(bigint)',
	'public.remove_shoes(bigint)') $$;
SELECT zcsync.add_account('a', 'zendesk', '{"subdomain": "a"}') IS NOT NULL AS added;
SELECT color FROM shoes;
SELECT zcsync.alter_account('a', '{"budget_share": 0.5}');
SELECT color FROM shoes;
SELECT zcsync.alter_account('a', '{"subdomain": "b"}');
SELECT zcsync.remove_account('a');
SET client_min_messages = notice;
SELECT zcsync.remove_account('a', force => true);
SET client_min_messages = warning;
SELECT count(*) FROM shoes;
-- what has not the right arguments is not called
CREATE OR REPLACE FUNCTION account_shoes() RETURNS zcsync.account_part LANGUAGE sql AS
$$ SELECT zcsync._describe_account_part('shoes', 45, p_added => 'public.count_shoes(bigint)') $$;
SELECT zcsync.add_account('a', 'zendesk', '{"subdomain": "a"}');
DROP FUNCTION account_shoes, remove_shoes, count_shoes, paint_shoes, give_shoes;
DROP TABLE shoes;
SELECT zcsync.add_account('a', 'zendesk', '{"subdomain": "a"}') IS NOT NULL AS added;

-- who listens to mirror rows: once a statement, with all rows
SELECT FROM zcsync.add_stream('a', 'tickets');
SELECT FROM zcsync.alter_stream('a/tickets', writes => true);
CREATE TABLE heard (id bigint GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION hear(kind text, accounts bigint[], ids bigint[], old jsonb[], origins zcsync.origin[], updated_at timestamptz[]) RETURNS void LANGUAGE sql AS
$$ INSERT INTO public.heard (what) VALUES (format('%s of %s, before: %s, by %s', cardinality(ids), kind, old, (origins[1]).cause)) $$;
CREATE FUNCTION keep(stream bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the stream stays'; END $$;
CREATE FUNCTION ear() RETURNS zcsync.listener LANGUAGE sql AS
$$ SELECT zcsync._describe_listener('ear', 'public.hear(text, bigint[], bigint[], jsonb[], zcsync.origin[], timestamptz[])', p_stream_removed => 'public.keep(bigint)') $$;
INSERT INTO zcsync.tickets (account_id, subject) SELECT zcsync.account('a'), s FROM unnest('{x,y,z}'::text[]) AS s;
UPDATE zcsync.tickets SET subject = subject || '!' WHERE subject <> 'z';
UPDATE zcsync.tickets SET subject = subject;
SELECT what FROM heard ORDER BY id;
SELECT zcsync.remove_stream('a/tickets');
DROP FUNCTION ear;
UPDATE zcsync.tickets SET subject = subject || '?';
SELECT count(*) FROM heard;
SELECT zcsync.remove_stream('a/tickets');

-- what another one than a superuser registers is not called
CREATE ROLE regress_zcsync_stranger;
GRANT USAGE ON SCHEMA zcsync TO regress_zcsync_stranger;
GRANT CREATE ON SCHEMA public TO regress_zcsync_stranger;
SET ROLE regress_zcsync_stranger;
CREATE FUNCTION ear() RETURNS zcsync.listener LANGUAGE sql AS
$$ SELECT ROW('ear', 'public.hear(text, bigint[], bigint[], jsonb[], zcsync.origin[], timestamptz[])'::regprocedure, NULL, NULL, NULL, NULL, NULL, NULL)::zcsync.listener $$;
CREATE FUNCTION part() RETURNS zcsync.account_part LANGUAGE sql AS $$ SELECT ROW('part', 1, NULL, NULL, NULL, NULL, NULL, NULL)::zcsync.account_part $$;
CREATE FUNCTION wants() RETURNS SETOF zcsync.condition LANGUAGE sql AS $$ VALUES (1, 'mine', false, 'never asked', NULL) $$;
RESET ROLE;
SELECT (SELECT count(*) FROM zcsync._listeners() WHERE name = 'ear') AS ears, (SELECT count(*) FROM zcsync._account_parts() WHERE name = 'part') AS parts,
	(SELECT count(*) FROM zcsync.selfcheck() WHERE item = 'mine') AS wants;
DROP FUNCTION ear, part, wants;
REVOKE ALL ON SCHEMA zcsync, public FROM regress_zcsync_stranger;
DROP ROLE regress_zcsync_stranger;

-- selfcheck() asks what is in its schema
CREATE FUNCTION zcsync._my_conditions() RETURNS SETOF zcsync.condition LANGUAGE sql AS $$ VALUES (1, 'mine', false, 'is asked first', 'SELECT 1;') $$;
SELECT * FROM zcsync.selfcheck() LIMIT 1;
DROP FUNCTION zcsync._my_conditions();
-- and shows remarks, which status does not ask for
CREATE FUNCTION zcsync._my_remarks() RETURNS SETOF zcsync.remark LANGUAGE sql AS $$ VALUES (0, 'clock', false, 'is a remark', NULL) $$;
SELECT item, ok, message FROM zcsync.selfcheck() LIMIT 1;
SELECT count(*) FROM zcsync.status WHERE why = 'is a remark';
DROP FUNCTION zcsync._my_remarks();

DROP FUNCTION hear, keep;
DROP TABLE heard;
SET client_min_messages = error;
DROP EXTENSION zcsync CASCADE;
