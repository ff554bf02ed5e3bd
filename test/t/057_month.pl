# A month passes: zcsync.maintain() runs each day while the clock goes on, and in the end
# pg_cron runs it.  Months are made in time, old ones are detached and archived to a table and
# to a file, what has grown old is forgotten, reports are kept weekly, and a run of pg_cron
# that failed is shown until the next one succeeds.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

# no worker: it would not see the clock that sessions move; nor would pg_cron, whose job
# therefore waits for a 30th of February until the end
my $node = new_node('main', cron => 1, conf => <<CONF);
zcsync.databases = ''
cron.database_name = 'postgres'
timezone = 'UTC'
zcsync.history_retention_action = 'detach'
zcsync.lead_retention_months = 3
CONF
my $files = PostgreSQL::Test::Utils::tempdir();
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
setup_zcsync($node, 'postgres');
sub value { return $node->safe_psql('postgres', $_[0]) }

# The name of a month, so many months after or before the present one.
sub month
{
	my ($table, $months) = @_;

	return value("SELECT 'zcsync.${table}_y' || to_char(date_trunc('month', now()) + make_interval(months => $months), 'YYYY\"m\"MM')");
}

# What becomes of a table: part of zcsync, detached, or gone.
sub fate
{
	my ($table) = @_;

	return value("SELECT coalesce((SELECT CASE WHEN c.relispartition THEN 'attached' ELSE 'detached' END FROM pg_class AS c WHERE c.oid = to_regclass('$table')), 'gone')");
}

# ---------------------------------------------------------------------
# What is there at first
# ---------------------------------------------------------------------

value(<<'SQL');
SELECT zcsync.add_account('crm', 'local', '{"country": "GB"}');
SELECT zcsync.schedule_maintenance('0 0 30 2 *'), zcsync.schedule_vacuum('zcsync.leads'), zcsync.schedule_reindex('zcsync.sync_queue');
-- a lead of this month, and of each of the four before it
INSERT INTO zcsync.leads (account_id, email, inserted_at)
SELECT zcsync.account('crm'), 'lead' || n || '@example.com', date_trunc('month', now()) - n * interval '1 month' FROM generate_series(0, 4) AS n;
-- history that ends its thirteen months within this one
INSERT INTO zcsync.changes (account_id, kind, local_id, action, cause, role, created_at)
SELECT 1, 'leads', n, 'update', 'local', 'me', date_trunc('month', now()) - interval '13 months' FROM generate_series(1, 3) AS n;
INSERT INTO zcsync.sync_records (job_id, account_id, queue, operation, status, attempts, queued_at, created_at)
SELECT n, 1, 'route', 'route', 'done', 1, now(), date_trunc('month', now()) - interval '13 months' FROM generate_series(1, 2) AS n
UNION ALL SELECT n, 1, 'route', 'route', 'done', 1, now(), now() FROM generate_series(1, 300) AS n;
SELECT zcsync.create_partitions();
INSERT INTO zcsync.alerts (code, message, resolved_at) VALUES ('long ago', 'x', now() - interval '70 days'), ('lately', 'x', now() - interval '1 day');
INSERT INTO cron.job_run_details (jobid, runid, status, return_message, end_time)
SELECT jobid, 1000, 'succeeded', 'CALL', now() - interval '5 days' FROM cron.job WHERE jobname ~ 'maintenance';
-- of jobs that are scheduled no more, one of them cut off; and of a job of somebody else
INSERT INTO cron.job_run_details (jobid, runid, command, status, start_time, end_time) VALUES
(100000, 1001, 'VACUUM (ANALYZE) zcsync.leads', 'succeeded', now() - interval '5 days', now() - interval '5 days'),
(100001, 1002, 'CALL zcsync.maintain()', 'running', now() - interval '5 days', NULL),
(100002, 1003, 'VACUUM other.leads', 'succeeded', now() - interval '5 days', now() - interval '5 days');
SQL
my ($old, $young, $history, $records) = (month('leads', -4), month('leads', -3), month('changes', -13), month('sync_records', -13));
is(join(' ', map { fate($_) } $old, $young, $history, $records), 'attached attached attached attached', 'at first all months are there');

# ---------------------------------------------------------------------
# Day by day
# ---------------------------------------------------------------------

# until the next month but one has begun
my $days = value(q{SELECT extract(day FROM date_trunc('month', now()) + interval '2 months' - now())::integer + 1});
my $day = 0;

sub live
{
	my ($until) = @_;
	my $sql = '';

	while ($day < $until)
	{
		$day++;
		$sql .= sprintf("SET zcsync.clock_offset = %d;\nCALL zcsync.maintain();\nSELECT %d, c.message FROM zcsync.selfcheck() AS c WHERE c.item IN ('partitions', 'maintenance', 'job') AND NOT c.ok;\n", 86400 * $day, $day);
	}
	return value($sql);
}

is(live(10), '', 'for ten days nothing is wrong');
value(sprintf(q{INSERT INTO cron.job_run_details (jobid, runid, status, return_message, end_time)
	SELECT jobid, 2000, 'failed', 'connection failed', now() + interval '%d days 1 hour' FROM cron.job WHERE jobname ~ 'maintenance'}, $day));
like(value(sprintf q{SET zcsync.clock_offset = %d; SELECT why, who FROM zcsync.status WHERE state = 'no maintenance'}, 86400 * $day + 7200),
	qr/^job \d+ of pg_cron failed: connec.*\|operator$/, 'a run of pg_cron failed: status says so');
is(live($days), '', 'and nothing more, once the next one succeeded, for all the days that followed');
my $now = 86400 * $day;
my $clock = "SET zcsync.clock_offset = $now;";

# ---------------------------------------------------------------------
# A month later
# ---------------------------------------------------------------------

is(join(' ', map { fate(month($_, 4)) } qw(changes leads sync_records)), 'attached attached attached', 'the months that come next are made');
is(value("$clock INSERT INTO zcsync.leads (account_id, email, inserted_at) VALUES (zcsync.account('crm'), 'new\@example.com', zcsync._now()) RETURNING tableoid::regclass"), month('leads', 2), 'a lead goes into its month');
is(join(' ', map { fate($_) } $old, $young, month('leads', -2), month('leads', -1)), 'detached detached detached attached', 'leads past three months are detached, and no others');
is(value("SELECT email FROM $young"), 'lead3@example.com', 'with their rows');
is(value(q{SELECT string_agg(email, ' ' ORDER BY email) FROM zcsync.leads}), 'lead0@example.com lead1@example.com new@example.com', 'which zcsync has forgotten');
is(value(q{SELECT count(*) FROM zcsync.lead_identities WHERE value ~ '^lead[234]'}), '0', 'as it has what identifies them');
is(join(' ', map { fate($_) } $history, $records, month('changes', 0)), 'detached detached attached', 'history past thirteen months is detached');
is(value('SELECT count(*) FROM zcsync.sync_records'), '100', 'of records of jobs those are kept that the queue keeps');
is(value(q{SELECT string_agg(code, ' ') FROM zcsync.alerts}), 'lately', 'an alert that was resolved 90 days ago is forgotten');
my ($reports, $first) = split /\|/, value(q{SELECT count(DISTINCT taken_at), count(DISTINCT taken_at) FILTER (WHERE taken_at < now() + interval '2 days') FROM zcsync.report_archive WHERE report = 'table_bloat'});
cmp_ok($reports, '>=', int($days / 8), "a report was kept each week ($reports)");
cmp_ok($reports, '<=', int($days / 7) + 1, 'and no more often');
like(value("SELECT count(DISTINCT day) - $days FROM zcsync.table_sizes"), qr/^[01]$/, 'the sizes of tables each day');
is(value(q{SELECT string_agg(command, ', ') FROM cron.job_run_details WHERE runid BETWEEN 1000 AND 1003}), 'VACUUM other.leads', 'runs of pg_cron that ended 30 days ago are forgotten, and none of others');
value('DELETE FROM cron.job_run_details WHERE runid = 1003');	# pg_cron counts on from the last one
is(value(q{SELECT string_agg(jobname, ', ' ORDER BY jobname) FROM cron.job}),
	'zcsync maintenance of postgres, zcsync reindex of zcsync.sync_queue in postgres, zcsync vacuum of zcsync.leads in postgres', 'its jobs are not');

# ---------------------------------------------------------------------
# Archives
# ---------------------------------------------------------------------

value('CREATE SCHEMA archive; CREATE TABLE archive.changes (LIKE zcsync.changes); CREATE TABLE archive.leads (LIKE zcsync.leads)');
is(value("SELECT zcsync.archive_month('$history', 'archive.changes'), zcsync.archive_month('$old', 'archive.leads')"), '3|1', 'months are archived to tables');
is(value(q{SELECT array_agg(local_id ORDER BY local_id), (SELECT email FROM archive.leads) FROM archive.changes}), '{1,2,3}|lead4@example.com', 'with all their rows');
is(join(' ', map { fate($_) } $history, $old), 'gone gone', 'and are gone');
value("\\copy $young TO '$files/leads.csv' (FORMAT csv, HEADER)\nDROP TABLE $young;");
is(scalar(split /\n/, slurp_file("$files/leads.csv")), 2, 'to a file: a line for each row, and one with the names of columns');

# ---------------------------------------------------------------------
# pg_cron, on that day
# ---------------------------------------------------------------------

$node->append_conf('postgresql.conf', "zcsync.clock_offset = @{[ $now + 86400 ]}\nzcsync.lead_retention_months = 2\nzcsync.lead_retention_action = 'drop'");
$node->restart;
value(q{SELECT zcsync.schedule_maintenance('* * * * *')});
wait_until($node, 'postgres', q{SELECT maintained_at > zcsync._now() - interval '10 minutes' FROM zcsync.installation}, 'pg_cron maintains on the next day');
wait_until($node, 'postgres', q{SELECT status = 'succeeded' FROM cron.job_run_details WHERE runid < 1000 AND jobid = (SELECT jobid FROM cron.job WHERE jobname ~ 'maintenance') ORDER BY runid DESC LIMIT 1},
	'and its run is noted as good');
is(join(' ', map { fate(month('leads', $_)) } -2 .. 2), 'detached gone attached attached attached', 'leads past two months are dropped; months that were detached before stay, as do the others');
is(value(q{SELECT string_agg(email, ' ' ORDER BY email) FROM zcsync.leads}), 'lead0@example.com new@example.com', 'with their leads');
is(value(q{SELECT string_agg(DISTINCT value, ' ' ORDER BY value) FROM zcsync.lead_identities WHERE value ~ '@'}), 'lead0@example.com new@example.com', 'and what identifies those');
is(value(q{SELECT count(*) FROM zcsync.selfcheck() WHERE item IN ('partitions', 'maintenance', 'job') AND NOT ok}), '0', 'nothing is wrong');
is(value(q{SELECT count(*) FROM zcsync.alerts WHERE resolved_at IS NULL}), '0', 'and no alert is open');

is(log_lines($node, 'PANIC|terminated by signal'), 0, 'no process failed');
$node->stop;
done_testing();
