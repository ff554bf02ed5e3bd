# Without preloading: CALL zcsync.run() does the whole main job, whatever the
# session that calls it is like.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 100, '--tasks', 10, '--zendesk-plan', 'none', '--clickup-plan', 'none');
$simulator->post('holdback', { seconds => -1 });
my $node = new_node('main', preload => 0);
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE app');
setup_zcsync($node, 'app');
add_simulated_accounts($node, 'app', $simulator);
sub value { return $node->safe_psql('app', $_[0]) }

# What a session may bring along.
my $session = <<'SQL';
SET default_transaction_isolation = 'serializable';
SET default_transaction_read_only = on;
SET synchronous_commit = off;
SET datestyle = 'German';
SET intervalstyle = 'sql_standard';
SET timezone = 'Asia/Kathmandu';
SET standard_conforming_strings = off;
SET search_path = nowhere;
SET row_security = off;
SET lock_timeout = '1ms';
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET client_min_messages = 'error';
SQL

# Run in a session like that; returns what the session is like afterwards.
sub run
{
	my ($time) = @_;
	return value($session . sprintf(q{CALL zcsync.run('%s'::interval);
		SELECT current_user || ' ' || current_setting('datestyle') || ' ' || current_setting('search_path') || ' ' || current_setting('transaction_isolation')
			|| ' ' || current_setting('lock_timeout') || ' ' || pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'object'}, $time // '2 min'));
}

value(<<'SQL');
UPDATE zcsync.account_budgets SET calls = 100000, tokens = 10000;
SELECT count(*) FROM zcsync.discover('dev');
SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
SELECT zcsync.add_stream('dev', 'tasks', since => '2000-01-01');
SELECT zcsync.add_stream('dev', 'statuses');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SELECT zcsync.alter_queue('task-sync', concurrency => 30);
SQL
like(run(), qr/ German, DMY nowhere serializable 1ms 0$/, 'run() leaves the session as it was');
is(value('SELECT count(*) FROM zcsync.tickets'), 100, 'all tickets are read');
is(value(q{SELECT bool_and(history_state IN ('none', 'done')) FROM zcsync.streams}), 't', 'to the end of history');
is(value(q{SELECT count(*) FROM zcsync.tickets WHERE (remote ->> 'created_at')::timestamptz <> created_at}), 0, 'times are right');

value(<<'SQL');
SELECT zcsync.add_route('bugs', source => 'acme/tickets', target => 'dev/tasks', filter => $$tags @> '{bug}'$$,
	create_in => 'Engineering/Product/Bugs', default_assignee => '185');
SELECT zcsync.map_value('bugs', 'status', s, 'in progress') FROM unnest('{open,pending,hold}'::text[]) AS s;
SELECT zcsync.resume_route('bugs');
SELECT * FROM zcsync.backfill_route('bugs', confirm => true);
SQL
run();
my $bugs = value(q{SELECT count(*) FROM zcsync.tickets WHERE tags @> '{bug}' AND deleted_at IS NULL});
is(value('SELECT count(t.remote_id) FROM zcsync.links l JOIN zcsync.tasks t ON t.local_id = l.target_id'), $bugs, 'each bug has a task');
is(scalar @{ $simulator->get('ledger', operation => 'create', limit => 10000)->{writes} }, $bugs, 'made once');
is(value(q{SELECT count(*) FROM zcsync.errors}), 0, 'without an error');
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE state = 'running'}), 0, 'nothing is left running');

# A change at Zendesk, and one here.
my $id = value(q{SELECT t.remote_id FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.source_id WHERE t.status = 'open' LIMIT 1});
$simulator->post('edit', { account => 'acme', id => $id, fields => { subject => 'changed there' } });
value(q{SELECT zcsync.refresh('acme/tickets')});
run();
is(value(qq{SELECT k.name || ' ' || k.sync_state FROM zcsync.links l JOIN zcsync.tickets t ON t.local_id = l.source_id AND t.remote_id = '$id' JOIN zcsync.tasks k ON k.local_id = l.target_id}),
	'changed there synced', 'a change of a ticket goes to its task in one run()');
value(q{UPDATE zcsync.tasks SET points = 3 WHERE local_id = (SELECT min(target_id) FROM zcsync.links)});
run();
is(scalar(grep { ($_->{points} // 0) == 3 } @{ $simulator->get('state/tasks', workspace => 'dev', limit => 10000)->{tasks} }), 1, 'an UPDATE goes to ClickUp');

# Nothing to do ends at once; a limit of time is kept.
my $before = time;
run('10 min');
cmp_ok(time - $before, '<', 20, 'run() with nothing to do ends');
$simulator->post('faults', { fault => 'delay', vendor => 'clickup', delay_ms => 1000, count => 0 });
value(q{SELECT zcsync.alter_queue('task-sync', concurrency => 1); UPDATE zcsync.tasks SET points = 8 WHERE local_id IN (SELECT target_id FROM zcsync.links)});
$before = time;
run('2 s');
cmp_ok(time - $before, '<', 20, 'run() keeps its time');
is(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE state = 'running'}), 0, 'and finishes what it began');
cmp_ok(value(q{SELECT count(*) FROM zcsync.sync_queue WHERE operation = 'push'}), '>', 0, 'the rest waits');
$simulator->no_faults;
value(q{SELECT zcsync.alter_queue('task-sync', concurrency => 30)});
run();
is(value(q{SELECT count(*) FROM zcsync.tasks WHERE points = 8 AND sync_state = 'synced'}), $bugs, 'and is done by the next one');

# Where it cannot run.
my @refused = (
	[ 'BEGIN; CALL zcsync.run()', qr/cannot be called in a transaction block/ ],
	[ "DO 'BEGIN CALL zcsync.run(); EXCEPTION WHEN division_by_zero THEN NULL; END'", qr/cannot be called in a transaction block/ ],
	[ 'CALL zcsync.run(NULL)', qr/cannot be null/ ],
	[ "CALL zcsync.run('-1 s')", qr/invalid time/ ],
	[ "CALL zcsync.run('1 month')", qr/invalid time/ ],
	[ 'SELECT zcsync.stop(); CALL zcsync.run()', qr/zcsync.stop\(\) was called/ ],
	[ 'CREATE ROLE nobody; SET ROLE nobody; CALL zcsync.run()', qr/permission denied/ ]);
for (@refused)
{
	my ($rc, $out, $err) = $node->psql('app', $_->[0], on_error_stop => 0);
	like($err, $_->[1], $_->[0]);
}
value('SELECT zcsync.start()');

# By an operator who may do nothing else.
value('CREATE ROLE operator LOGIN; GRANT USAGE ON SCHEMA zcsync TO operator; GRANT EXECUTE ON PROCEDURE zcsync.run TO operator');
value(q{SELECT zcsync.refresh('acme/tickets')});
my ($rc, $out, $err) = $node->psql('app', "CALL zcsync.run('1 min'); SELECT current_user", extra_params => [ '-U', 'operator' ]);
is("$rc $out $err", '0 operator ', 'a role with EXECUTE can call it');
($rc, $out, $err) = $node->psql('app', 'CALL zcsync.run(); SELECT count(*) FROM zcsync.credentials', extra_params => [ '-U', 'operator' ], on_error_stop => 0);
like($err, qr/permission denied for table credentials/, 'and has gained no right');

# From a procedure of one's own, as a timer would.
value('CREATE PROCEDURE app_timer() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1 .. 3 LOOP CALL zcsync.run(\'1 min\'); COMMIT; END LOOP; END $$');
($rc, $out, $err) = $node->psql('app', 'CALL app_timer()');
is("$rc $err", '0 ', 'it can be called in a loop of a procedure');

is(log_lines($node, 'PANIC|FATAL|terminated by signal|zcsync could not'), 0, 'nothing failed by the log');
$node->stop;
done_testing();
