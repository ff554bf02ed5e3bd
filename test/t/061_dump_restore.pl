# A dump can be restored strictly, sends nothing from where it is restored, and
# goes on from there, without doing anything twice, when it is told to.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $files = PostgreSQL::Test::Utils::tempdir();
my $simulator = start_simulator('--tickets', 100, '--tasks', 10, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
$simulator->post('holdback', { seconds => -1 });

sub write_file
{
	my ($name, $text) = @_;
	open my $fh, '>', "$files/$name" or die $!;
	print $fh $text;
	close $fh;
}

write_file('zendesk_secret', 'secret-acme');
write_file('zendesk_client', 'client-acme');
write_file('clickup_token', 'pk_183_DEV');
my $conf = "zcsync.credentials_directory = '$files'\nlog_statement = none";
my $node = new_node('main', conf => $conf);
my $other = new_node('other', conf => $conf);
$_->start for $node, $other;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(original restored data_only);
$other->safe_psql('postgres', 'CREATE DATABASE original');
sub value { return $node->safe_psql('original', $_[0]) }

# ---------------------------------------------------------------------
# An installation at work, with what its users added
# ---------------------------------------------------------------------
setup_zcsync($node, 'original');
value(sprintf <<'SQL', $simulator->zendesk, $simulator->clickup);
SELECT zcsync.add_account('acme', 'zendesk', settings => '{"subdomain": "acme", "base_url": "%s"}',
	credentials => '{"client_id": "file:zendesk_client", "client_secret": "file:zendesk_secret"}');
SELECT zcsync.add_account('dev', 'clickup', settings => '{"workspace_id": "9001001", "base_url": "%s"}',
	credentials => '{"token": "file:clickup_token"}');
UPDATE zcsync.account_budgets SET calls = 100000, tokens = 10000;
SELECT count(*) FROM zcsync.discover('dev');
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'tasks', since => '2000-01-01', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SELECT zcsync.alter_queue('task-sync', concurrency => 30, backoff_base => '200 ms');
SQL
wait_until($node, 'original', q{SELECT bool_and(history_state IN ('none', 'done') AND last_pull_at IS NOT NULL) FROM zcsync.streams}, 'the original is read');
value(<<'SQL');
SELECT zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks', filter => $$tags @> '{bug}'$$,
	create_in => 'Engineering/Product/Bugs', default_assignee => '185');
SELECT zcsync.map_value('bugs', 'status', s, 'in progress') FROM unnest('{open,pending,hold}'::text[]) AS s;
SELECT zcsync.resume_route('bugs');
SELECT * FROM zcsync.backfill_route('bugs', confirm => true);
ALTER TABLE zcsync.tickets ADD COLUMN app_score numeric, ALTER COLUMN app_score SET DEFAULT 7;
CREATE INDEX app_index ON zcsync.tickets (app_score, subject);
CREATE TABLE public.notes (ticket_id bigint CONSTRAINT notes_ticket REFERENCES zcsync.tickets (local_id), note text);
CREATE TABLE public.fired (n bigint);
CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.fired VALUES (NEW.local_id); RETURN NEW; END $$;
CREATE TRIGGER app_fire AFTER UPDATE ON zcsync.tickets FOR EACH ROW EXECUTE FUNCTION public.fire();
CREATE VIEW public.open_tickets AS SELECT * FROM zcsync.tickets WHERE status = 'open';
INSERT INTO public.notes SELECT local_id, 'a note' FROM zcsync.tickets ORDER BY local_id LIMIT 5;
SQL
my $bugs_count = value(q{SELECT count(*) FROM zcsync.tickets WHERE tags @> '{bug}' AND deleted_at IS NULL});
wait_until($node, 'original', "SELECT count(*) = $bugs_count FROM zcsync.links l JOIN zcsync.tasks t ON t.local_id = l.target_id AND t.sync_state = 'synced'", 'and its route is done');

# What waits when it is dumped: a create, an edit, a held one.
value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'original');
value(qq{INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', 'made once');
	UPDATE zcsync.tasks SET points = 5 WHERE local_id = (SELECT min(target_id) FROM zcsync.links)});

# Everything that is to survive, as text.
my $state = q{SELECT md5(string_agg(x, E'\n' ORDER BY x)) FROM (
	SELECT 'ticket' || to_jsonb(t)::text FROM zcsync.tickets t
	UNION ALL SELECT 'task' || to_jsonb(t)::text FROM zcsync.tasks t
	UNION ALL SELECT 'contact' || to_jsonb(t)::text FROM zcsync.contacts t
	UNION ALL SELECT 'link' || to_jsonb(l)::text FROM zcsync.links l
	UNION ALL SELECT 'stream' || to_jsonb(s)::text FROM zcsync.streams s
	UNION ALL SELECT 'job' || to_jsonb(q)::text FROM zcsync.sync_queue q
	UNION ALL SELECT 'record' || to_jsonb(r)::text FROM zcsync.sync_records r
	UNION ALL SELECT 'change' || to_jsonb(c)::text FROM zcsync.changes c
	UNION ALL SELECT 'account' || to_jsonb(a)::text FROM zcsync.accounts a
	UNION ALL SELECT 'credential' || to_jsonb(c)::text FROM zcsync.credentials c
	UNION ALL SELECT 'budget' || to_jsonb(b)::text FROM zcsync.account_budgets b
	UNION ALL SELECT 'value' || to_jsonb(v)::text FROM zcsync.route_values v
	UNION ALL SELECT 'note' || to_jsonb(n)::text FROM public.notes n) AS s (x)};
my $objects = q{SELECT string_agg(x, E'\n' ORDER BY x) FROM (
	SELECT 'trigger ' || tgname || ' ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal
	UNION ALL SELECT 'index ' || indexrelid::regclass FROM pg_index WHERE indrelid::regclass::text ~ '^(zcsync\.|notes)'
	UNION ALL SELECT 'constraint ' || conname || ' ' || convalidated FROM pg_constraint WHERE conrelid::regclass::text ~ '^(zcsync\.|notes)'
	UNION ALL SELECT 'sequence ' || schemaname || '.' || sequencename || ' ' || coalesce(last_value::text, '-') FROM pg_sequences
	UNION ALL SELECT 'routine ' || p.oid::regprocedure || ' ' || coalesce(p.proacl::text, '') FROM pg_proc p WHERE pronamespace::regnamespace::text ~ '^zcsync'
	UNION ALL SELECT 'relation ' || c.oid::regclass || ' ' || coalesce(c.relacl::text, '') FROM pg_class c WHERE relnamespace::regnamespace::text ~ '^zcsync') AS o (x)};
my ($before_state, $before_objects) = (value($state), value($objects));

# ---------------------------------------------------------------------
# Dump
# ---------------------------------------------------------------------
my $dump = "$files/original.sql";
my $data = "$files/data.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, 'original' ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-f', $data, '--data-only', '--disable-triggers', '-n', 'zcsync', 'original' ], 'pg_dump --data-only');
my $text = slurp_file($dump);
unlike($text, qr/secret-acme|pk_183_DEV/, 'no secret that was given by reference is in the dump');
unlike($text, qr/@{[ unpack 'H*', 'secret-acme' ]}|@{[ unpack 'H*', 'pk_183_DEV' ]}/, 'nor in another form');

# What was sent so far; nothing is to follow.
sub requests { return scalar @{ $simulator->get('requests', limit => 100000)->{requests} } }
sub creates { return scalar @{ $simulator->get('ledger', operation => 'create', limit => 100000)->{writes} } }
my ($requests, $creates) = (requests(), creates());

# psql -1, which stops at the first error.
sub restore
{
	my ($server, $database, $file, $what) = @_;
	my ($out, $err) = ('', '');

	my $ok = IPC::Run::run([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', $file, $server->connstr($database) ], '>', \$out, '2>', \$err);
	ok($ok, "$what: restored in one transaction");
	is($err, '', "$what: without a message");
}

# A copy is as the original was, and silent.
sub is_silent
{
	my ($server, $database, $what) = @_;

	is($server->safe_psql($database, $state), $before_state, "$what: every row is there as it was");
	is($server->safe_psql($database, $objects), $before_objects, "$what: triggers, indexes, constraints, sequences, rights");
	is($server->safe_psql($database, 'SELECT count(*) FROM public.fired'), value('SELECT count(*) FROM public.fired'), "$what: no trigger fired while it was restored");
	$server->safe_psql($database, 'SELECT zcsync.start()');
	wait_until($server, $database, worker_sql("w.state = 'idle' AND w.reason LIKE 'this database is a copy %'"), "$what: no worker runs");
	is($server->safe_psql($database, q{SELECT state || ' ' || to_do FROM zcsync.status WHERE account = '(all)' AND state <> 'no key'}), 'stopped SELECT zcsync.adopt_database();', "$what: the status view says what to do");
	# what is written meanwhile is kept, and not sent
	is($server->safe_psql($database, q{UPDATE zcsync.tasks SET points = 1 WHERE name = 'made once' RETURNING sync_state}), 'pending', "$what: rows can be written");
	my ($rc, $out, $err) = $server->psql($database, "CALL zcsync.run('1 s')");
	like($err, qr/this database is a copy/, "$what: run() refuses");
	($rc, $out, $err) = $server->psql($database, 'DROP EXTENSION zcsync');
	like($err, qr/cannot drop extension zcsync because other objects depend on it/, "$what: DROP EXTENSION refuses while the tables are there");
}

$other->safe_psql('postgres', 'CREATE ROLE zcsync_worker LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE original');
restore($node, 'restored', $dump, 'same server');
is_silent($node, 'restored', 'same server');
restore($other, 'original', $dump, 'other server');
is_silent($other, 'original', 'other server');
is_silent($node, 'copied', 'TEMPLATE');

# Data alone, into tables that setup() made.
$node->safe_psql('data_only', 'CREATE EXTENSION zcsync; SELECT * FROM zcsync.setup(); SELECT zcsync.stop();
	ALTER TABLE zcsync.tickets ADD COLUMN app_score numeric;
	DELETE FROM zcsync.installation; DELETE FROM zcsync.queues; DELETE FROM zcsync.lead_sources; DELETE FROM zcsync.lead_statuses;
	DELETE FROM zcsync.lead_match_rules; DELETE FROM zcsync.lead_score_rules; DELETE FROM zcsync.lead_stage_rules;
	DELETE FROM zcsync.countries; DELETE FROM zcsync.country_names; DELETE FROM zcsync.company_forms; DELETE FROM zcsync.mail_providers;
	DELETE FROM zcsync.alert_rules; DELETE FROM zcsync.slo_targets; DELETE FROM zcsync.business_hours');
wait_for_no_worker($node, 'data_only');
restore($node, 'data_only', $data, 'data only');
is($node->safe_psql('data_only', $state =~ s/UNION ALL SELECT 'note'.*? n\)/)/sr), value($state =~ s/UNION ALL SELECT 'note'.*? n\)/)/sr), 'data only: every row is there as it was');
is($node->safe_psql('data_only', 'SELECT last_value FROM zcsync.local_id_seq'), value('SELECT last_value FROM zcsync.local_id_seq'), 'data only: sequences go on');
$node->safe_psql('data_only', 'SELECT zcsync.start()');
wait_until($node, 'data_only', worker_sql("w.state = 'idle' AND w.reason LIKE 'this database is a copy %'"), 'data only: no worker runs');

# The same where triggers do fire: it is no news either, only slower.
my $fired = "$files/fired.sql";
$node->command_ok([ 'pg_dump', '-f', $fired, '--data-only', '-t', 'zcsync.accounts', '-t', 'zcsync.streams', '-t', 'zcsync.tickets', '-t', 'zcsync.tasks', 'original' ], 'pg_dump of some tables');
$node->safe_psql('postgres', 'CREATE DATABASE some_tables');
$node->safe_psql('some_tables', 'CREATE EXTENSION zcsync; SELECT * FROM zcsync.setup(); SELECT zcsync.stop(); ALTER TABLE zcsync.tickets ADD COLUMN app_score numeric');
wait_for_no_worker($node, 'some_tables');
restore($node, 'some_tables', $fired, 'some tables');
is($node->safe_psql('some_tables', q{SELECT count(*) || ' ' || (SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push' AND local_id IN (SELECT local_id FROM zcsync.tasks WHERE remote_id IS NOT NULL AND sync_state = 'synced'))
	|| ' ' || (SELECT count(*) FROM zcsync.changes) FROM zcsync.tickets}), '100 0 0', 'some tables: restored rows are no edits');

is(requests(), $requests, 'no copy sent a single request');
is(creates(), $creates, 'nothing was created');

# ---------------------------------------------------------------------
# Going on elsewhere
# ---------------------------------------------------------------------
$other->safe_psql('original', 'SELECT * FROM zcsync.setup()');
ok(!-e $other->data_dir . '/zcsync.key', 'the key file stayed behind: where all secrets are references it is not needed');
$other->psql('original', 'SELECT zcsync.adopt_database()');
wait_for_worker($other, 'original', 'a copy that is adopted works');
# a create that waited is looked up first, after a while
$other->append_conf('postgresql.conf', 'zcsync.clock_offset = 130');
$other->reload;
wait_until($other, 'original', q{SELECT remote_id IS NOT NULL AND sync_state = 'synced' FROM zcsync.tasks WHERE name = 'made once'}, 'the create that waited is made');
is(creates(), $creates + 1, 'once');
my $id = value(q{SELECT t.remote_id FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.source_id WHERE t.status = 'open' LIMIT 1});
$simulator->post('edit', { account => 'acme', id => $id, fields => { subject => 'after the move' } });
wait_until($other, 'original', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'after the move' AND sync_state = 'synced'}, 'a change of a ticket reaches its task');
my $new = $simulator->post('create', { account => 'acme', fields => { subject => 'new after the move', tags => ['bug'] } })->{id};
wait_until($other, 'original', q{SELECT count(*) = 1 FROM zcsync.tasks WHERE name = 'new after the move' AND sync_state = 'synced'}, 'a new ticket gets a task');
is(creates(), $creates + 2, 'one');
is($other->safe_psql('original', "SELECT min(local_id) > " . value('SELECT max(local_id) FROM zcsync.tickets') . " FROM zcsync.tickets WHERE remote_id = '$new'"), 't', 'ids go on');
is($simulator->get('stats')->{duplicates}{clickup}{marker}{duplicates} // 0, 0, 'ClickUp has nothing twice');
is($other->safe_psql('original', 'SELECT count(*) FROM zcsync.errors'), 0, 'without an error');

is(log_lines($_, 'PANIC|FATAL|terminated by signal'), 0, 'no process failed') for $node, $other;
$_->stop for $node, $other;
done_testing();
