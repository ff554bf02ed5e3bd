# Months of leads: made in time whatever the clock says, never waited for, and
# the same after dump and restore.

use strict;
use warnings;
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib dirname(__FILE__) . '/../perl';
use ZcsyncTest;

my $node = new_node('main', conf => "timezone = 'UTC'");
my $files = PostgreSQL::Test::Utils::tempdir();
my $clock = 0;

$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(original restored by_root some_tables);
setup_zcsync($node, 'original');
sub value { return $node->safe_psql('original', $_[0]) }
value(q{SELECT zcsync.add_account('crm', 'local', '{"country": "GB"}')});
wait_for_worker($node, 'original');

sub move_clock
{
	my ($seconds) = @_;

	$clock += $seconds;
	$node->append_conf('postgresql.conf', "zcsync.clock_offset = $clock");
	$node->reload;
	$node->poll_query_until('original', "SELECT current_setting('zcsync.clock_offset')::float8 = $clock") or die 'the clock does not move';
}

my $month_of = q{SELECT l.tableoid::regclass::text = 'zcsync.leads_y' || to_char(l.inserted_at, 'YYYY"m"MM') FROM zcsync.leads l WHERE l.email};

# ---------------------------------------------------------------------
# The clock
# ---------------------------------------------------------------------
value(q{INSERT INTO zcsync.leads (account_id, email, inserted_at, created_at)
	SELECT zcsync.account('crm'), 'lead' || n || '@example.com', t, t
	FROM unnest(ARRAY[now() - interval '1 month', now(), now() + interval '2 years']) WITH ORDINALITY AS x (t, n)});
is(value('SELECT count(*) FROM zcsync.leads'), 3, 'leads of last month, this month and in two years are all inserted');
value('SELECT zcsync.create_lead_partitions()');
is(value("$month_of = 'lead$_\@example.com'"), 't', "lead $_ is in its month") for 1 .. 3;

value('SELECT zcsync.stop()');
wait_for_no_worker($node, 'original');
move_clock(150 * 86400);
is(value(q{SELECT result FROM zcsync.sync_lead('manual', '{"email": "later@example.com"}')}), 'created', 'five months later, and no month was made: a lead is taken');
is(value(q{SELECT tableoid::regclass FROM zcsync.leads WHERE email = 'later@example.com'}), 'zcsync.leads_default', 'into the default partition');
value('SELECT zcsync.start()');
wait_until($node, 'original', "$month_of = 'later\@example.com'", 'the worker makes the month and moves the lead');
move_clock(32 * 86400);
value('CALL zcsync.maintain()');
is(value(q{SELECT to_regclass('zcsync.leads_y' || to_char(zcsync._now() + interval '2 months', 'YYYY"m"MM')) IS NOT NULL}), 't', 'a month later maintain() makes the next one');
is(value("SELECT string_agg(kind || ' ' || value, ', ' ORDER BY value) FROM zcsync.lead_identities"),
	'email later@example.com, email lead1@example.com, email lead2@example.com, email lead3@example.com', 'moving changes no identity');
is(value(q{SELECT count(*) FROM zcsync.changes WHERE action <> 'insert'}), 0, 'and is no history');

# ---------------------------------------------------------------------
# What is in the way
# ---------------------------------------------------------------------
my $far = "now() + interval '5 years'";
value("INSERT INTO zcsync.leads (account_id, email, inserted_at) VALUES (zcsync.account('crm'), 'far\@example.com', $far)");
my $session = $node->background_psql('original', on_error_die => 1);
$session->query_safe('BEGIN; LOCK TABLE zcsync.leads_default IN ROW EXCLUSIVE MODE');
my $offset = -s $node->logfile;
is(value('SELECT zcsync.create_lead_partitions()'), 0, 'while somebody holds the default partition, its month is left for later');
ok($node->wait_for_log(qr/could not make the partition of table "leads" for/, $offset), 'which the log says');
value("INSERT INTO zcsync.leads (account_id, email, inserted_at) VALUES (zcsync.account('crm'), 'far2\@example.com', $far)");
$session->query_safe('ROLLBACK');
$session->quit;
value(q{CREATE TABLE public.notes (account_id bigint, lead_id bigint, at timestamptz, FOREIGN KEY (account_id, lead_id, at) REFERENCES zcsync.leads (account_id, local_id, inserted_at));
	INSERT INTO public.notes SELECT account_id, local_id, inserted_at FROM zcsync.leads WHERE email = 'far@example.com'});
is(value('SELECT zcsync.create_lead_partitions()'), 0, 'a lead that a foreign key refers to stays where it is, without an error');
is(value(q{SELECT count(*) FROM zcsync.leads_default}), 2, 'with its neighbours');
value('DROP TABLE public.notes');
is(value('SELECT zcsync.create_lead_partitions()'), 1, 'then it moves');
is(value("$month_of = 'far2\@example.com'"), 't', 'and its neighbours');

# ---------------------------------------------------------------------
# Dump and restore
# ---------------------------------------------------------------------
value(q{INSERT INTO zcsync.accounts (name, vendor, settings) VALUES ('psa', 'halopsa', '{}');
	INSERT INTO zcsync.streams (account_id, kind, writes, state) VALUES (zcsync.account('psa'), 'leads', true, 'paused');
	SELECT zcsync._take_page(zcsync.stream('psa/leads'), 'leads', ARRAY(
		SELECT ROW(n, NULL, jsonb_build_object('summary', 'lead ' || n), NULL, false)::zcsync.document FROM generate_series(1, 50) AS n), zcsync._origin_of('pull', 1));
	SELECT count(*) FROM zcsync.sync_leads('csv', (SELECT jsonb_agg(jsonb_build_object('id', n, 'email', 'd' || n || '@example.com')) FROM generate_series(1, 50) AS n));
	SELECT zcsync.create_intake('crm', 'csv', 'Email');
	ALTER TABLE zcsync.leads ADD COLUMN app_score numeric;
	CREATE INDEX app_index ON zcsync.leads (app_score);
	SELECT zcsync.stop()});
wait_for_no_worker($node, 'original');
my $state = q{SELECT md5(string_agg(x, E'\n' ORDER BY x)) FROM (
	SELECT 'lead' || l.tableoid::regclass || to_jsonb(l)::text FROM zcsync.leads l
	UNION ALL SELECT 'identity' || to_jsonb(i)::text FROM zcsync.lead_identities i) AS s (x)};
my $before = value($state);
my $jobs = value('SELECT count(*) FROM zcsync.sync_queue');

sub restore
{
	my ($database, $file, $what) = @_;
	my ($out, $err) = ('', '');

	ok(IPC::Run::run([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', $file, $node->connstr($database) ], '>', \$out, '2>', \$err), "$what: restored in one transaction");
	is($err, '', "$what: without a message");
	is($node->safe_psql($database, $state), $before, "$what: all leads and identities are as they were");
	is($node->safe_psql($database, q{SELECT count(*) FROM zcsync.sync_queue WHERE kind = 'leads' AND operation = 'push'}), 0, "$what: nothing is pushed");
	my (undef, undef, $stderr) = $node->psql($database, q{INSERT INTO zcsync.leads (account_id, email) VALUES (zcsync.account('crm'), 'D7@example.com')});
	like($stderr, qr/ERROR:  a lead with e-mail "d7\@example.com" exists already in account "crm"/, "$what: a double is refused");
	is($node->safe_psql($database, q{SELECT result FROM zcsync.sync_lead('csv', '{"id": 7, "email": "d7@example.com"}')}), 'unchanged', "$what: and known");
}

$node->command_ok([ 'pg_dump', '-f', "$files/whole.sql", 'original' ], 'pg_dump');
restore('restored', "$files/whole.sql", 'whole');
is($node->safe_psql('restored', q{SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'zcsync.leads'::regclass AND NOT tgisinternal}),
	value(q{SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'zcsync.leads'::regclass AND NOT tgisinternal}), 'whole: the triggers are there');
is($node->safe_psql('restored', q{SELECT zcsync.create_lead_partitions()}), 0, 'whole: no month is missing');

# data alone, with triggers that fire
my @tables = map { ('-t', "zcsync.$_") } qw(accounts streams leads leads_* lead_identities lead_rows);
for my $how ([ 'some_tables', 'some tables' ], [ 'by_root', 'by the parent', '--load-via-partition-root' ])
{
	my ($database, $what, @options) = @$how;

	$node->command_ok([ 'pg_dump', '-f', "$files/$database.sql", '--data-only', @tables, @options, 'original' ], "$what: pg_dump");
	setup_zcsync($node, $database);
	$node->safe_psql($database, 'SELECT zcsync.stop(); ALTER TABLE zcsync.leads ADD COLUMN app_score numeric');
	# the months that the dump has
	$node->safe_psql($database, "SELECT zcsync._create_partition('leads', 'inserted_at', to_date(m, 'YYYY\"m\"MM'))
		FROM unnest('{" . value(q{SELECT string_agg(substring(inhrelid::regclass::text FROM 'y(\d{4}m\d\d)$'), ',') FROM pg_inherits WHERE inhparent = 'zcsync.leads'::regclass}) . "}'::text[]) AS m
		WHERE to_regclass('zcsync.leads_y' || m) IS NULL");
	restore($database, "$files/$database.sql", $what);
}
is(value('SELECT count(*) FROM zcsync.sync_queue'), $jobs, 'the original was not touched');

is(log_lines($node, 'PANIC|FATAL|terminated by signal'), 0, 'no process failed');
$node->stop;
done_testing();
