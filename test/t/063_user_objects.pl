# Users' own triggers, columns, indexes, foreign keys and policies on the mirror
# tables: they work, and what they refuse hurts one record and no other.

use strict;
use warnings;
use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my $flow = ZcsyncFlow->start('main', tickets => 120, tasks => 10);
my ($node, $simulator) = ($flow->node, $flow->simulator);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};

# Before anything is read: what an application adds.
$flow->accounts;
$flow->value(<<'SQL');
CREATE SCHEMA app;
CREATE ROLE app_reader;
CREATE TABLE app.notes (ticket_id bigint REFERENCES zcsync.tickets (local_id), note text);
CREATE TABLE app.priorities (name text PRIMARY KEY);
INSERT INTO app.priorities VALUES ('low'), ('normal'), ('high'), ('urgent');
CREATE TABLE app.seen (local_id bigint, op text, who text, in_transaction xid8 DEFAULT pg_current_xact_id());
ALTER TABLE zcsync.tickets ADD COLUMN app_score numeric NOT NULL DEFAULT 0, ADD COLUMN app_owner text,
	ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.english', coalesce(left(subject, 500), ''))) STORED,
	ADD CONSTRAINT app_priority FOREIGN KEY (priority) REFERENCES app.priorities;
CREATE INDEX app_search ON zcsync.tickets USING gin (search);
CREATE INDEX app_upper ON zcsync.tickets (upper(left(subject, 100)));
ALTER TABLE zcsync.tasks ADD COLUMN app_note text DEFAULT 'none';
CREATE FUNCTION app.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	INSERT INTO app.seen (local_id, op, who) VALUES (NEW.local_id, TG_OP, session_user);
	PERFORM pg_advisory_unlock_all();
	RETURN NULL;
END $$;
CREATE TRIGGER app_see AFTER INSERT OR UPDATE ON zcsync.tickets FOR EACH ROW EXECUTE FUNCTION app.see();
CREATE FUNCTION app.score() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.app_score := length(NEW.subject);
	IF NEW.remote_id IN ('17', '63') THEN
		RAISE EXCEPTION 'app refuses ticket %', NEW.remote_id;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER app_score BEFORE INSERT OR UPDATE ON zcsync.tickets FOR EACH ROW EXECUTE FUNCTION app.score();
ALTER TABLE zcsync.tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE zcsync.tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY app_urgent ON zcsync.tickets TO app_reader USING (priority = 'urgent');
GRANT USAGE ON SCHEMA zcsync TO app_reader;
GRANT SELECT ON zcsync.tickets TO app_reader;
SQL
$flow->value(<<'SQL');
SELECT zcsync.alter_queue('ticket-sync', backoff_base => '200 ms');
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 second', comments => 'none');
SELECT zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 second', comments => 'none');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SQL

# A trigger that refuses two tickets.
wait_until($node, 'postgres', q{SELECT history_state = 'done' FROM zcsync.streams WHERE kind = 'tickets'}, 'history is read to its end');
is($flow->value('SELECT count(*) FROM zcsync.tickets'), 118, 'the neighbours of what the trigger refuses are stored');
wait_until($node, 'postgres', 'SELECT count(*) = 2 FROM zcsync.dead_letters', 'the two are dead letters');
is($flow->value(q{SELECT string_agg(d.class || ' ' || d.message || ' ' || (d.hint <> ''), '; ' ORDER BY d.message) FROM zcsync.dead_letters d}),
	'broken app refuses ticket 17 true; broken app refuses ticket 63 true', 'with what the trigger said, and a hint');
like($flow->value(q{SELECT string_agg(reference || ' ' || message, '; ' ORDER BY message) FROM zcsync.errors}), qr{^acme/tickets/17 broken: app refuses ticket 17; acme/tickets/63 broken: app refuses ticket 63$}, 'the errors view names them');
is($flow->value('SELECT bool_and(app_score = length(subject)) FROM zcsync.tickets'), 't', 'a BEFORE trigger sets its column');
is($flow->value('SELECT count(*) FROM app.seen'), 118, 'an AFTER trigger sees each row once');
is($flow->value(q{SELECT count(*) > 0 AND count(*) = count(*) FILTER (WHERE subject ILIKE '%printer%') FROM zcsync.tickets WHERE search @@ 'printer'}), 't', 'a generated column is there');
is($flow->value(q{SET ROLE app_reader; SELECT count(*) > 0 AND count(*) < 118 AND bool_and(priority = 'urgent') FROM zcsync.tickets}), 't', 'a policy holds');
is($flow->value('SELECT bool_and(zcsync._claimant_alive(incarnation)) FROM zcsync.claimants'), 't', 'the worker still owns its jobs');

# The stream goes on; mended, the two come back.
$simulator->post('edit', { account => 'acme', id => 5, fields => { subject => 'goes on' } });
wait_until($node, 'postgres', q{SELECT subject = 'goes on' AND app_score = 7 FROM zcsync.tickets WHERE remote_id = '5'}, 'the stream goes on');
$flow->value(q{UPDATE zcsync.tickets SET app_owner = 'me' WHERE remote_id = '5'; INSERT INTO app.notes SELECT local_id, 'noted' FROM zcsync.tickets WHERE remote_id = '5'});
is($flow->value(q{SELECT sync_state FROM zcsync.tickets WHERE remote_id = '5'}), 'synced', 'a column of the user is written, and is no edit');
$flow->value(q{DROP TRIGGER app_score ON zcsync.tickets; SELECT zcsync.retry(job_id) FROM zcsync.dead_letters});
wait_until($node, 'postgres', 'SELECT count(*) = 120 FROM zcsync.tickets', 'what was refused is stored after retry()');
is($flow->value('SELECT count(*) FROM zcsync.errors'), 0, 'no error is left');
$simulator->post('edit', { account => 'acme', id => 5, fields => { subject => 'once more' } });
wait_until($node, 'postgres', q{SELECT subject = 'once more' AND app_owner = 'me' FROM zcsync.tickets WHERE remote_id = '5'}, 'a column of the user survives the next page');

# A constraint that a vendor's value does not satisfy.
$flow->value(q{ALTER TABLE zcsync.tickets ADD CONSTRAINT app_no_shouting CHECK (subject <> upper(subject)) NOT VALID});
$simulator->post('edits', [ map { { account => 'acme', id => $_, fields => { subject => $_ == 8 ? 'SHOUTING' : "calm $_" } } } 6 .. 10 ]);
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.dead_letters WHERE message LIKE '%violates check constraint "app_no_shouting"%'}, 'a check constraint refuses one');
is($flow->value(q{SELECT count(*) FROM zcsync.tickets WHERE subject LIKE 'calm %'}), 4, 'and only that');
$simulator->post('edit', { account => 'acme', id => 8, fields => { subject => 'calmed down' } });
wait_until($node, 'postgres', q{SELECT subject = 'calmed down' FROM zcsync.tickets WHERE remote_id = '8'}, 'the next change of it is taken');
$flow->value('ALTER TABLE zcsync.tickets DROP CONSTRAINT app_no_shouting; SELECT zcsync.retry(job_id) FROM zcsync.dead_letters');
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.dead_letters) AND NOT EXISTS (SELECT FROM zcsync.sync_queue WHERE operation = 'apply')}, 'what was refused is retried');
is($flow->value(q{SELECT subject FROM zcsync.tickets WHERE remote_id = '8'}), 'calmed down', 'and does not come back over the newer change');

# A trigger that queues work of its own, inside a page: that is a local write.
$flow->value(qq{CREATE FUNCTION app.make_task() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
	BEGIN
		INSERT INTO zcsync.tasks (account_id, list_id, name) SELECT zcsync.account('dev'), '$bugs', 'by trigger ' || n.remote_id
		FROM new_rows n JOIN old_rows o USING (local_id) WHERE n.status = 'solved' AND o.status <> 'solved';
		RETURN NULL;
	END \$\$;
	CREATE TRIGGER app_make_task AFTER UPDATE ON zcsync.tickets REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION app.make_task()});
my @open = split /\n/, $flow->value(q{SELECT remote_id FROM zcsync.tickets WHERE status = 'open' AND deleted_at IS NULL ORDER BY local_id LIMIT 3});
$simulator->post('edits', [ map { { account => 'acme', id => $_, fields => { status => 'solved' } } } @open ]);
wait_until($node, 'postgres', q{SELECT count(*) = 3 FROM zcsync.tasks WHERE name LIKE 'by trigger %' AND sync_state = 'synced'}, 'a trigger makes tasks of tickets');
is($flow->writes->{create}, 3, 'each once');
is($flow->value(q{SELECT string_agg(DISTINCT cause, ',') FROM zcsync.changes WHERE kind = 'tasks' AND action = 'insert'}), 'local', 'they count as local');
$flow->value('DROP TRIGGER app_make_task ON zcsync.tickets');

# An error when the outcome of a create is stored: the task was made at
# ClickUp.  It is found there, not made again.
$flow->value(<<'SQL');
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.remote_id IS NOT NULL AND NEW.name LIKE 'refused %' THEN
		RAISE EXCEPTION 'app refuses task %', NEW.name;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER app_refuse BEFORE UPDATE ON zcsync.tasks FOR EACH ROW EXECUTE FUNCTION app.refuse();
SELECT zcsync.pause_queue('task-sync');
SQL
$flow->value("INSERT INTO zcsync.tasks (account_id, list_id, name) SELECT zcsync.account('dev'), '$bugs', CASE WHEN n % 4 = 0 THEN 'refused ' ELSE 'accepted ' END || n FROM generate_series(1, 20) AS n");
$flow->value(q{SELECT zcsync.alter_queue('task-sync', max_attempts => 5), zcsync.resume_queue('task-sync')});
wait_until($node, 'postgres', q{SELECT count(*) = 15 FROM zcsync.tasks WHERE name LIKE 'accepted %' AND sync_state = 'synced'}, 'the neighbours of what a trigger refuses are finished');
wait_until($node, 'postgres', q{SELECT count(*) = 5 FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready' AND unclear_since IS NOT NULL
	AND last_error LIKE 'could not store the reply: app refuses task refused %'}, 'the others wait, with what the trigger said');
is($flow->writes->{create}, 23, 'each was created once');
is($flow->value('SELECT bool_and(zcsync._claimant_alive(incarnation)) FROM zcsync.claimants'), 't', 'the worker still owns its jobs');
for my $round (1, 2)
{
	$flow->advance(100);
	wait_until($node, 'postgres', qq{SELECT count(*) = 5 FROM zcsync.sync_queue WHERE operation = 'push' AND state = 'ready' AND failures >= $round + 1}, "tried again ($round)");
}
is($flow->writes->{create}, 23, 'and not created again');
# Meanwhile the page must not store them as strangers.
$flow->value('DROP TRIGGER app_refuse ON zcsync.tasks');
$flow->advance(300);
$flow->settle('without the trigger');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE name LIKE 'refused %' AND remote_id IS NOT NULL AND sync_state = 'synced'}), 5, 'they are found');
is($flow->value(q{SELECT count(*) FROM zcsync.tasks WHERE name LIKE 'refused %'}), 5, 'each is one row');
is($flow->writes->{create}, 23, 'nothing was created twice');
is($flow->duplicates, 0, 'nor does ClickUp have anything twice');
is($flow->value('SELECT count(*) FROM zcsync.errors'), 0, 'no error is left');

# A trigger that refuses for good: dead letters, and still nothing twice.
$flow->value(q{CREATE TRIGGER app_refuse BEFORE UPDATE ON zcsync.tasks FOR EACH ROW EXECUTE FUNCTION app.refuse();
	SELECT zcsync.alter_queue('task-sync', max_attempts => 2)});
$flow->value("INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', 'refused for good')");
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.sync_queue WHERE operation = 'push' AND unclear_since IS NOT NULL AND state = 'ready'}, 'one is refused');
$flow->advance(400);
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.dead_letters WHERE operation = 'push' AND unclear_since IS NOT NULL}, 'for good: a dead letter');
$flow->value(q{DROP TRIGGER app_refuse ON zcsync.tasks; SELECT zcsync.retry(job_id) FROM zcsync.dead_letters});
$flow->advance(500);
$flow->settle('retried');
is($flow->value(q{SELECT count(*) || ' ' || count(remote_id) || ' ' || min(sync_state) FROM zcsync.tasks WHERE name = 'refused for good'}), '1 1 synced', 'found after retry()');
is($flow->writes->{create}, 24, 'and created once');

is(log_lines($node, 'PANIC|terminated by signal'), 0, 'no process crashed');
# What zcsync refuses is said without the functions between; those of the user
# are for the user to see.
$flow->value(q{CREATE FUNCTION app.ask() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN zcsync.account('nobody'); END $$});
my ($refusal) = ($node->psql('postgres', q{SELECT zcsync.pause_account('nobody')}))[2];
like($refusal, qr/ERROR:  .*"nobody".*\nHINT:/, 'a refusal has its hint');
unlike($refusal, qr/CONTEXT:/, 'and no stack of functions');
for my $sql (q{SELECT zcsync.sync_ticket('nobody/tickets/1')}, q{SELECT zcsync.grant_reader('nobody')}, q{SELECT zcsync.sync_task('nonsense')}, q{SELECT zcsync.add_account('bad', 'clickup', '{"workspace_id": "1", "base_url": "http://"}')},
	q{SELECT * FROM zcsync.explain_lead('a/b')}, q{SELECT zcsync.set_credentials('dev', '{"token": "file:../x"}')})
{
	($refusal) = ($node->psql('postgres', $sql))[2];
	like($refusal, qr/ERROR:/, "refused: $sql");
	unlike($refusal, qr/CONTEXT:/, 'without a stack of functions');
}
my %listed = map { $_ => 1 } slurp_file(dirname(__FILE__) . '/../../src/refusal.c') =~ /sql_functions\[\] = \{(.*?)\}/s ? $1 =~ /"(\w+)"/g : ();
is(join(' ', sort keys %listed), $flow->value(q{SELECT string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname) FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace = 'zcsync'::regnamespace AND l.lanname = 'sql' AND p.proname !~ '^_' AND (p.proconfig IS NOT NULL OR p.prosecdef OR p.proretset)}), 'all functions in SQL that are called are known');
$flow->value(q{CREATE FUNCTION app.ask_sql() RETURNS bigint LANGUAGE sql SET search_path = '' AS $$ SELECT zcsync.sync_ticket('nobody/tickets/1') $$;
	CREATE FUNCTION app._ask_sql() RETURNS bigint LANGUAGE sql SET search_path = '' AS $$ SELECT zcsync.sync_ticket('nobody/tickets/1') $$});
like(($node->psql('postgres', "SELECT app.$_()"))[2], qr/CONTEXT:.*SQL function "$_"/s, 'but within functions of the user in SQL') for qw(ask_sql _ask_sql);
($refusal) = ($node->psql('postgres', 'SELECT app.ask()'))[2];
like($refusal, qr/CONTEXT:.*PL\/pgSQL function app\.ask\(\)/s, 'but within functions of the user');
$flow->value(q{CREATE TABLE app.asked (n integer, account bigint DEFAULT zcsync.account('nobody'))});
($refusal) = ($node->psql('postgres', "COPY app.asked (n) FROM stdin;\n1\n\\.\n"))[2];
like($refusal, qr/CONTEXT:.*COPY asked, line 1/s, 'or at a line of a file');

$node->stop;
done_testing();
