# Nothing is sent before it is remembered.  With synchronous_commit = off for the
# role of workers the claim alone waits for the disk.  With a synchronous standby
# nothing is sent before the standby knows of it: not when the wait for it is
# cancelled, and not when the server dies meanwhile.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tasks', 0);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
sub creates { return scalar grep { $_->{operation} eq 'create' } @{ $simulator->get('ledger', limit => 1000)->{writes} } }

my $node = new_node('main', init => [ allows_streaming => 1 ], conf => "log_statement = none\nautovacuum = off");
$node->start;
setup_zcsync($node, 'postgres');
add_simulated_accounts($node, 'postgres', $simulator);
$node->safe_psql('postgres', <<SQL);
SELECT zcsync.add_stream('dev', 'tasks', scope => '{"list_ids": ["$bugs"]}', pull_interval => '30 days');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SQL
wait_until($node, 'postgres', 'SELECT last_pull_at IS NOT NULL FROM zcsync.streams', 'the stream is read');

# Commits reach the disk by themselves after 10 seconds at most, so that what a
# crash does not lose was flushed for a reason.
$node->safe_psql('postgres', <<'SQL');
ALTER ROLE zcsync_worker SET synchronous_commit = off;
ALTER SYSTEM SET wal_writer_delay = '10s';
ALTER SYSTEM SET wal_writer_flush_after = '1GB';
CREATE TABLE seen (setting text);
GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$;
CREATE TRIGGER see AFTER UPDATE ON zcsync.tasks FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION see();
SQL
$node->restart;
sub add_task { return $node->safe_psql('postgres', "SET synchronous_commit = off; INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', '$_[0]')") }
add_task('stored');
wait_until($node, 'postgres', q{SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'stored'}, 'a task is made');
is($node->safe_psql('postgres', 'SELECT DISTINCT setting FROM seen'), 'off', 'what comes of it need not be durable');
$simulator->post('faults', { vendor => 'clickup', fault => 'reset_after', method => 'POST', path => '/task$' });
add_task('unclear');
wait_for(sub { creates() == 2 }, 'a second is sent');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT count(*) FROM zcsync.tasks WHERE name IN ('stored', 'unclear')}), 2, 'both rows are there after a crash');
is($node->safe_psql('postgres', q{SELECT count(*) FROM zcsync.sync_queue q JOIN zcsync.tasks t USING (local_id) WHERE t.name = 'unclear' AND q.unclear_since IS NOT NULL}),
	1, 'that the second was sent is known');
$node->safe_psql('postgres', q{UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE unclear_since IS NOT NULL AND state = 'ready'});
wait_until($node, 'postgres', q{UPDATE zcsync.sync_queue SET run_at = zcsync._now() WHERE unclear_since IS NOT NULL AND state = 'ready' AND run_at > zcsync._now();
	SELECT bool_and(remote_id IS NOT NULL) FROM zcsync.tasks WHERE name IN ('stored', 'unclear')}, 'it is found');
is(creates(), 2, 'each is made once');
$node->safe_psql('postgres', <<'SQL');
ALTER ROLE zcsync_worker RESET synchronous_commit;
ALTER SYSTEM RESET wal_writer_delay;
ALTER SYSTEM RESET wal_writer_flush_after;
DROP TRIGGER see ON zcsync.tasks;
SQL
$node->restart;
my $made = creates();

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->append_conf('postgresql.conf', "synchronous_standby_names = '*'");
$node->reload;
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'}) or die 'no synchronous standby';

# A task is written, and the worker claims its create while the standby is away.
sub claim_alone
{
	my ($name) = @_;

	# which the worker would write itself, once a minute
	$node->safe_psql('postgres', 'UPDATE zcsync.installation SET clock_at = zcsync._now()');
	$standby->stop;
	$node->safe_psql('postgres', "SET synchronous_commit = local; INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '$bugs', '$name')");
	return wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'zcsync worker' AND wait_event = 'SyncRep' AND query = 'zcsync: claim jobs')},
		"$name: the worker waits for the standby");
}

claim_alone('cancelled');
my $offset = -s $node->logfile;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zcsync worker'});
$node->wait_for_log(qr/the wait for synchronous replication was canceled/, $offset);
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'zcsync worker' AND wait_event = 'SyncRep')}, 'it waits again');
is(creates(), $made, 'and has sent nothing');
$standby->start;
wait_until($node, 'postgres', q{SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'cancelled'}, 'with the standby back it goes on');
is(creates(), $made + 1, 'once');
wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM zcsync.sync_queue WHERE operation <> 'pull'}, 'to the end');

claim_alone('died');
my $pid = worker_pid($node, 'postgres');
$node->kill9;
wait_for(sub { !kill 0, $pid }, 'the worker ends with the server');
is(creates(), $made + 1, 'and has sent nothing that the standby does not know');

$standby->start;
$standby->promote;
wait_until($standby, 'postgres', q{SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'failover'}, 'the standby takes over');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM zcsync.tasks WHERE name = 'died'}), 0, 'and knows nothing of the task');

$standby->stop;
done_testing();
