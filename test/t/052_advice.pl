# What operators look at: zcsync.slow_queries on a server that counts
# statements, the advice on a setting before and after it was taken, and the
# jobs of VACUUM and REINDEX as pg_cron runs them over connections, which is
# what it does unless told.

use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Temp ();
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('main', cron => 1);
$node->append_conf('postgresql.conf', sprintf(<<'CONF', $node->host));
shared_preload_libraries = 'pg_cron,pg_stat_statements,zcsync'
cron.use_background_workers = off
cron.host = '%s'
pg_stat_statements.track_planning = on
zcsync.databases = ''
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE crm');
setup_zcsync($node, $_) for qw(postgres crm);

# Jobs first: pg_cron works once a minute.
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
$node->safe_psql('postgres', $_) for q{SELECT zcsync.schedule_vacuum('zcsync.changes', '* * * * *')},
  q{SELECT zcsync.schedule_reindex('zcsync.sync_records', '* * * * *')};
my $months = "FROM pg_partition_tree('zcsync.sync_records') AS t JOIN pg_index AS i ON i.indrelid = t.relid WHERE t.isleaf";
my $files = $node->safe_psql('postgres', "SELECT array_agg(pg_relation_filenode(i.indexrelid)) $months");

# ---------------------------------------------------------------------
# Slow queries, in a database in which nobody else runs any
# ---------------------------------------------------------------------
my $slow = 'SELECT count(*) FROM zcsync.slow_queries';
my $advised = sub { $node->safe_psql('crm', "SELECT ok, current_value, needs, command FROM zcsync.maintenance_advice() WHERE item = '$_[0]'") };

is($node->safe_psql('crm', $slow), '0', 'loaded, but not installed in this database');
is($advised->('pg_stat_statements'), 'f|not installed in this database|nothing|CREATE EXTENSION pg_stat_statements;', 'which is advised');
$node->safe_psql('crm', 'CREATE SCHEMA "My Tools"; CREATE EXTENSION pg_stat_statements SCHEMA "My Tools"');
is($advised->('pg_stat_statements'), 't|installed|nothing|', 'until it is');
$node->safe_psql('crm', 'CREATE DATABASE other; SELECT "My Tools".pg_stat_statements_reset();');
$node->safe_psql('other', 'SELECT 1 AS not_from_here');
$node->psql('crm', 'SELECT 1 / (g - g) AS never_ends FROM generate_series(1, 1) AS g');
# statements that take their time, to be found among the slow ones
$node->safe_psql('crm', 'SELECT g AS two_rows FROM generate_series(1, 2) AS g; SELECT g AS two_rows FROM generate_series(1, 2) AS g; SELECT 1 AS one_row, pg_sleep(0.2)');
is($node->safe_psql('crm', "SELECT query ~ 'one_row', calls, total_ms BETWEEN 200 AND 60000, mean_ms = total_ms, rows_per_call FROM zcsync.slow_queries LIMIT 1"),
	't|1|t|t|1.0', 'the slowest first');
is($node->safe_psql('crm', "SELECT calls, total_ms > mean_ms, rows_per_call, role = current_user FROM zcsync.slow_queries WHERE query ~ '^SELECT g AS two_rows'"),
	'2|t|2.0|t', 'means of two calls');
is($node->safe_psql('crm', q{SELECT calls, total_ms, mean_ms IS NULL, rows_per_call IS NULL FROM zcsync.slow_queries WHERE query ~ '^SELECT \$?\d+ / \(g - g\)'}),
	'0|0.000|t|t', 'a statement that never came to its end');
is($node->safe_psql('crm', "$slow WHERE query ~ 'not_from_here'"), '0', 'not those of another database');
$node->safe_psql('crm', join '', map { "SELECT 1 AS c$_;" } 1 .. 30);
$node->safe_psql('crm', join '', map { "SELECT " . join(',', (1) x $_) . ';' } 1 .. 15);
is($node->safe_psql('crm', $slow), '10', 'ten of them');
is($node->safe_psql('crm', 'SELECT array_agg(total_ms) = array_agg(total_ms ORDER BY total_ms DESC) FROM zcsync.slow_queries'), 't', 'in order');

# Who may not see what others run, does not see it here.
$node->safe_psql('crm', <<'SQL');
CREATE ROLE analyst;
GRANT USAGE ON SCHEMA zcsync, "My Tools" TO analyst;
GRANT SELECT ON zcsync.slow_queries TO analyst;
GRANT EXECUTE ON FUNCTION zcsync._slow_queries TO analyst;
SQL
# "SET ROLE analyst" itself counts as run by the analyst, and may have been slow.
is($node->safe_psql('crm', 'SET ROLE analyst; SELECT count(*) > 5, count(*) FILTER (WHERE query <> \'<insufficient privilege>\' AND query !~ \'^SET ROLE\') FROM zcsync.slow_queries'),
	't|0', 'the text of a statement is hidden from others');
$node->safe_psql('crm', 'GRANT pg_read_all_stats TO analyst');
is($node->safe_psql('crm', "SET ROLE analyst; SELECT count(*) > 5 FROM zcsync.slow_queries WHERE query ~ '^SELECT'"), 't', 'and shown who may read it');

# In another schema, and of an old version
$node->safe_psql('crm', 'ALTER EXTENSION pg_stat_statements SET SCHEMA public');
is($node->safe_psql('crm', $slow), '10', 'in another schema');
$node->safe_psql('crm', q{DROP EXTENSION pg_stat_statements; CREATE EXTENSION pg_stat_statements VERSION '1.7'});
is($node->safe_psql('crm', $slow), '10', 'with the columns of its old versions');

# Kept once a week, but not what may hold a password.
$node->safe_psql('crm', q{SELECT pg_stat_statements_reset();
	DO $$ BEGIN PERFORM pg_sleep(0.3), 'password'; END $$;
	DO $do$ BEGIN PERFORM set_config('my.password', '', false); END $do$;
	CREATE ROLE robot PASSWORD $_$password$_$;
	SELECT pg_sleep(0.05)::text AS slept, 'password'::text AS secret INTO TABLE kept_by_itself;
	SELECT pg_sleep(2), 'kept';});
# that of SELECT INTO has no value from PostgreSQL 16 on
cmp_ok($node->safe_psql('crm', "SELECT count(*) FROM zcsync.slow_queries WHERE query ~ 'password'"), '>=', 3, 'slow statements with their text');
$node->safe_psql('crm', 'CALL zcsync.maintain()');
is($node->safe_psql('crm', q{SELECT count(*) FROM zcsync.report_archive WHERE report = 'slow_queries' AND line ->> 'query' = 'SELECT pg_sleep($1), $2'}),
	'1', 'a slow one is kept without its values');
is($node->safe_psql('crm', "SELECT count(*) FROM zcsync.report_archive WHERE line::text ~ 'password'"), '0', 'and none whose text has values');

# A dump does not need it.
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('crm'), '-n', 'zcsync', '-e', 'zcsync' ], 'dumped');
$node->safe_psql('crm', 'DROP EXTENSION pg_stat_statements');
is($node->safe_psql('crm', $slow), '0', 'dropped');
$node->safe_psql('crm', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored without it');
is($node->safe_psql('restored', $slow), '0', 'where the view is empty');
is($node->safe_psql('restored', "SELECT count(*) FROM zcsync.maintenance_advice() WHERE item = 'tables' AND ok"), '1', 'storage parameters are restored');

# ---------------------------------------------------------------------
# VACUUM and REINDEX
# ---------------------------------------------------------------------
wait_until($node, 'postgres', "SELECT count(*) FILTER (WHERE last_vacuum IS NULL OR last_analyze IS NULL) = 0 AND count(*) > 3
	FROM zcsync.table_bloat WHERE relname ~ '^changes_'", 'all months are vacuumed');
wait_until($node, 'postgres', "SELECT NOT array_agg(pg_relation_filenode(i.indexrelid)) && '$files' $months", 'all their indexes are new');
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT command, '; ') FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'running', 'starting', 'connecting', 'sending')"),
	'', 'no run failed');
$node->safe_psql('postgres', 'SELECT cron.unschedule(jobid) FROM cron.job');

# ---------------------------------------------------------------------
# The fullest disk is looked at, be it that of a tablespace
# ---------------------------------------------------------------------
my $elsewhere = File::Temp::tempdir('zcsync-tablespace-XXXXXX', DIR => -w '/dev/shm' && $node->data_dir !~ m{^/dev/shm} ? '/dev/shm' : '/tmp', CLEANUP => 1);
$node->safe_psql('postgres', "CREATE TABLESPACE elsewhere LOCATION '$elsewhere'");
my ($fullest) = sort { $b <=> $a } map { /(\d+)% / ? $1 : () } split /\n/, `df -P '$elsewhere' '@{[ $node->data_dir ]}'`;
my $told = $node->safe_psql('postgres', 'SELECT disk FROM zcsync._machine_load()');
cmp_ok(abs($told - $fullest), '<=', 2, "the fullest disk: $fullest % say df, $told % zcsync");
like((split /\|/, $advised->('disks'))[1], qr/^\d+ %$/, 'and the advice');
$node->safe_psql('postgres', 'DROP TABLESPACE elsewhere');

# ---------------------------------------------------------------------
# Advice is taken by pasting it
# ---------------------------------------------------------------------
is($advised->('autovacuum_naptime'), q(f|1min|reload|ALTER SYSTEM SET autovacuum_naptime = '20s'; SELECT pg_reload_conf();), 'a setting that a reload changes');
$node->safe_psql('postgres', $_) for split /(?<=;) /, (split /\|/, $advised->('autovacuum_naptime'))[3];
wait_until($node, 'postgres', "SELECT ok FROM zcsync.maintenance_advice() WHERE item = 'autovacuum_naptime'", 'it is done');
# as PostgreSQL has it: a restart before 18
my $needs = $node->safe_psql('postgres', "SELECT CASE context WHEN 'postmaster' THEN 'restart' ELSE 'reload' END FROM pg_settings WHERE name = 'autovacuum_max_workers'");
$node->append_conf('postgresql.conf', "autovacuum_max_workers = 1\n");
$node->restart;
my $said = $advised->('autovacuum_max_workers');
like($said, qr/^f\|1\|$needs\|ALTER SYSTEM SET autovacuum_max_workers = '3';/, 'a setting that may need a restart');
like($said, qr/-- then restart the server$/, 'and says so') if $needs eq 'restart';
$node->safe_psql('postgres', q{ALTER SYSTEM SET autovacuum_max_workers = '3'});
$node->reload;
if ($needs eq 'restart')
{
	wait_until($node, 'postgres', "SELECT command = '-- is changed already: restart the server' FROM zcsync.maintenance_advice() WHERE item = 'autovacuum_max_workers'",
		'the restart is still to come');
}
$node->restart;
is($advised->('autovacuum_max_workers'), "t|3|$needs|", 'done');
$node->safe_psql('postgres', 'ALTER SYSTEM SET autovacuum_max_workers = 7');
$node->restart;
is($advised->('autovacuum_max_workers'), "t|7|$needs|", 'more is as good');
$node->stop;

done_testing();
