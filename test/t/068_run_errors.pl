# What goes wrong outside of a job: errors of a commit, a role that is gone, a
# claimant that cannot be recorded.  Neither a session nor a worker ends by it,
# or grows; and a worker follows its limits when they are changed.

use strict;
use warnings;
use utf8;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 20, '--tasks', 5, '--zendesk-plan', 'none', '--clickup-plan', 'none');
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my $node = new_node('main', conf => "zcsync.databases = ''\nzcsync.request_timeout = 10min\nzcsync.http_max_connections = 2");
$node->start;
setup_zcsync($node, 'postgres');
add_simulated_accounts($node, 'postgres', $simulator);

sub value { return $node->safe_psql('postgres', $_[0]); }
sub set { value("ALTER SYSTEM SET $_[0]"); $node->reload; }

# ---------------------------------------------------------------------
# CALL zcsync.run()
# ---------------------------------------------------------------------

value(q{SELECT zcsync.add_stream('acme', 'tickets', since => '2000-01-01');
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''refused at commit''; END';
	CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON zcsync.tickets DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION refuse()});
my ($rc, $out, $err) = $node->psql('postgres', q{CALL zcsync.run('1 min')});
is($rc, 0, 'an error of a commit does not end the session');
is(value(q{SELECT last_class || ' ' || last_error FROM zcsync.sync_queue WHERE last_error IS NOT NULL}),
	'broken could not store the reply: refused at commit', 'but is the failure of its job');
value(q{DROP TRIGGER refuse ON zcsync.tickets; UPDATE zcsync.account_budgets SET tokens = 5; UPDATE zcsync.sync_queue SET run_at = now()});
run_worker($node, 'postgres');
is(value('SELECT count(*) FROM zcsync.tickets'), 20, 'which goes on when it can');

my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');

# run() is called and waits for something to do.
sub call_run
{
	$session->query_until(qr/going/, "\\echo going\nCALL zcsync.run('1 min', until_idle => false);\n");
	$node->poll_query_until('postgres', "SELECT query LIKE 'CALL%' AND wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid")
	  or die 'run() does not run';
	return;
}

call_run();
value('ALTER ROLE zcsync_worker RENAME TO somebody_else');
is($session->query('SELECT 6 * 7'), 42, 'without its role, run() ends and the session does not');
like($session->{stderr}, qr/DETAIL:  Role "zcsync_worker" does not exist/, 'and it says why');
value('ALTER ROLE somebody_else RENAME TO zcsync_worker');

sub memory { return (slurp_file("/proc/$pid/status") =~ /RssAnon:\s+(\d+)/)[0]; }

set('zcsync.poll_interval = 10');
$session->query('SELECT 1');
call_run();
wait_for_rounds($pid, 100);
# what is done from time to time is compiled when it comes first; a leak is in all rounds
my $growth;
for (1 .. 4)
{
	my $memory = memory();
	wait_for_rounds($pid, 300);
	$growth = memory() - $memory;
	last if $growth < 1000;
}
cmp_ok($growth, '<', 1000, 'run() does not grow with its rounds (kB)');
value("SELECT pg_cancel_backend($pid)");
$session->quit;
set('zcsync.poll_interval = 500');

# ---------------------------------------------------------------------
# The worker
# ---------------------------------------------------------------------

value(q{CREATE FUNCTION refuse_claimant() RETURNS trigger LANGUAGE plpgsql
	AS 'BEGIN RAISE EXCEPTION ''%'', repeat(''x'', 225) || U&''\00E9''; END';
	CREATE TRIGGER refuse BEFORE INSERT ON zcsync.claimants FOR EACH ROW EXECUTE FUNCTION refuse_claimant()});
set("zcsync.databases = '*'");
wait_until($node, 'postgres', worker_sql('w.last_error IS NOT NULL'), 'a worker that cannot be recorded says so');
is(value(q{SELECT last_error FROM zcsync._worker_slots() WHERE role = 'worker' AND last_error IS NOT NULL}), 'could not become a claimant: ' . 'x' x 225,
	'in whole characters, where the text is too long');
my $tried = q{SELECT last_error_at FROM zcsync._worker_slots() WHERE role = 'worker'};
for (1 .. 2)
{
	my $last = value($tried);
	$node->poll_query_until('postgres', "SELECT ($tried) > '$last'") or die 'the worker does not try again';
}
is(value(q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND mode = 'ExclusiveLock'}), 1,
	'tries again, and keeps no lock of a number that it did not use');
value('DROP TRIGGER refuse ON zcsync.claimants');
wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM zcsync.claimants WHERE role = 'worker'}, 'and is recorded in the end');

value(q{SELECT zcsync.add_stream('dev', 'tasks'); SELECT zcsync.alter_stream('dev/tasks', writes => true)});
$simulator->post('faults', { fault => 'hang', vendor => 'clickup', method => 'POST', count => 0 });
value("INSERT INTO zcsync.tasks (account_id, list_id, name) SELECT zcsync.account('dev'), '$bugs', 'hanging ' || i FROM generate_series(1, 5) AS i");
sub in_flight { wait_until($node, 'postgres', worker_sql("w.in_flight = $_[0]"), "$_[0] requests are in flight, $_[1]"); }
in_flight(2, 'as many as may be');
set('zcsync.http_max_connections = 4');
in_flight(4, 'after the limit was raised');
set('zcsync.http_max_connections = 1');
wait_for_rounds(worker_pid($node, 'postgres'), 3);
in_flight(4, 'and go on after it was lowered');

is(log_lines($node, 'FATAL|PANIC|terminated by signal'), 0, 'no process ended by an error');
$node->stop;
done_testing();
