# Settings of the server, its databases and roles that would stop workers, or make
# them do something else, do not reach them, nor CALL zcsync.run().

use strict;
use warnings;

use Test::More;
use ZcsyncFlow;
use ZcsyncTest;

my %harmful = (
	session_replication_role => 'replica',
	temp_file_limit => '0',
	exit_on_error => 'on',
	default_transaction_read_only => 'on',
	default_transaction_isolation => 'serializable',
	statement_timeout => '1ms',
	idle_in_transaction_session_timeout => '1ms',
	lock_timeout => '1ms',
	'plpgsql.extra_errors' => 'all',
	role => 'pg_monitor',
	row_security => 'off',
);
my $flow = ZcsyncFlow->start('main', tickets => 60, conf => "log_temp_files = 0\nwork_mem = 64kB");
my $node = $flow->node;

# Roles may be told so, which reaches nobody else.
$flow->value('GRANT pg_monitor TO zcsync_worker');
$flow->value("ALTER ROLE zcsync_worker SET $_ = '$harmful{$_}'") foreach sort keys %harmful;
$flow->value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'zcsync%worker'});
wait_for_worker($node, 'postgres');
$flow->mirror;
$flow->route;
$flow->backfill;
$flow->settle('all tasks are made');
$flow->agree('with harmful settings of the workers');
# an error that is caught: a route whose SQL fails
$flow->value(q{SELECT zcsync.alter_route('bugs', filter => $$tags @> '{bug}' AND 1 / (CASE WHEN subject = 'wrong' THEN 0 ELSE 1 END) = 1$$)});
$flow->simulator->post('edit', { account => 'acme', id => 5, fields => { subject => 'wrong' } });
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.route_errors WHERE message LIKE '%division by zero%')}, 'an error of a route is caught');
$flow->simulator->post('edit', { account => 'acme', id => 10, fields => { subject => 'right' } });
wait_until($node, 'postgres', q{SELECT EXISTS (SELECT FROM zcsync.tasks WHERE name = 'right' AND sync_state = 'synced')}, 'and others go on');
is($flow->value(q{SELECT count(*) FROM zcsync.status WHERE account = '(all)' AND state IN ('failing', 'no worker', 'no local worker')}), 0, 'nothing fails');

# A session in which they are set.
$flow->value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'postgres');
$flow->simulator->post('edit', { account => 'acme', id => 10, fields => { subject => 'by hand' } });
my @mine = grep { !/^(?:role|statement_timeout|exit_on_error)$/ } sort keys %harmful;
$flow->value('SELECT zcsync.start()');
$node->safe_psql('postgres', join(' ', map { "SET $_ = '$harmful{$_}';" } @mine) . q{ CALL zcsync.run('20 s', until_idle => false)});
is($flow->value(q{SELECT sync_state FROM zcsync.tasks WHERE name = 'by hand'}), 'synced', 'run() does not heed them either');

is(log_lines($node, 'PANIC|TRAP|terminated by signal'), 0, 'no process crashed');
$node->stop;
done_testing();
