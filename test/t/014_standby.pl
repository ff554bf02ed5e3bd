# A standby: nothing runs there; selfcheck() says what it lacks to take over, each
# function answers or says that this is a standby; promotion starts the worker,
# which notices it, and a planned switchover closes its alert.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../perl";
use File::Copy qw(copy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 3, '--tasks', 0);
my $bugs = $simulator->get('info')->{clickup}{dev}{lists}{Bugs};
my %directory = map { $_ => PostgreSQL::Test::Utils::tempdir() } qw(primary standby);
sub conf_of { my ($name) = @_; return "zcsync.credentials_directory = '$directory{$name}'\n"; }

# The configuration file lies outside of the data directory, as on Debian.  The
# primary does nothing in this database.
my $primary = new_node('primary', init => [ allows_streaming => 1 ], conf => "log_statement = none\nzcsync.databases = bare\n" . conf_of('primary'));
start_with_config($primary, $directory{primary});
$primary->safe_psql('postgres', 'CREATE DATABASE bare');
$primary->safe_psql('bare', 'CREATE EXTENSION zcsync');
setup_zcsync($primary, 'postgres');

# The standby is built before the first credential is sealed.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "zcsync.databases = postgres\n" . conf_of('standby'));
start_with_config($standby, $directory{standby});

append_to_file("$directory{primary}/acme_secret", "secret-acme\n");
$primary->safe_psql('postgres', sprintf <<'SQL', $simulator->zendesk, $simulator->clickup, $bugs);
SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "base_url": "%s"}', '{"client_id": "client-acme", "client_secret": "file:acme_secret"}');
SELECT zcsync.add_account('dev', 'clickup', '{"workspace_id": "9001001", "base_url": "%s"}', '{"token": "pk_183_DEV"}');
SELECT zcsync.add_account('crm', 'local');
SELECT zcsync.add_stream('acme', 'tickets', pull_interval => '1 s');
SELECT zcsync.add_stream('dev', 'tasks', pull_interval => '1 s');
SELECT zcsync.alter_stream('dev/tasks', writes => true);
SELECT zcsync.add_route('bugs', 'acme/tickets', 'dev/tasks', create_in => '%3$s');
INSERT INTO zcsync.tasks (account_id, list_id, name) VALUES (zcsync.account('dev'), '%3$s', 'to be created');
INSERT INTO zcsync.tasks (account_id, list_id, remote_id, name) VALUES (zcsync.account('dev'), '%3$s', 'x', 'exists');
SELECT count(*) FROM zcsync.sync_leads('apollo', '[{"id": "1", "email": "ann@firm.example"}, {"id": "2", "email": "bob@firm.example"}]', 'crm');
SELECT * FROM zcsync.create_intake('crm', 'apollo', 'id,email');
SQL
ok(-e "$directory{primary}/zcsync.key" && !-e $primary->data_dir . '/zcsync.key', 'the key file is made beside the configuration file');
$primary->wait_for_catchup($standby);
sub value { return $standby->safe_psql('postgres', $_[0]) }

# ------------------------------------------------------------ what it lacks

is(value("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'zcsync%'"), '0', 'nothing runs on a standby');
is(value('SELECT may_run, reason FROM zcsync._worker_guard()'), 'f|the server is a standby', 'which is said');
is(value("SELECT ok, message FROM zcsync.selfcheck() WHERE item = 'installation'"), 't|this server is a standby: zcsync begins to work here when it is promoted', 'by selfcheck()');
is(value(q{SELECT to_do FROM zcsync.status WHERE account = '(all)' AND state = 'standby'}), 'SELECT * FROM zcsync.status; -- on the primary', 'and by status');
is(value('SELECT string_agg(item, $$, $$) FROM zcsync.selfcheck() WHERE NOT ok'), 'key, credentials', 'it lacks the key and a file');
is(value(q{SELECT message || ' / ' || hint FROM zcsync.selfcheck() WHERE item = 'key'}),
	qq{key file "$directory{standby}/zcsync.key" is missing / Copy the key file of the primary to this place, with owner and mode.}, 'the key, and where it is to be');
like(value(q{SELECT message || ' / ' || hint FROM zcsync.selfcheck() WHERE item = 'credentials'}),
	qr{^credential "client_secret" of account "acme": could not open file "\Q$directory{standby}\E/acme_secret": .* / Provide the file}, 'the file of a credential');
like(value(q{SELECT string_agg(item || ' ' || ok, ', ') || max(message) FROM zcsync.check_account('dev')}), qr/credentials false.*key file .* is missing/, 'check_account() knows it');
append_to_file("$directory{standby}/zcsync.key", 'ab' x 32 . "\n");
chmod 0600, "$directory{standby}/zcsync.key" or die $!;
like(value(q{SELECT message FROM zcsync.selfcheck() WHERE item = 'key' AND NOT ok}), qr/holds key [0-9a-f]{16}; credentials are sealed with key [0-9a-f]{16}/, 'the key of another server is no good');
copy("$directory{primary}/zcsync.key", "$directory{standby}/zcsync.key") or die $!;
copy("$directory{primary}/acme_secret", "$directory{standby}/acme_secret") or die $!;
is(value('SELECT string_agg(item, $$, $$) FROM zcsync.selfcheck() WHERE NOT ok'), '', 'with both it is ready');
is(value(q{SELECT message FROM zcsync.selfcheck() WHERE item = 'credentials'}), '1 kept in files or in the environment can be read', 'and says so');

# An access token, which a primary would keep, is used and forgotten.
like(value(q{SELECT string_agg(item || ' ' || coalesce(ok::text, '?'), ', ') FROM zcsync.check_account('acme')}),
	qr/^settings true, credentials true, connection true, login true, read tickets true/, 'it reaches the vendor');
is(value(q{SELECT count(*) FROM zcsync.credentials WHERE name = 'access_token'}), 0, 'and keeps no token');
is($standby->safe_psql('bare', "SELECT message || ' / ' || hint FROM zcsync.selfcheck() WHERE item = 'installation'"),
	'this server is a standby, and zcsync.setup() has not been run on its primary / SELECT * FROM zcsync.setup(); -- on the primary', 'what is to be done first, is to be done on the primary');

# ------------------------------------------------------------ each function

# Arguments by function and name, by name, or by type.
my $lead = value(q{SELECT min(zcsync.reference('leads', local_id)) FROM zcsync.leads});
my $task = 'dev/tasks/x';
my %argument = (
	account => "'dev'", 'add_stream.kind' => "'statuses'", vendor => "'local'", kind => "'tasks'", 'adopt_marks.account' => "'dev'",
	'create_intake.account' => "'crm'", source => "'apollo'", header => "'id,email'", 'sync_lead.account' => "'crm'", 'rescore_leads.account' => "'crm'",
	intake => "(SELECT min(name) FROM zcsync.intakes)", lead => "'$lead'", keep => "'$lead'", other => "'$lead'", a => "'$lead'", b => "'$lead'",
	stream => "'dev/tasks'", 'stream.reference' => "'dev/tasks'", reference => "'$task'", 'sync_ticket.reference' => "'acme/tickets/1'", refs => "'{$task}'",
	queue => "'route'", operation => "'pull'", route => "'bugs'", field => "'status'", expression => "'1'", source_value => "'open'", target_value => "'closed'",
	company => "'acme/companies/x'", client => "'dev/companies/x'", 'reference.account' => '1', role => "'pg_monitor'", table_name => "'zcsync.tasks'", max_time => "'1 s'", leads => "'[]'", p_kind => "'tasks'",
	'cached.name' => "'top_companies'", 'add_route.name' => "'other'", 'add_route.source' => "'acme/tickets'", 'add_route.target' => "'dev/tasks'", 'link_records.source' => "'$task'", 'link_records.target' => "'$task'",
	confirm => 'true');
my %named = (qr/_queue$/ => "'route'", qr/_route$|^plan$/ => "'bugs'", qr/account|credentials|discover|_held$/ => "'dev'");
my %typed = (text => "'x'", bigint => '1', integer => '1', boolean => 'true', jsonb => "'{}'", interval => "'1 s'", 'text[]' => "'{}'", name => "'x'");

sub calls
{
	my ($kind, $function, $names, $types, $required) = @_;
	my @names = split /,/, $names;
	my @types = split /,/, $types;
	my @arguments;

	foreach my $n (0 .. $#names)
	{
		my ($by_name) = $names[$n] eq 'name' ? map { $named{$_} } grep { $function =~ $_ } sort keys %named : ();
		my $value = $argument{"$function.$names[$n]"} // $by_name // $argument{ $names[$n] } // $typed{ $types[$n] } // 'NULL';

		push @arguments, [ "$names[$n] => $value" . "::$types[$n]", $n < $required ];
	}
	my @calls = (join(', ', map { $_->[0] } grep { $_->[1] } @arguments));
	push @calls, join(', ', map { $_->[0] } grep { $_->[1] || $_->[0] =~ /^confirm / } @arguments) if grep { /^confirm$/ } @names;
	return map { $kind eq 'p' ? "CALL zcsync.$function($_)" : "SELECT * FROM zcsync.$function($_)" } @calls;
}

my @functions = split /\n/, value(<<'SQL');
SELECT p.prokind, p.proname, array_to_string((p.proargnames)[1:p.pronargs], ','),
	(SELECT string_agg(format_type(t, NULL), ',' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)), p.pronargs - p.pronargdefaults
FROM pg_proc AS p WHERE p.pronamespace = 'zcsync'::regnamespace AND p.proname !~ '^_' ORDER BY p.proname, p.oid
SQL
my ($answers, $refusals, @others) = (0, 0);
foreach my $sql (map { calls(split /\|/, $_, -1) } @functions)
{
	my ($rc, $stdout, $stderr) = $standby->psql('postgres', $sql, timeout => $PostgreSQL::Test::Utils::timeout_default);

	if ($rc == 0) { $answers++; note("answers: $sql"); }
	elsif ($stderr =~ /^psql:<stdin>:1: ERROR:  this server is a standby, where zcsync changes nothing\n(?:DETAIL:  .*\n)?HINT:  Run it on the primary\./) { $refusals++; }
	else { push @others, "$sql: $stderr"; }
}
is(join("\n", @others), '', 'each function answers, or says that this is a standby');
cmp_ok($refusals, '>', 55, 'those that change something say it');
cmp_ok($answers, '>', 25, 'those that only look, answer');
my @views = split /\n/, value(q{SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'zcsync'::regnamespace AND c.relkind = 'v'});
is(join(' ', grep { ($standby->psql('postgres', "SELECT * FROM $_"))[0] != 0 } @views), '', 'so does each view, of ' . @views);

# Before setup() there are no tables.
my (@unsaid, %tableless);
my $said = 0;
foreach my $sql (map { calls(split /\|/, $_, -1) } grep { !/^.\|setup\|/ } @functions)
{
	my ($rc, $stdout, $stderr) = $primary->psql('bare', $sql, timeout => $PostgreSQL::Test::Utils::timeout_default);

	if ($stderr =~ /HINT:  .*zcsync\.setup\(\)/) { $said++; }
	# arguments are refused, whether or not there are tables
	elsif ($rc == 0 || $stderr =~ /ERROR:  (?:pg_cron is not loaded by this server|there is no kind|NULL is not a month)/) { $tableless{ $sql =~ s/.*zcsync\.(\w+).*/$1/sr } = 1; }
	else { push @unsaid, "$sql: $stderr"; }
}
is(join("\n", @unsaid), '', 'before setup() each function that needs a table says what makes it');
cmp_ok($said, '>', 80, 'as many as that');
is(join(' ', sort keys %tableless), 'add_alert_target alert_measures allow_routes archive_month cache_clear cache_delete cache_get cache_invalidate cache_set calculate_capacity maintenance_advice schedule_alerts schedule_cache_warming'
	. ' schedule_maintenance selfcheck sparkline sync_tickets unschedule_alerts unschedule_cache_warming unschedule_maintenance', 'these need none, or refuse what they are given first');
unlike(($primary->psql('bare', q{SELECT current_setting('zcsync.nonsense')}))[2], qr/setup/, 'a setting that does not exist is not made by it');

# ------------------------------------------------------------ a planned switchover

$primary->stop;
# the promotion is not in the second of the shutdown
my $second = time;
usleep(20_000) while time == $second;
$standby->promote;
wait_for_worker($standby, 'postgres', 'promotion starts the worker');
wait_until($standby, 'postgres', "SELECT count(*) = 1 FROM zcsync.alerts WHERE code = 'switchover' AND count = 1 AND resolved_at IS NULL", 'which raises one alert');
like(value(q{SELECT hint FROM zcsync.alerts WHERE code = 'switchover'}), qr/If the old primary was started again after its shutdown, /, 'whose hint says when it is none');
is(value('SELECT zcsync._shut_down_cleanly(1, 600), zcsync._shut_down_cleanly(1, 0)'), 't|f', 'the shutdown counts if the promotion followed soon');
is(value(q{SELECT string_agg(s.kind, ' ' ORDER BY s.kind) FROM zcsync.streams AS s WHERE zcsync._is_awaited(s.stream_id)}), 'tasks tickets', 'streams are read first');
is(value(q{SELECT q.unclear_since IS NOT NULL, q.run_at > now() FROM zcsync.sync_queue AS q JOIN zcsync.tasks AS t USING (local_id) WHERE q.operation = 'push' AND t.remote_id IS NULL}), 't|t',
	'what is to be created is looked up first');
is(value('SELECT zcsync._may_write()'), 't', 'it goes on by itself');
$standby->restart;
wait_for_worker($standby, 'postgres', 'it starts again');
is(value(q{SELECT string_agg(code || ' ' || count, ', ') FROM zcsync.alerts}), 'switchover 1', 'without another alert');
$standby->safe_psql('postgres', q{ALTER SYSTEM SET zcsync.clock_offset = 130});
$standby->reload;
wait_until($standby, 'postgres', q{SELECT count(*) = 0 FROM zcsync.alerts WHERE resolved_at IS NULL}, 'which is closed when all has been read anew');
wait_until($standby, 'postgres', q{SELECT remote_id IS NOT NULL FROM zcsync.tasks WHERE name = 'to be created'}, 'and what waited is made');
is(log_lines($standby, 'PANIC|terminated by signal'), 0, 'no process failed');

$standby->stop;
done_testing();
