# Maintenance as pg_cron runs it: in its own database and in another one, VACUUM
# and REINDEX too; and two at a time, which is refused.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('cron', cron => 1, conf => 'max_worker_processes = 24');
my ($stdout, $stderr);

$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE crm');
setup_zcsync($node, $_) for qw(postgres crm);

# An alert that was resolved long ago goes; that shows a run to its end.
my $forgotten = "SELECT count(*) = 0 FROM zcsync.alerts WHERE code = 'test'";
$node->safe_psql($_, "INSERT INTO zcsync.alerts (code, message, resolved_at) VALUES ('test', 'x', now() - interval '100 days')")
  for qw(postgres crm);

(undef, undef, $stderr) = $node->psql('postgres', 'SELECT zcsync.schedule_maintenance()');
like($stderr, qr/ERROR:  the extension pg_cron is not installed in this database\nHINT:  Run CREATE EXTENSION pg_cron/,
	'pg_cron is loaded but not installed');
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');

is($node->safe_psql('postgres', q{SELECT zcsync.schedule_maintenance('* * * * *')}),
	'pg_cron runs the job "zcsync maintenance of postgres" at * * * * *', 'scheduled in the database of pg_cron');
my $block = $node->safe_psql('crm', q{SELECT zcsync.schedule_maintenance('* * * * *')});
like($block, qr/\A-- pg_cron is in database postgres; paste there:\nSELECT cron\.schedule_in_database\('zcsync maintenance of crm', /,
	'elsewhere, what to paste');
$node->safe_psql('postgres', $block);
$node->safe_psql('postgres', q{SELECT zcsync.schedule_maintenance('* * * * *')});
is($node->safe_psql('postgres', 'SELECT jobname, database, username = current_user FROM cron.job ORDER BY 1'),
	"zcsync maintenance of crm|crm|t\nzcsync maintenance of postgres|postgres|t", 'one job a database, however often it is scheduled');

# VACUUM and REINDEX of a table, and of one by month with all its months.  Not
# of the same: the ANALYZE of one may end the other by a deadlock.
my @jobs = ([ vacuum => 'tickets' ], [ vacuum => 'leads' ], [ reindex => 'tasks' ], [ reindex => 'changes' ]);
my $files = "SELECT array_agg(pg_relation_filenode(indexrelid)) AS files FROM pg_index
	WHERE indrelid IN (SELECT 'zcsync.tasks'::regclass UNION ALL SELECT relid FROM pg_partition_tree('zcsync.changes') WHERE isleaf)";
my %files_before = map { $_ => $node->safe_psql($_, $files) } qw(postgres crm);
for my $job (@jobs)
{
	my ($what, $table) = @$job;

	is($node->safe_psql('postgres', "SELECT zcsync.schedule_$what('zcsync.$table', '* * * * *')"),
		qq(pg_cron runs the job "zcsync $what of zcsync.$table in postgres" at * * * * *), "scheduled: $what of $table");
	$block = $node->safe_psql('crm', "SELECT zcsync.schedule_$what('zcsync.$table', '* * * * *')");
	like($block, qr/\A-- pg_cron is in database postgres; paste there:\nSELECT cron\.schedule_in_database\('zcsync $what of zcsync\.$table in crm', /,
		"elsewhere, what to paste: $what of $table");
	$node->safe_psql('postgres', $block);
}
is($node->safe_psql('postgres', "SELECT DISTINCT command FROM cron.job WHERE jobname !~ 'maintenance' ORDER BY 1"),
	join("\n", 'REINDEX TABLE CONCURRENTLY zcsync.changes', 'REINDEX TABLE CONCURRENTLY zcsync.tasks',
		'VACUUM (ANALYZE) zcsync.leads', 'VACUUM (ANALYZE) zcsync.tickets'), 'each is one command');

# the cache of each database
my $warm = q{SELECT coalesce(jsonb_array_length(zcsync.cache_get('zcsync:top_companies')), -1)};
is($node->safe_psql($_, $warm), '-1', "the cache of $_ is cold") for qw(postgres crm);
is($node->safe_psql('postgres', q{SELECT zcsync.schedule_cache_warming('* * * * *')}),
	'pg_cron runs the job "zcsync cache warming of postgres" at * * * * *', 'scheduled: warming of the cache');
$node->safe_psql('postgres', $node->safe_psql('crm', q{SELECT zcsync.schedule_cache_warming('* * * * *')}));

# alerts, where the worker does not evaluate them: one comes, that it does not
$node->safe_psql('postgres', q{SELECT zcsync.stop(); SELECT zcsync.add_alert_target('ops', 'notify', '{"channel": "ops"}');
	UPDATE zcsync.alert_rules SET lasts = '0', cool_down = '0', state = CASE measure WHEN 'installation' THEN 'active' ELSE 'paused' END});
wait_for_no_worker($node, 'postgres');
$node->safe_psql('postgres', q{UPDATE zcsync.installation SET alerts_at = now() - interval '3 minutes'});
is($node->safe_psql('postgres', 'SELECT zcsync.schedule_alerts()'), 'pg_cron runs the job "zcsync alerts of postgres" at * * * * *', 'scheduled: alerts');

wait_until($node, $_, $forgotten, "pg_cron maintains $_") for qw(postgres crm);
wait_until($node, 'postgres', q{SELECT status = 'succeeded' FROM cron.job_run_details WHERE command LIKE '%evaluate_alerts%' ORDER BY runid LIMIT 1}, 'pg_cron evaluates alerts');
my $told = q{SELECT concat_ws(' ', i.severity, i.summary, d.event, d.state) FROM zcsync.alert_deliveries AS d JOIN zcsync.alert_incidents AS i USING (incident_id)};
is($node->safe_psql('postgres', "$told WHERE i.object = 'work'"), 'critical stopped alert sent', 'one alert was sent, about the worker');
$node->safe_psql('postgres', 'SELECT zcsync.unschedule_alerts()');
wait_until($node, $_, "SELECT zcsync.cache_get('zcsync:top_companies') IS NOT NULL", "pg_cron warms the cache of $_") for qw(postgres crm);
is($node->safe_psql('postgres', 'SELECT zcsync.unschedule_cache_warming()'), 'removed the job "zcsync cache warming of postgres"', 'unscheduled: warming');
$node->safe_psql('postgres', $node->safe_psql('crm', 'SELECT zcsync.unschedule_cache_warming()'));
for my $database (qw(postgres crm))
{
	wait_until($node, $database, "SELECT count(*) FILTER (WHERE last_vacuum IS NULL OR last_analyze IS NULL) = 0 AND count(*) > 3
		FROM zcsync.table_bloat WHERE relname ~ '^(tickets|leads_(y[0-9]{4}m[0-9]{2}|default))\$'", "pg_cron vacuums and analyses in $database");
	wait_until($node, $database, "SELECT NOT x.files && '$files_before{$database}' FROM ($files) AS x", "pg_cron reindexes in $database");
	is($node->safe_psql($database, "SELECT count(*) FROM zcsync.maintenance_advice() WHERE item LIKE 'index%'"), '0', "$database: no index is left over");
}
for my $job (@jobs)
{
	my ($what, $table) = @$job;

	is($node->safe_psql('postgres', "SELECT zcsync.unschedule_$what('zcsync.$table')"),
		qq(removed the job "zcsync $what of zcsync.$table in postgres"), "unscheduled: $what of $table");
	$node->safe_psql('postgres', $node->safe_psql('crm', "SELECT zcsync.unschedule_$what('zcsync.$table')"));
}
is($node->safe_psql('postgres', q{SELECT zcsync.unschedule_vacuum('zcsync.leads')}), 'there was no job "zcsync vacuum of zcsync.leads in postgres"', 'and again');
is($node->safe_psql('postgres', "SELECT count(*) FROM cron.job WHERE jobname !~ 'maintenance'"), '0', 'none of them is left');
# what runs while it is unscheduled is cancelled
is($node->safe_psql('postgres', "SELECT command, status, return_message FROM cron.job_run_details
	WHERE status NOT IN ('succeeded', 'running', 'starting') AND coalesce(return_message, '') !~ '^job cancel'"), '', 'no run failed');

is($node->safe_psql('postgres', 'SELECT zcsync.unschedule_maintenance()'), 'removed the job "zcsync maintenance of postgres"', 'unscheduled');
is($node->safe_psql('postgres', 'SELECT zcsync.unschedule_maintenance()'), 'there was no job "zcsync maintenance of postgres"', 'and again');
$block = $node->safe_psql('crm', 'SELECT zcsync.unschedule_maintenance()');
my $command = $node->safe_psql('postgres', 'SELECT command FROM cron.job');
$node->safe_psql('postgres', $block);
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), '0', 'unscheduled from elsewhere');

# The second of two at a time is refused, and the lock ends with the first.
my $session = $node->background_psql('crm');
$session->query_safe('BEGIN');
$session->query_safe(q{SELECT zcsync._maintain('alerts')});
my $steps = $node->safe_psql('crm', 'SELECT cardinality(zcsync._maintenance_steps())');
my $place = $node->safe_psql('crm', q{SELECT array_position(zcsync._maintenance_steps(), 'alerts')});
like($node->safe_psql('crm', q{SELECT object, done, estimate, progress FROM zcsync.progress WHERE lane = 'maintenance'}),
	qr/^zcsync\.maintain\(\)\|@{[ $place - 1 ]}\|$steps\|\[#+\.+\] +\d+ % alerts$/, 'its step can be watched');
is($node->safe_psql('postgres', q{SELECT count(*) FROM zcsync.progress WHERE lane = 'maintenance'}), '0', 'in its own database');
is($node->safe_psql('crm', q{UPDATE zcsync.installation SET maintain_began_at = now() - interval '2 minutes', maintain_took = interval '10 minutes 30 seconds';
	SELECT eta FROM zcsync.progress WHERE lane = 'maintenance'}), '8 min', 'if it takes as long as it took before, it ends so soon');
(undef, undef, $stderr) = $node->psql('crm', 'CALL zcsync.maintain()');
like($stderr, qr/ERROR:  another session runs zcsync\.maintain\(\)/, 'two at a time are refused');
$session->quit;
is($node->psql('crm', 'CALL zcsync.maintain()'), 0, 'the lock is gone with its session');
is($node->safe_psql('crm', q{SELECT maintain_took BETWEEN '0' AND '10 minutes' AND maintained_at - maintain_began_at = maintain_took FROM zcsync.installation}), 't', 'how long it took is kept');
is($node->safe_psql('crm', q{SELECT count(*) FROM zcsync.progress WHERE lane = 'maintenance'}), '0', 'and nothing is left to be watched');

# What keeps pg_cron from maintaining is in status, with what to run.
my $trouble = q{SELECT why || '|' || to_do FROM zcsync.status WHERE state = 'no maintenance'};
$node->safe_psql('postgres', 'UPDATE zcsync.installation SET maintained_at = NULL');
is($node->safe_psql('postgres', $trouble), 'pg_cron has no job for maintenance|SELECT zcsync.schedule_maintenance();', 'no job');
is($node->safe_psql('crm', $trouble), '', 'where pg_cron is elsewhere, a run that ended lately is enough');
$node->safe_psql('postgres', 'SELECT zcsync.schedule_maintenance(); UPDATE cron.job SET active = false');
is($node->safe_psql('postgres', q{SELECT who FROM zcsync.status WHERE state = 'no maintenance'}), 'superuser', 'which a superuser must mend');
my ($why, $to_do) = split /\|/, $node->safe_psql('postgres', $trouble);
like($why, qr/^job \d+ of pg_cron is not active$/, 'a job that is not active');
$node->safe_psql('postgres', $to_do);
is($node->safe_psql('postgres', $trouble), '', 'to run what it says mends that');
# a publication of some rows, by a column that is not in the key, lets PostgreSQL refuse to
# delete from the table
$node->safe_psql('postgres', q{CREATE PUBLICATION narrow FOR TABLE zcsync.report_archive WHERE (line IS NOT NULL)});
# In the same minute pg_cron makes a search index, while somebody writes to the table: the
# index of one month of leads, after that of the whole table.
$node->safe_psql('postgres', q{SELECT zcsync.add_account('crm', 'local');
	INSERT INTO zcsync.leads (account_id, email, company) SELECT zcsync.account('crm'), n || '@example.com', CASE n WHEN 7 THEN 'Zymurgy Ltd' ELSE 'Company ' || n END FROM generate_series(1, 3000) AS n});
my $search = q{SELECT string_agg(email, ' ') FROM zcsync.search('zymurgy') AS s JOIN zcsync.leads USING (local_id)};
is($node->safe_psql('postgres', $search), '', 'without an index only the newest records are searched');
my $month = $node->safe_psql('postgres', q{SELECT tableoid::regclass FROM zcsync.leads LIMIT 1}) =~ s/^zcsync\.//r;
my @statements = split /\n/, $node->safe_psql('postgres', q{SELECT statement FROM zcsync.enable_search('{leads}', 'english', concurrently => true)});
my ($by_cron) = grep { /^CREATE INDEX CONCURRENTLY ${month}_search ON zcsync\.$month / } @statements;
ok($by_cron && @statements > 5, 'enable_search() gives statements for each month');
$node->safe_psql('postgres', $statements[0]);
$session = $node->background_psql('postgres');
$session->query_safe('BEGIN');
$session->query_safe(q{UPDATE zcsync.leads SET title = 'x' WHERE email = '1@example.com'});
$node->safe_psql('postgres', qq{SELECT cron.schedule('search', '* * * * *', \$\$$by_cron\$\$)});
$node->safe_psql('postgres', q{SELECT zcsync.schedule_maintenance('* * * * *')});
wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'failed' AND command LIKE '%zcsync.maintain%'}, 'maintenance fails in pg_cron');
$node->safe_psql('postgres', q{SELECT zcsync.schedule_maintenance()});
wait_until($node, 'postgres', qq{SELECT EXISTS (SELECT FROM zcsync.progress WHERE lane = 'index' AND object = 'zcsync.${month}_search' AND progress ~ 'waiting for writers' AND limited_by = 'transactions of others: 1')},
	'pg_cron makes an index: for whom it waits can be watched');
$session->quit;
wait_until($node, 'postgres', q{SELECT status = 'succeeded' FROM cron.job_run_details WHERE command LIKE 'CREATE INDEX CONCURRENTLY%' ORDER BY runid LIMIT 1}, 'and it is made');
$node->safe_psql('postgres', q{SELECT cron.unschedule('search')});
is($node->safe_psql('postgres', qq{SELECT indisvalid FROM pg_index WHERE indexrelid = 'zcsync.${month}_search'::regclass}), 't', 'valid');
is($node->safe_psql('postgres', q{SELECT count(*) FROM zcsync.progress WHERE lane = 'index'}), '0', 'nothing is left to be watched');
# a VACUUM that takes its time
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begins/, "SET vacuum_cost_limit = 1; SET vacuum_cost_delay = 100;\n\\echo begins\nVACUUM (DISABLE_PAGE_SKIPPING) zcsync.$month;\n");
wait_until($node, 'postgres', qq{SELECT EXISTS (SELECT FROM zcsync.progress WHERE lane = 'vacuum' AND object = 'zcsync.$month' AND estimate > 0)}, 'a VACUUM can be watched');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum WHERE datname = current_database()});
$session->quit;
# a function whose session is ended
$node->psql('postgres', q{BEGIN; SELECT zcsync._verb_begins('zcsync.ended()'), zcsync._verb_begins('zcsync.inner()'), pg_terminate_backend(pg_backend_pid())});
wait_until($node, 'postgres', q{SELECT NOT EXISTS (SELECT FROM zcsync.progress WHERE lane = 'verb')}, 'a function whose session is ended is over');
is($node->safe_psql('postgres', q{SELECT ok FROM zcsync.selfcheck() WHERE item = 'search'}), 'f', 'the other months are missing');
$node->safe_psql('postgres', $_) for split /\n/, $node->safe_psql('postgres', q{SELECT statement FROM zcsync.enable_search('{leads}', concurrently => true)});
is($node->safe_psql('postgres', q{SELECT ok FROM zcsync.selfcheck() WHERE item = 'search'}), 't', 'until their statements ran, too, and it is attached');
is($node->safe_psql('postgres', $search), '7@example.com', 'the old record is found by the index');
cmp_ok($node->safe_psql('postgres', qq{SELECT pg_stat_force_next_flush(); SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = '${month}_search'}) =~ s/\n//gr, '>', 0, 'which pg_cron has made');
like($node->safe_psql('postgres', $trouble), qr/^job \d+ of pg_cron failed: .*CALL zcsync\.maintain/, 'a run that failed');
$node->safe_psql('postgres', 'CALL zcsync.evaluate_alerts()');
is($node->safe_psql('postgres', "$told WHERE i.object = 'no maintenance' AND i.resolved_at IS NULL"), 'warning no maintenance alert sent', 'and an alert');
$node->safe_psql('postgres', 'SELECT zcsync.start()');
(undef, undef, $stderr) = $node->psql('postgres', 'CALL zcsync.maintain()');
like($stderr, qr/ERROR:  steps of maintenance failed: reports\n/, 'to run what it says shows why');
$node->safe_psql('postgres', 'DROP PUBLICATION narrow');
is($node->psql('postgres', 'CALL zcsync.maintain()'), 0, 'and when that is mended');
is($node->safe_psql('postgres', $trouble), '', 'mends that, too');
$node->safe_psql('postgres', 'SELECT zcsync.unschedule_maintenance()');

# So is what keeps the other jobs from running; of their runs the old ones go.
$node->safe_psql('postgres', q{SELECT zcsync.schedule_maintenance('0 0 1 1 *'), zcsync.schedule_vacuum('zcsync.tickets', '0 0 1 1 *');
	SELECT cron.schedule('other', '0 0 1 1 *', 'SELECT 1')});
is($node->safe_psql('postgres', $trouble), '', 'a job that has not run yet');
$node->safe_psql('postgres', q{INSERT INTO cron.job_run_details (jobid, runid, status, return_message, end_time)
	SELECT jobid, 2000000 + jobid * 10 + n, 'failed', 'connection failed', now() - age
	FROM cron.job, (VALUES (1, interval '31 days'), (2, interval '29 days')) AS v (n, age) WHERE jobname ~ 'vacuum|other'});
like($node->safe_psql('postgres', $trouble), qr/^a job of pg_cron failed: zcsync v.*\|SELECT \* FROM cron\.job_run_details/,
	'a run of another job that failed');
# another one fails since yesterday: it succeeded before, and failed before that
$node->safe_psql('postgres', q{SELECT zcsync.schedule_reindex('zcsync.tickets', '0 0 1 1 *');
	INSERT INTO cron.job_run_details (jobid, runid, status, return_message, end_time)
	SELECT jobid, 3000000 + n, status, 'connection failed', now() - age FROM cron.job,
		(VALUES (1, 'failed', interval '9 days'), (2, 'succeeded', interval '3 days'), (3, 'failed', interval '1 day'), (4, 'failed', interval '1 hour')) AS v (n, status, age)
	WHERE jobname ~ 'reindex'});
is($node->safe_psql('postgres', q{SELECT string_agg((extract(epoch FROM now() - s.since) / 86400)::int || substring(s.why from 'zcsync .'), ' ' ORDER BY s.since)
	FROM zcsync.status AS s WHERE s.state = 'no maintenance'}), '31zcsync v 1zcsync r', 'and since when each of them fails each time');
$node->safe_psql('postgres', q{SELECT zcsync.unschedule_reindex('zcsync.tickets'); DELETE FROM cron.job_run_details WHERE runid > 3000000});
is($node->safe_psql('crm', $trouble), '', 'which is not that of another database');
is($node->psql('postgres', 'CALL zcsync.maintain()'), 0, 'maintained');
is($node->safe_psql('postgres', q{SELECT j.jobname, count(*) FROM cron.job_run_details AS d JOIN cron.job AS j USING (jobid)
	WHERE d.runid > 2000000 GROUP BY 1 ORDER BY 1}), "other|2\nzcsync vacuum of zcsync.tickets in postgres|1", 'old runs of ours go, and of nobody else');
$node->safe_psql('postgres', q{UPDATE cron.job SET active = false WHERE jobname ~ 'vacuum'});
($why, $to_do) = split /\|/, $node->safe_psql('postgres', $trouble);
like($why, qr/^a job of pg_cron is not active: zcsy/, 'another job that is not active');
$node->safe_psql('postgres', "$to_do; SELECT cron.unschedule('other'), zcsync.unschedule_vacuum('zcsync.tickets'), zcsync.unschedule_maintenance()");
is($node->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), '0', 'no job is left');

# Who reads for long keeps a month from being dropped, and nothing else from
# being done.
$node->safe_psql('crm', q{SELECT zcsync._create_partition('changes', 'created_at', '2020-01-01'); TRUNCATE zcsync.report_archive});
$session = $node->background_psql('crm');
$session->query_safe('BEGIN');
$session->query_safe('SELECT count(*) FROM zcsync.changes');
(undef, undef, $stderr) = $node->psql('crm', 'CALL zcsync.maintain()');
like($stderr, qr/ERROR:  steps of maintenance failed: months\n/, 'a month that is being read is not dropped');
is($node->safe_psql('crm', q{SELECT message FROM zcsync.alerts WHERE code = 'maintenance' AND resolved_at IS NULL}),
	'step "months" of zcsync.maintain() failed: canceling statement due to lock timeout', 'an alert says why');
cmp_ok($node->safe_psql('crm', 'SELECT count(*) FROM zcsync.report_archive'), '>', 0, 'what needs no lock on a table was done');
$session->quit;
is($node->psql('crm', 'CALL zcsync.maintain()'), 0, 'and with the reader gone');
is($node->safe_psql('crm', q{SELECT to_regclass('zcsync.changes_y2020m01')}), '', 'the month goes');

# A job that outlives the extension does nothing.
$node->safe_psql('crm', 'DROP EXTENSION zcsync CASCADE');
is($node->psql('crm', $command), 0, 'the command is harmless without the extension');
$node->stop;

# without pg_cron
$node = new_node('plain');
$node->start;
setup_zcsync($node);
(undef, undef, $stderr) = $node->psql('postgres', 'SELECT zcsync.schedule_maintenance()');
like($stderr, qr/ERROR:  pg_cron is not loaded by this server\nHINT:  Add pg_cron to shared_preload_libraries/, 'no pg_cron: it says so');
$node->stop;

done_testing();
