# Whatever stops data from flowing, or maintenance from running, is in the view
# status within a minute, with what to run; and to run that mends it.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use ZcsyncTest;

my $node = new_node('main', conf => "log_statement = none\nmax_parallel_workers = 0");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE other');
setup_zcsync($node, 'postgres');
wait_for_worker($node, 'postgres');
$node->safe_psql('postgres', q{SELECT zcsync.add_account('crm', 'local', settings => '{}')});
sub value { return $node->safe_psql('postgres', $_[0]) }

sub row
{
	my ($state) = @_;
	return "FROM zcsync.status WHERE account = '(all)' AND state = '$state'";
}

# Something was broken: status says so in these words.
sub shows
{
	my ($what, $state, $why) = @_;

	wait_until($node, 'postgres', 'SELECT EXISTS (SELECT ' . row($state) . " AND why ~ '$why')", "$what: status says \"$state\"")
	  or diag(value('SELECT state, why, to_do FROM zcsync.status'));
	return value('SELECT to_do ' . row($state) . " AND why ~ '$why' LIMIT 1");
}

# What it says to run, mends it.
sub mends
{
	my ($what, $to_do) = @_;
	my ($sql, $then) = split / -- /, $to_do;

	ok($sql =~ /^(?:ALTER|GRANT|SELECT) .*;$/, "$what: there is a statement to run") or diag($to_do);
	# ALTER SYSTEM runs in no transaction block
	value($_) foreach grep { /\S/ } map { "$_;" } split /; */, $sql;
	$node->restart if ($then // '') =~ /restart the server/;
	wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.status WHERE account = '(all)')}, "$what: to run that mends it")
	  or diag(value('SELECT state, why, to_do FROM zcsync.status'));
	wait_for_worker($node, 'postgres', "$what: the worker runs");
	return;
}

sub breaks
{
	my ($what, $sql, $state, $why) = @_;

	value($sql);
	my $to_do = shows($what, $state, $why);
	mends($what, $to_do);
	return;
}
sub conf
{
	my ($line) = @_;

	$node->append_conf('postgresql.conf', $line);
	$node->reload;
	return;
}

wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.status WHERE account = '(all)')}, 'nothing is wrong at first');

# the installation
breaks('stop()', 'SELECT zcsync.stop()', 'stopped', '^zcsync.stop');
value('UPDATE zcsync.installation SET tables_version = tables_version + 1');
like(shows('tables of a later version', 'stopped', '^the tables are of version'), qr/ALTER EXTENSION/, 'tables of a later version: what to run');
value('UPDATE zcsync.installation SET tables_version = tables_version - 2');
is(shows('tables of an earlier version', 'stopped', '^the tables are of version'), 'SELECT * FROM zcsync.setup();', 'tables of an earlier version: what to run');
value('UPDATE zcsync.installation SET tables_version = tables_version + 1; SELECT zcsync.start()');
wait_for_worker($node, 'postgres');

# rights of the workers' role
for my $function (qw(_claim_jobs _due_accounts _enqueue_due _recover_jobs _worker_guard _start_jobs))
{
	breaks("EXECUTE of $function() revoked", "REVOKE EXECUTE ON FUNCTION zcsync.$function FROM zcsync_worker", 'no rights', $function);
}
value('REVOKE EXECUTE ON FUNCTION zcsync._enqueue_due FROM zcsync_worker');
shows('what the worker meets', 'failing', '^could not queue the reads');
value('SELECT FROM zcsync.setup()');
breaks('USAGE revoked', 'REVOKE USAGE ON SCHEMA zcsync FROM zcsync_worker', 'no rights', 'lacks grants');
breaks('no LOGIN', 'ALTER ROLE zcsync_worker NOLOGIN', 'no rights', 'may not log in');
breaks('a superuser', 'ALTER ROLE zcsync_worker SUPERUSER', 'no rights', 'is a superuser');
breaks('no CONNECT', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = $$zcsync worker$$',
	'no rights', 'may not connect');

# a statement of the worker fails
value('ALTER TABLE zcsync.sync_queue RENAME run_at TO ran_at');
shows('a column is gone', 'failing', '^could not');
value('ALTER TABLE zcsync.sync_queue RENAME ran_at TO run_at');
wait_until($node, 'postgres', 'SELECT NOT EXISTS (SELECT ' . row('failing') . ')', 'a column is gone: it is shown no longer than it lasts');

# no process for this database
conf('zcsync.databases = other');
wait_for_no_worker($node, 'postgres');
mends('another database is named', shows('another database is named', 'no worker', '^zcsync.databases does not name'));
value('ALTER DATABASE postgres IS_TEMPLATE true');
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zcsync worker'});
mends('a template', shows('a template', 'no worker', '^this database is a template'));
for (1 .. 3)
{
	wait_for_worker($node, 'postgres');
	my $pid = worker_pid($node, 'postgres');
	value("SELECT pg_terminate_backend($pid)");
	wait_until($node, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'a worker ends');
}
shows('a worker that ends again and again', 'no worker', 'ended');
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
mends('no room for the launcher', shows('no room for the launcher', 'no worker', '^the launcher is not running'));

# settings and files
conf('zcsync.writes = off');
mends('zcsync.writes', shows('zcsync.writes', 'read only', '^zcsync.writes is off'));
value(q{SET log_statement = none; SELECT zcsync.add_account('dev', 'clickup', settings => '{"workspace_id": "1", "base_url": "http://127.0.0.1:1"}', credentials => '{"token": "pk_1"}')});
rename $node->data_dir . '/zcsync.key', $node->data_dir . '/gone.key' or die "rename: $!";
like(shows('the key file is gone', 'no key', 'key file'), qr/\w/, 'the key file is gone: what to do');
rename $node->data_dir . '/gone.key', $node->data_dir . '/zcsync.key' or die "rename: $!";
wait_until($node, 'postgres', 'SELECT NOT EXISTS (SELECT ' . row('no key') . ')', 'and is no trouble once it is back');

# Each state is explained: those of conditions, and those that the functions behind the
# view name.
my $manual = slurp_file("$FindBin::Bin/../../doc/operations.md");
my @states = split /\n/, value(q{
	SELECT DISTINCT state FROM (
		SELECT zcsync._trouble_state(item) FROM zcsync.selfcheck()
		UNION ALL
		SELECT s.state[1] FROM pg_proc AS p
		CROSS JOIN LATERAL regexp_matches(p.prosrc, 'SELECT [0-3], (?:[^,;]*, )??(?:CASE [^'';]* THEN )?''([a-z ]*[a-z])''', 'g') AS s (state)
		WHERE p.pronamespace = 'zcsync'::regnamespace AND (p.prorettype = 'zcsync.trouble'::regtype OR p.proname = '_account_states')
		UNION ALL
		SELECT w.state FROM pg_proc AS p
		CROSS JOIN LATERAL regexp_matches(p.prosrc, 's\.state IN \(([^)]*)\)') AS s (states)
		CROSS JOIN LATERAL regexp_split_to_table(translate(s.states[1], '''', ''), ', ') AS w (state)
		WHERE p.proname = '_webhook_trouble') AS s (state)
	WHERE state IS NOT NULL ORDER BY 1});
cmp_ok(scalar @states, '>', 35, 'status has states') or diag("@states");
# in the second column of one table, or in the first of the other
like($manual, qr/^\| (?:[^|]+ \| (?:[a-z ]+(?:, | or ))*?|(?:account |[^|]*: )(?:[^|]*, )*?)\Q$_\E(?: \||,|:| or )/m, "doc/operations.md explains \"$_\"") foreach @states;

is(log_lines($node, 'PANIC|terminated by signal|TRAP'), 0, 'no process crashed');
$node->stop;
done_testing();
