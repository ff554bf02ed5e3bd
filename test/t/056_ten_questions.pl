# Who never saw zcsync finds out from psql alone what is broken, since when, why, what to
# run and who must act: each of the ten lines of doc/operations.md gives the right answer
# on an installation on which several things are broken, to an operator who is no superuser,
# and the comments of the schema and of the views lead to them.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('main', conf => 'log_statement = none');
$node->start;
setup_zcsync($node, 'postgres');
sub value { return $node->safe_psql('postgres', $_[0]) }

# ---------------------------------------------------------------------
# What is broken
# ---------------------------------------------------------------------

# The accounts have no credentials and are read from nowhere: rows say what happened.
wait_for_worker($node, 'postgres');
value(q{ALTER ROLE zcsync_worker NOLOGIN});
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'zcsync worker'});
wait_for_no_worker($node, 'postgres');
value(<<'SQL');
SELECT zcsync.create_partitions();
CALL zcsync.maintain();
UPDATE zcsync.installation SET clock_at = zcsync._now() - interval '3 hours';
INSERT INTO zcsync.accounts (name, vendor) VALUES ('acme', 'zendesk'), ('dev', 'clickup'), ('psa', 'halopsa'), ('fine', 'local');
INSERT INTO zcsync.account_budgets (account_id, class, calls, window_s, tokens, refilled_at)
SELECT account_id, 'api', 100, 60, 45, zcsync._now() FROM zcsync.accounts WHERE vendor <> 'local';
INSERT INTO zcsync.streams (account_id, kind, writes, last_pull_at, since, history_state, records_done, records_estimate, calls_done, history_started_at)
SELECT zcsync.account(a), k, true, zcsync._now(), '2020-01-01', 'running', 500, 2000, 5, zcsync._now() - interval '10 min'
FROM (VALUES ('acme', 'tickets'), ('dev', 'tasks'), ('psa', 'tickets')) AS v (a, k);
-- acme: Zendesk is out of order
UPDATE zcsync.accounts SET breaker_failures = 5, breaker_opened_at = zcsync._now() - interval '1 hour', breaker_until = zcsync._now() + interval '30 s',
	last_error = 'HTTP status 503', last_error_at = zcsync._now() WHERE name = 'acme';
UPDATE zcsync.outages SET began_at = zcsync._now() - interval '1 hour' WHERE account_id = zcsync.account('acme');
-- dev: ClickUp refused a task for good
INSERT INTO zcsync.tasks (account_id, remote_id, list_id, name, sync_cause, sync_xid, sync_state) VALUES (zcsync.account('dev'), '9hx', '1', 'Printer', 'pull', '1', 'synced');
UPDATE zcsync.tasks SET status = 'gone' WHERE remote_id = '9hx';
DELETE FROM zcsync.sync_queue;
INSERT INTO zcsync.dead_letters (job_id, account_id, queue, operation, budget_class, kind, local_id, record_key, dedupe_key, payload, priority, attempts, class, status, message, created_at, died_at)
SELECT 4711, account_id, 'task-sync', 'push', 'api', 'tasks', local_id, 'k', 'k', '{}', 50, 3, 'rejected', 400, 'Status does not exist', zcsync._now(), zcsync._now() - interval '5 hours'
FROM zcsync.tasks WHERE remote_id = '9hx';
-- psa: HaloPSA refuses the credentials
SELECT zcsync._block_account(zcsync.account('psa'), 'credentials_refused', 'the vendor refuses the credentials',
	'Check the credentials at HaloPSA and set them with SELECT zcsync.set_credentials(''psa'', ...).');
UPDATE zcsync.outages SET began_at = zcsync._now() - interval '2 hours' WHERE account_id = zcsync.account('psa');
-- somebody knows that
INSERT INTO zcsync.alert_incidents (rule, object, accounts, severity, summary, began_at, told, told_at, acknowledged_at, acknowledged_by)
VALUES ('blocked', 'psa', '{psa}', 'critical', 'account psa: is blocked', zcsync._now() - interval '2 hours', 'critical', zcsync._now() - interval '2 hours', zcsync._now(), 'night_shift');
CREATE ROLE night_shift LOGIN;
SELECT zcsync.grant_operator('night_shift');
SQL

# ---------------------------------------------------------------------
# The lines, as they stand in the manual
# ---------------------------------------------------------------------

my $manual = slurp_file(dirname(__FILE__) . '/../../doc/operations.md');
my %line = $manual =~ /^    -- (\d+)\. [^\n]+\?\n    (\S[^\n]*;)$/mg;
is(join(' ', sort { $a <=> $b } keys %line), '1 2 3 4 5 6 7 8 9 10', 'doc/operations.md has ten questions, and a line for each');

my %answer;
foreach my $number (sort { $a <=> $b } keys %line)
{
	my $sql = $line{$number} =~ s{acme/tickets/35436}{dev/tasks/9hx}r;
	my ($rc, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', 'night_shift' ]);

	is($rc, 0, "question $number: the line runs") or diag($err);
	$answer{$number} = { map { (split /\|/)[0] => $_ } split /\n/, $out };
}

# The age of a time in whole hours.
sub hours
{
	my ($time) = @_;

	return $time eq '' ? 'none' : value("SELECT round(extract(epoch FROM zcsync._now() - '$time'::timestamptz) / 3600)");
}
sub field { return (split /\|/, $answer{ $_[0] }{ $_[1] } // '', -1)[ $_[2] ] // ''; }

is(join(' ', sort keys %{ $answer{1} }), '(all) acme dev psa', '1: what is broken, and nothing else');
is(join(' ', map { field(1, $_, 1) } qw((all) acme dev psa)), 'no rights down errors blocked', '1: how');
is(join(' ', map { hours(field(2, $_, 2)) } qw((all) acme dev psa)), '3 1 5 2', '2: since when');
like(field(3, 'role', 1), qr/^role "zcsync_worker" may not log in/, '3: why: the installation');
is(field(3, 'acme', 1), 'HTTP status 503', '3: the vendor');
is(field(3, 'dev', 1), '400 rejected: Status does not exist', '3: the record');
is(field(3, 'psa', 1), 'the vendor refuses the credentials', '3: the credentials');
is(field(4, '(all)', 1), 'ALTER ROLE zcsync_worker LOGIN;', '4: what to run');
is(field(4, 'dev', 1), "SELECT * FROM zcsync.errors WHERE account = 'dev';", '4: what to look at');
like(field(4, 'psa', 1), qr/SELECT zcsync\.set_credentials/, '4: what to give');
ok(!exists $answer{4}{acme}, '4: nothing, where a vendor is out of order');
is(join(' ', map { field(5, $_, 2) } qw((all) acme dev psa)), 'superuser nobody operator operator', '5: who must act');
is(join(' ', map { field(6, $_, 1) } qw((all) acme psa)), 'no rights vendor blocked', '6: it is this server, the vendor, or the credentials');
is(join(' ', map { field(7, 'dev/tasks/9hx', $_) } 2, 3), 'SELECT zcsync.retry(4711); 4711', '7: what is not sent any more, and how it is again');
like(field(8, 'dev/tasks', 4), qr/^(?:live|history)$/, '8: what');
like(field(8, 'dev/tasks', 5), qr/in step|%/, '8: how far it is');
ok((grep { /25 %\|3\d min/ } split /\n/, $node->safe_psql('postgres', $line{8})), '8: and when it is done');
ok((grep { /status\|.*gone\|local/ } split /\n/, value($line{9} =~ s{acme/tickets/35436}{dev/tasks/9hx}r)), '9: who changed what');
is(field(10, 'account psa: is blocked', 3), 'night_shift', '10: who knows it');
ok(exists $answer{10}{'nobody: there is no alert target'}, '10: and that nobody was told');

# What they are told to run, mends it.
value(field(4, '(all)', 1));
wait_for_worker($node, 'postgres');
is(value(q{SELECT count(*) FROM zcsync.status WHERE state = 'no rights'}), 0, 'to run it mends it');

# An alert may be about a vendor, so it does not make this server the cause.
value(q{SELECT zcsync._alert('records_missing', 'psa', 'warning', 'the list of ids lacks many records', 'SELECT * FROM zcsync.check_account(''psa'');')});
is(value(q{SELECT state FROM zcsync.status WHERE account = '(all)'}), 'alert', 'an alert about a vendor is a row of (all)');
unlike(value($line{6}), qr/^\(all\)/m, '6: which is no answer');
like(value($line{3}), qr/^records_missing\|the list of ids lacks many records$/m, '3: but why');

# ---------------------------------------------------------------------
# With the manual closed
# ---------------------------------------------------------------------

like(value(q{SELECT obj_description('zcsync'::regnamespace)}), qr/SELECT \* FROM zcsync\.status;/, '\dn+ leads to status');
foreach my $word ('since when', 'why', 'who must act', 'what to run')
{
	like(value(q{SELECT obj_description('zcsync.status'::regclass)}), qr/\Q$word\E/, "\\dv+ says of status: $word");
}
my %named = map { $_ => 1 } map { /zcsync\.(\w+)(?!\w|\()/g } values %line;
delete @named{qw(accounts history)};
foreach my $relation (sort keys %named)
{
	next if value("SELECT to_regclass('zcsync.$relation') IS NULL") eq 't';
	isnt(value("SELECT coalesce(obj_description('zcsync.$relation'::regclass), '')"), '', "$relation has a comment");
}
is(value(<<'SQL'), '', 'each column of the views that they look at first has a comment');
SELECT string_agg(a.attrelid::regclass || '.' || a.attname, ' ' ORDER BY 1) FROM pg_attribute AS a
WHERE a.attrelid = ANY ('{zcsync.status,zcsync.lag,zcsync.activity,zcsync.progress,zcsync.errors}'::regclass[]) AND col_description(a.attrelid, a.attnum) IS NULL
SQL

is(log_lines($node, 'PANIC|terminated by signal'), 0, 'no process failed');
$node->stop;
done_testing();
